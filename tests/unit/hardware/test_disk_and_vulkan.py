"""What a disk is made of, and which Vulkan drivers are installed, from trees as the system shows them."""

import os
import threading
from pathlib import Path

import pytest

from desktop.hardware.disk import disk_kind, read_disk
from desktop.hardware.types import VulkanDriver
from desktop.hardware.vulkan import drivers, read_vulkan


def block_device(root: Path, folder: Path, disk: str, rotational: str, *, partition: bool = True) -> None:
    """Let `folder` lie on a partition of `disk` in a tree of block devices under `root`."""
    device = root / "devices" / disk
    (device / "queue").mkdir(parents=True)
    (device / "queue" / "rotational").write_text(f"{rotational}\n")
    place = device / f"{disk}p1" if partition else device
    place.mkdir(exist_ok=True)
    number = folder.stat().st_dev
    (root / f"{os.major(number)}:{os.minor(number)}").symlink_to(place)


@pytest.mark.parametrize(
    ("disk", "rotational", "kind"),
    [("nvme0n1", "0", "nvme"), ("sda", "0", "ssd"), ("sdb", "1", "hdd"), ("vda", "1", "virtual"), ("sdc", "?", None)],
)
def test_a_disk_tells_what_it_is_made_of(tmp_path: Path, disk: str, rotational: str, kind: str | None) -> None:
    block_device(tmp_path, tmp_path, disk, rotational)
    assert disk_kind(tmp_path, None, "ext4", tmp_path) == kind


def test_an_encrypted_disk_is_what_lies_below_it(tmp_path: Path) -> None:
    block_device(tmp_path, tmp_path, "dm-0", "1", partition=False)
    below = tmp_path / "devices" / "nvme0n1"
    (below / "queue").mkdir(parents=True)
    (tmp_path / "devices" / "dm-0" / "slaves").mkdir()
    (tmp_path / "devices" / "dm-0" / "slaves" / "nvme0n1").symlink_to(below)
    assert disk_kind(tmp_path, None, "ext4", tmp_path) == "nvme"


@pytest.mark.parametrize(("file_system", "kind"), [("nfs4", "network"), ("tmpfs", "memory"), ("ext4", None)])
def test_some_disks_are_none(tmp_path: Path, file_system: str, kind: str | None) -> None:
    assert disk_kind(tmp_path, None, file_system, tmp_path / "no devices") == kind


def test_this_machines_disk_tells_its_file_system(tmp_path: Path) -> None:
    disk = read_disk(tmp_path)
    assert disk.file_system
    assert disk.total >= disk.free > 0


def manifest(folder: Path, name: str, content: str) -> Path:
    file = folder / name
    file.write_text(content)
    return file


def test_vulkan_drivers_are_listed_with_what_is_missing(tmp_path: Path) -> None:
    (tmp_path / "libgood.so").touch()
    files = [
        manifest(tmp_path, "a.json", '{"ICD": {"library_path": "./libgood.so", "api_version": "1.3.0"}}'),
        manifest(tmp_path, "b.json", f'{{"ICD": {{"library_path": "{tmp_path}/libgone.so"}}}}'),
        manifest(tmp_path, "c.json", '{"layer": {}}'),
        manifest(tmp_path, "d.json", "not JSON"),
        manifest(tmp_path, "e.json", '["ICD"]'),
        tmp_path / "gone.json",
    ]
    assert [(Path(each.manifest).name, each.found) for each in drivers(files)] == [("a.json", True), ("b.json", False)]


def test_a_library_in_a_closed_folder_costs_only_the_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system's refusal is put in its place: the user of these tests may enter every folder."""
    (tmp_path / "libgood.so").touch()
    really = Path.exists

    def closed(path: Path) -> bool:
        if "closed" in path.parts:
            raise PermissionError(13, "Permission denied")
        return really(path)

    files = [
        manifest(tmp_path, "a.json", f'{{"ICD": {{"library_path": "{tmp_path}/closed/x/lib.so"}}}}'),
        manifest(tmp_path, "b.json", '{"ICD": {"library_path": "./libgood.so"}}'),
    ]
    monkeypatch.setattr(Path, "exists", closed)
    assert [each.found for each in drivers(files)] == [None, True]


def test_a_library_with_a_long_path_is_looked_for_at_its_end(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 100)
    deep.mkdir()
    (deep / "lib.so").touch()
    files = [
        manifest(tmp_path, "a.json", f'{{"ICD": {{"library_path": "{deep}/lib.so"}}}}'),
        manifest(tmp_path, "b.json", f'{{"ICD": {{"library_path": "./{"x" * 5000}.so"}}}}'),
        manifest(tmp_path, "c.json", '{"ICD": {"library_path": "./nul\\u0000\\ud800.so"}}'),
    ]
    found = drivers(files)
    assert [(Path(each.manifest).name, each.found) for each in found] == [("a.json", True), ("b.json", None)]
    assert found[0].library == f"{deep}/lib.so"
    assert len(found[1].library) == 4096


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no named pipes in folders")
def test_a_manifest_that_is_a_pipe_is_none(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.json")
    found: list[tuple[VulkanDriver, ...]] = []
    look = threading.Thread(target=lambda: found.append(drivers([tmp_path / "a.json"])), daemon=True)
    look.start()
    look.join(20)
    if look.is_alive():
        (tmp_path / "a.json").write_bytes(b"")  # lets it go on
        look.join()
        pytest.fail("it waited for somebody to write")
    assert found == [()]


def test_a_user_without_a_home_still_has_the_systems_drivers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_home() -> Path:
        raise RuntimeError("Could not determine home directory.")  # Path.home()'s own words

    for name in ("VK_DRIVER_FILES", "VK_ICD_FILENAMES", "XDG_CONFIG_HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", no_home)
    monkeypatch.setenv("XDG_DATA_DIRS", str(tmp_path))
    folder = tmp_path / "vulkan" / "icd.d"
    folder.mkdir(parents=True)
    manifest(folder, "mine.json", f'{{"ICD": {{"library_path": "{tmp_path}/lib.so"}}}}')
    assert [each.found for each in read_vulkan().drivers if each.manifest.startswith(str(tmp_path))] == [False]


def test_the_loaders_own_variable_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = manifest(tmp_path, "only.json", '{"ICD": {"library_path": "libsurely-not-installed-anywhere.so"}}')
    monkeypatch.setenv("VK_DRIVER_FILES", str(one))
    (driver,) = drivers()
    assert driver.manifest == str(one)
    assert driver.found is not True


def test_drivers_are_looked_for_where_the_loader_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("VK_DRIVER_FILES", "VK_ICD_FILENAMES"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "vulkan" / "icd.d"
    folder.mkdir(parents=True)
    (tmp_path / "lib.so").touch()
    manifest(folder, "mine.json", f'{{"ICD": {{"library_path": "{tmp_path}/lib.so"}}}}')
    monkeypatch.setenv("XDG_DATA_DIRS", str(tmp_path))
    assert [each.found for each in read_vulkan().drivers if each.manifest.startswith(str(tmp_path))] == [True]
