"""A file that a person brings is used where it is, or copied whole; what is there already is not there twice."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from desktop.catalog.file_names import UnsafeName
from desktop.errors import AppError, FileUnreadable
from desktop.files import try_hold
from desktop.gguf.errors import NotAGguf, TruncatedGguf
from desktop.library import importing
from desktop.library.importing import (
    BeingCopied,
    CopyWrong,
    FolderNotFile,
    NoRoomToCopy,
    NotAModelToChatWith,
    import_model,
)
from desktop.library.library import Library
from desktop.library.removal import remove_model
from desktop.library.stores.place import Place
from desktop.library.work import Stopped, Work
from tests.support.model_files import projector, small_model, split_model, truncated_model


def ids(library: Library) -> set[str]:
    return {model.id for model in library.installed() if not model.bundled}


def everything_below(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*")) if folder.exists() else []


def test_a_file_is_used_where_it_is(library: Library, tmp_path: Path) -> None:
    path = small_model(tmp_path / "Downloads" / "Nice-Q4_K_M.gguf", name="Nice Model")
    model, outcome = import_model(library, path)
    assert outcome == "added"
    assert (model.id, model.name, model.quantization, model.source) == ("Nice-Q4_K_M", "Nice Model", "Q4_K_M", "folder")
    assert model.path == str(path)
    assert not model.ours_to_remove
    assert not library.models_folder.exists()
    assert library.find("Nice-Q4_K_M") == model


def test_a_copy_is_whole_and_ours(library: Library, tmp_path: Path) -> None:
    path = small_model(tmp_path / "Downloads" / "Nice-Q4_K_M.gguf")
    told: list[tuple[int, int]] = []
    model, outcome = import_model(
        library, path, copy=True, work=Work(on_progress=lambda done, total: told.append((done, total)))
    )
    assert outcome == "copied"
    assert Path(model.path).read_bytes() == path.read_bytes()
    assert everything_below(library.models_folder) == ["Nice-Q4_K_M", "Nice-Q4_K_M/Nice-Q4_K_M.gguf"]
    assert model.ours_to_remove
    assert told[-1] == (2 * path.stat().st_size,) * 2


def test_any_file_of_a_split_model_means_all_of_it(library: Library, tmp_path: Path) -> None:
    shards = split_model(tmp_path / "Downloads")
    model, _ = import_model(library, shards[2], copy=True)
    assert Path(model.path).name == shards[0].name
    assert len(everything_below(library.models_folder)) == 1 + 3
    shards[1].unlink()
    with pytest.raises(FileUnreadable):
        import_model(library, shards[0])


def test_what_is_there_already_says_so(library: Library, place: Place, tmp_path: Path) -> None:
    path = small_model(tmp_path / "a" / "one.gguf")
    first = import_model(library, path).model
    link = tmp_path / "link.gguf"
    link.symlink_to(path)
    same = small_model(tmp_path / "b" / "two.gguf")
    for again in (path, link, same):
        assert import_model(library, again) == (first, "already_there")
    other = small_model(tmp_path / "c" / "three.gguf", fill=1)
    assert import_model(library, other).outcome == "added"
    copied = import_model(library, path, copy=True)
    assert copied.outcome == "copied", "one of our own beside that of the person"
    assert import_model(library, path, copy=True) == (copied.model, "already_there")
    library.scan(place=place)
    assert len(ids(library)) == 3


def test_a_model_that_was_hidden_comes_back(library: Library, place: Place, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    path = small_model(folder / "m.gguf")
    library.found.add_folder(folder)
    library.scan(place=place)
    remove_model(library, library.find("m"))
    assert ids(library) == set()
    assert import_model(library, path).outcome == "added"
    library.scan(place=place)
    assert ids(library) == {"m"}


def test_what_is_no_model_is_refused(library: Library, tmp_path: Path) -> None:
    letter = tmp_path / "letter.gguf"
    letter.write_text("Dear Sir, this is no model.")
    refused = {
        letter: NotAGguf,
        truncated_model(tmp_path / "short.gguf"): TruncatedGguf,
        projector(tmp_path / "mmproj.gguf"): NotAModelToChatWith,
        tmp_path: FolderNotFile,
        tmp_path / "none.gguf": FileUnreadable,
        Path("~nobody-here/x.gguf"): FileUnreadable,
    }
    for copy in (False, True):
        for path, error in refused.items():
            with pytest.raises(error):
                import_model(library, path, copy=copy)
    assert ids(library) == set()
    assert everything_below(library.models_folder) == []


@pytest.mark.skipif(os.name == "nt", reason="such names cannot be there")
@pytest.mark.parametrize("name", ["NUL", "C:\\x", "a\nb", "x" * 230, "trailing "])
def test_a_name_that_another_system_cannot_have_is_not_copied(library: Library, tmp_path: Path, name: str) -> None:
    path = small_model(tmp_path / "Downloads" / f"{name}.gguf".replace("trailing .gguf", "trailing.gguf "))
    with pytest.raises(UnsafeName):
        import_model(library, path, copy=True)
    assert everything_below(library.models_folder) == []
    assert import_model(library, path).outcome == "added"


def test_a_cancelled_copy_leaves_nothing(library: Library, tmp_path: Path) -> None:
    path = small_model(tmp_path / "Downloads" / "m.gguf")
    stop = threading.Event()
    with pytest.raises(Stopped):
        import_model(library, path, copy=True, work=Work(stop=stop, on_progress=lambda *_: stop.set()))
    assert everything_below(library.models_folder) == []
    assert ids(library) == set()


def test_a_disk_without_room_is_told_before_anything_is_written(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = small_model(tmp_path / "Downloads" / "m.gguf")
    monkeypatch.setattr(importing, "SPARE", 1 << 62)
    with pytest.raises(NoRoomToCopy):
        import_model(library, path, copy=True)
    assert everything_below(library.models_folder) == []


def test_a_file_that_is_written_to_while_it_is_copied_is_no_copy(library: Library, tmp_path: Path) -> None:
    path = small_model(tmp_path / "Downloads" / "m.gguf")

    def write_to_it(*_: int) -> None:
        with path.open("ab") as file:
            file.write(b"more")

    with pytest.raises(CopyWrong):
        import_model(library, path, copy=True, work=Work(on_progress=write_to_it))
    assert everything_below(library.models_folder) == []


_KILLED_WHILE_COPYING = """
import os, signal, sys
from pathlib import Path
from desktop.library.importing import import_model
from desktop.library.library import Library
from desktop.library.work import Work

