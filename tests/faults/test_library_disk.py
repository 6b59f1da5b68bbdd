"""The library on other disks: one that fills up while a model is copied, one with a trash of its own, one without."""

import contextlib
import os
import subprocess
from pathlib import Path

import pytest

from desktop.errors import DiskFull
from desktop.library.importing import NoRoomToCopy, import_model
from desktop.library.library import Library
from desktop.library.removal import NotDeleted, remove_model
from desktop.library.trash import NoTrash
from desktop.library.work import Work
from tests.faults.test_download_machine import MIB, small_disk
from tests.support.model_files import small_model


def large_model(path: Path, size: int) -> Path:
    small_model(path)
    os.truncate(path, size)
    return path


def test_a_disk_without_room_is_told_before_a_byte_is_copied(tmp_path: Path) -> None:
    source = large_model(tmp_path / "m.gguf", 6 * MIB)
    with small_disk(tmp_path / "disk", 12 * MIB):
        library = Library.open(tmp_path / "library.sqlite3", tmp_path / "disk" / "models")
        with contextlib.closing(library), pytest.raises(NoRoomToCopy) as raised:
            import_model(library, source, copy=True)
        assert "MB" in raised.value.explain().message
        assert list((tmp_path / "disk" / "models").iterdir()) == []


def test_a_disk_that_fills_up_meanwhile_keeps_nothing_of_the_copy(tmp_path: Path) -> None:
    source = large_model(tmp_path / "m.gguf", 9 * MIB)
    disk = tmp_path / "disk"
    with small_disk(disk, 24 * MIB):
        filler = disk / "filler"

        def fill(done: int, total: int) -> None:
            if not filler.exists() and done < total:
                with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
                    while True:
                        file.write(bytes(65536))

        library = Library.open(tmp_path / "library.sqlite3", disk / "models")
        with contextlib.closing(library):
            with pytest.raises(DiskFull):
                import_model(library, source, copy=True, work=Work(on_progress=fill))
            assert list((disk / "models").iterdir()) == []
            filler.unlink()
            assert import_model(library, source, copy=True).outcome == "copied"


@pytest.mark.allow_log("is gone and still listed")
def test_a_model_can_be_deleted_while_the_disk_of_the_library_is_full(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    with small_disk(disk, 1 * MIB):
        library = Library.open(disk / "library.sqlite3", tmp_path / "models")
        path = small_model(library.destination(repo="owner/r", file="m.gguf"))
        library.register(path=path, model_id="m", quantization="")
        library.close()
        filler = disk / "filler"
        with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
        library = Library.open(disk / "library.sqlite3", tmp_path / "models")
        with contextlib.closing(library):
            assert remove_model(library, library.find("m"), permanently=True).outcome == "deleted"
            assert not path.exists()
            filler.unlink()
            assert remove_model(library, library.entry("m")).outcome == "forgotten"
            assert "m" not in {model.id for model in library.installed()}


def test_another_disk_has_a_trash_of_its_own_or_none(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    with small_disk(disk, 4 * MIB):
        library = Library.open(tmp_path / "library.sqlite3", disk / "models")
        with contextlib.closing(library):
            for name in ("a", "b"):
                path = small_model(library.destination(repo="owner/r", file=f"{name}.gguf"), name=name)
                library.register(path=path, model_id=name, quantization="")
            assert remove_model(library, library.find("a")).outcome == "trashed"
            assert (disk / f".Trash-{os.getuid()}" / "files" / "a.gguf").is_file()
            subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
            with pytest.raises(NoTrash):
                remove_model(library, library.find("b"))
            with pytest.raises(NotDeleted) as raised:
                remove_model(library, library.find("b"), permanently=True)
            assert "Read-only file system" in raised.value.explain().message
            assert library.find("b").condition == "ready"
