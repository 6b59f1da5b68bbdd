"""What is known of an unfinished file: after a kill nearly everything, after a power cut what is surely on the disk."""

import hashlib
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from desktop.catalog.hub import HubFile
from desktop.download import sidecar
from desktop.download.part import PartFile, part_path
from desktop.download.sidecar import claimed_bytes, read_sidecar, sidecar_path
from desktop.download.types import ChecksumMismatch, PartRemoved
from desktop.errors import AppError
from desktop.files import FileNotSaved

SIZE = 3_000_000
CONTENT = bytes(range(251)) * (SIZE // 251 + 1)
FILE = HubFile(
    repo="o/r", file="m.gguf", revision="c" * 40, size=SIZE, sha256=hashlib.sha256(CONTENT[:SIZE]).hexdigest(), url=""
)


def opened(destination: Path) -> PartFile:
    part = PartFile(FILE, destination)
    part.open()
    part.begin()
    return part


def claimed(destination: Path) -> tuple[tuple[int, int], ...]:
    found = read_sidecar(destination)
    assert found is not None
    return found[1].as_tuple()


def write(part: PartFile, start: int, end: int) -> None:
    part.write(start, CONTENT[start:end])


def test_pieces_in_any_order_become_the_file(tmp_path: Path) -> None:
    destination = tmp_path / "m.gguf"
    part = opened(destination)
    for start in (2_000_000, 0, 1_000_000):
        write(part, start, start + 1_000_000)
    part.finish(part.digest())
    assert destination.read_bytes() == CONTENT[:SIZE]
    assert [path.name for path in tmp_path.iterdir()] == ["m.gguf"]


def test_after_a_kill_every_write_is_known(tmp_path: Path) -> None:
    destination = tmp_path / "m.gguf"
    part = opened(destination)
    write(part, 0, 1000)
    write(part, 2_000_000, 2_000_500)
    assert claimed(destination) == ((0, 1000), (2_000_000, 2_000_500))
    part.sync()
    write(part, 1000, 3000)
    assert claimed(destination) == ((0, 3000), (2_000_000, 2_000_500))
    part.close()


def test_after_a_power_cut_only_what_was_synced_is_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    destination = tmp_path / "m.gguf"
    part = opened(destination)
    write(part, 0, 1000)
    part.sync()
    write(part, 1000, 500_000)
    part.stop_hashing()  # and no close: the machine is gone
    monkeypatch.setattr(sidecar, "this_boot", lambda: "another start of the machine")
    assert claimed(destination) == ((0, 1000),)
    part.close()


def test_a_line_that_was_cut_off_counts_for_nothing(tmp_path: Path) -> None:
    destination = tmp_path / "m.gguf"
    part = opened(destination)
    write(part, 0, 1000)
    part.close()
    with sidecar_path(destination).open("ab") as note:
        note.write(b"1000-2000\n5000-4000\n0-99999999999\nnonsense\n\n2000-250")
    assert claimed(destination) == ((0, 2000),)


def test_what_is_claimed_beyond_the_end_of_the_part_is_not_believed(tmp_path: Path) -> None:
    destination = tmp_path / "m.gguf"
    part = opened(destination)
    write(part, 0, 2000)
    part.close()
    with part_path(destination).open("r+b") as shorter:
        shorter.truncate(500)
    again = opened(destination)
    assert again.missing() == [(500, SIZE)]
    again.close()


def test_a_damaged_byte_is_found_and_the_part_is_gone(tmp_path: Path) -> None:
    destination = tmp_path / "m.gguf"
    part = opened(destination)
    write(part, 0, SIZE - 1)
    part.write(SIZE - 1, b"?")
    with pytest.raises(ChecksumMismatch):
        part.finish(part.digest())
    assert list(tmp_path.iterdir()) == []


def test_a_note_whose_etag_no_server_takes_is_none(tmp_path: Path) -> None:
    destination = tmp_path / "m.gguf"
    part = opened(destination)
    part.remember('"' + "x" * 200 + '"')
    write(part, 0, 1000)
    part.close()
    assert claimed(destination) == ((0, 1000),)
    note = sidecar_path(destination)
    note.write_bytes(note.read_bytes().replace(b"x" * 200, b"x" * 100_000))
    assert read_sidecar(destination) is None


def remove(part: Path) -> None:
    part.unlink()


def replace(part: Path) -> None:
    part.unlink()
    part.write_bytes(b"another file")


def grow(part: Path) -> None:
    with part.open("ab") as longer:
        longer.write(b"more")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows removes no file that is open")
@pytest.mark.parametrize("change", [remove, replace])
def test_a_part_that_somebody_takes_away_is_noticed_on_the_way(tmp_path: Path, change: Callable[[Path], None]) -> None:
    destination = tmp_path / "m.gguf"
    part = opened(destination)
    write(part, 0, 1000)
    part.sync()
    change(part_path(destination))
    write(part, 1000, 2000)
    with pytest.raises(PartRemoved):
        part.sync()
    part.close()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows removes no file that is open")
@pytest.mark.parametrize(("change", "error"), [(remove, PartRemoved), (replace, PartRemoved), (grow, FileNotSaved)])
def test_only_the_file_that_was_found_right_gets_the_name(
    tmp_path: Path, change: Callable[[Path], None], error: type[AppError]
) -> None:
    destination = tmp_path / "m.gguf"
    part = opened(destination)
    write(part, 0, SIZE)
    digest = part.digest()
    change(part_path(destination))
    with pytest.raises(error, match=r"removed or replaced|changed by somebody else"):
        part.finish(digest)
    part.close()
    assert not destination.exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no disk that is always full")
def test_a_full_disk_whose_folder_is_gone_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "models").mkdir()
    part = opened(tmp_path / "models" / "m.gguf")
    shutil.rmtree(tmp_path / "models")
    with Path("/dev/full").open("wb", buffering=0) as full, monkeypatch.context() as patched:
        patched.setattr(part, "_descriptor", full.fileno())
        with pytest.raises(FileNotSaved, match="No space left"):
            part.write(0, b"x")
    part.close()


def test_a_part_of_other_content_or_without_bytes_is_not_kept(tmp_path: Path) -> None:
    destination = tmp_path / "m.gguf"
    opened(destination).close()
    assert list(tmp_path.iterdir()) == []
    part = opened(destination)
    write(part, 0, 1000)
    part.close()
    other = HubFile(repo="o/r", file="m.gguf", revision="d" * 40, size=SIZE, sha256="b" * 64, url="")
    fresh = PartFile(other, destination)
    fresh.open()
    assert fresh.done == 0
    fresh.close()
    assert claimed_bytes(destination) == 0