folder, source = map(Path, sys.argv[1:])
library = Library.open(folder / "library.sqlite3", folder / "models")
import_model(library, source, copy=True, work=Work(on_progress=lambda *_: os.kill(os.getpid(), signal.SIGKILL)))
"""


@pytest.mark.skipif(os.name == "nt", reason="no such signal")
def test_what_a_killed_copy_leaves_goes_with_the_next(library: Library, tmp_path: Path) -> None:
    path = small_model(tmp_path / "Downloads" / "m.gguf")
    command = [sys.executable, "-c", _KILLED_WHILE_COPYING, str(tmp_path), str(path)]
    assert subprocess.run(command, check=False, timeout=60).returncode == -signal.SIGKILL
    assert "m/m.gguf.part" in everything_below(library.models_folder)
    assert ids(library) == set()
    assert import_model(library, path, copy=True).outcome == "copied"
    assert everything_below(library.models_folder) == ["m", "m/m.gguf"]


def test_a_folder_of_the_person_is_never_taken_for_an_unfinished_copy(library: Library, tmp_path: Path) -> None:
    own = library.models_folder / "m"
    own.mkdir(parents=True)
    (own / "letter.part").write_text("Dear Sir")
    model = import_model(library, small_model(tmp_path / "Downloads" / "m.gguf"), copy=True).model
    assert Path(model.path).parent.name == "m-2"
    assert (own / "letter.part").read_text() == "Dear Sir"


def test_one_content_is_copied_once_at_a_time(library: Library, tmp_path: Path) -> None:
    one, other = (small_model(tmp_path / name / "m.gguf") for name in ("one", "other"))
    second = Library.open(tmp_path / "library.sqlite3", library.models_folder)
    failures: list[AppError] = []

    def copy_too(*_: int) -> None:
        with pytest.raises(BeingCopied) as raised:
            import_model(second, other, copy=True)
        failures.append(raised.value)

    copied = import_model(library, one, copy=True, work=Work(on_progress=copy_too))
    assert copied.outcome == "copied"
    assert str(other) in str(failures[0])
    assert import_model(second, other, copy=True) == (copied.model, "already_there")
    assert everything_below(library.models_folder) == ["m", "m/m.gguf"]
    assert not list(tmp_path.glob(".copying*"))
    second.close()


def test_what_was_replaced_and_is_imported_again_can_be_used(library: Library, tmp_path: Path) -> None:
    path = small_model(tmp_path / "m.gguf", name="A long name of the first one")
    import_model(library, path)
    small_model(path)
    assert library.entry("m").condition == "truncated"
    model, outcome = import_model(library, path)
    assert (outcome, model.condition) == ("already_there", "ready")
    assert library.find("m") == model


def test_a_copy_that_is_finished_while_another_looks_at_it_stays(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = library.models_folder / "same"
    part = small_model(folder / "same.gguf.part")
    (folder / ".copying").touch()

    def hold_what_is_finished_now(path: Path) -> int | None:
        if path.parent == folder and part.exists():
            part.rename(folder / "same.gguf")
            path.unlink()
        return try_hold(path)

    monkeypatch.setattr(importing, "try_hold", hold_what_is_finished_now)
    import_model(library, small_model(tmp_path / "same.gguf", fill=1), copy=True)
    assert everything_below(library.models_folder) == ["same", "same-2", "same-2/same.gguf", "same/same.gguf"]


def test_a_copy_that_gives_up_while_another_looks_at_it_is_no_hindrance(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = library.models_folder / "same"
    folder.mkdir(parents=True)
    (folder / ".copying").touch()

    def hold_what_is_gone_now(path: Path) -> int | None:
        if path.parent == folder and path.exists():
            path.unlink()
            folder.rmdir()
        return try_hold(path)

    monkeypatch.setattr(importing, "try_hold", hold_what_is_gone_now)
    assert import_model(library, small_model(tmp_path / "same.gguf"), copy=True).outcome == "copied"
    assert everything_below(library.models_folder) == ["same", "same/same.gguf"]


def test_two_copies_at_once_take_two_folders(library: Library, tmp_path: Path) -> None:
    paths = [small_model(tmp_path / str(number) / "same.gguf", fill=number) for number in range(4)]
    outcomes: list[str] = []
    threads = [
        threading.Thread(target=lambda each=each: outcomes.append(import_model(library, each, copy=True).model.path))
        for each in paths
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(outcomes)) == 4
    assert {Path(path).read_bytes() for path in outcomes} == {path.read_bytes() for path in paths}
    assert len(ids(library)) == 4
