"""A scan finds what is a model, reads only what changed, and ends whatever the folders look like."""

import os
import threading
from pathlib import Path

import pytest

from desktop.library.errors import (
    ModelFileChanged,
    ModelFileDamaged,
    ModelFileGone,
    ModelFileIsFolder,
    ModelFileTruncated,
)
from desktop.library.library import Library
from desktop.library.removal import remove_model
from desktop.library.scan import ScanProgress, ScanReport
from desktop.library.stores.place import Place
from desktop.library.types import InstalledModel
from desktop.library.walk import Bounds, Walk
from desktop.library.work import Stopped, Work
from tests.support.model_files import projector, small_model, split_model, truncated_model


def found(library: Library) -> dict[str, InstalledModel]:
    return {model.id: model for model in library.installed() if not model.bundled}


def add(library: Library, folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    library.found.add_folder(folder)
    return folder


def test_a_folder_is_read_in_place_with_what_headers_say(library: Library, place: Place, tmp_path: Path) -> None:
    folder = add(library, tmp_path / "mine")
    path = small_model(folder / "deep" / "Nice-Q4_K_M.gguf", name="Nice Model")
    report = library.scan(place=place)
    assert (report.models, report.new, report.read, report.problems) == (1, 1, 1, ())
    model = found(library)["Nice-Q4_K_M"]
    assert (model.name, model.quantization, model.architecture) == ("Nice Model", "Q4_K_M", "llama")
    assert (model.context, model.licence, model.source) == (4096, "apache-2.0", "folder")
    assert (model.path, model.size, model.condition) == (str(path), path.stat().st_size, "ready")
    assert not model.ours_to_remove
    assert library.find("nice-q4_k_m") == library.find(str(path)) == model


def test_only_what_changed_is_read_again(library: Library, place: Place, tmp_path: Path) -> None:
    folder = add(library, tmp_path / "mine")
    paths = [small_model(folder / f"m{number}.gguf", fill=number) for number in range(5)]
    assert library.scan(place=place).read == 5
    assert library.scan(place=place) == ScanReport(models=5, new=0, changed=0, gone=0, read=0)
    small_model(paths[2], name="Renewed")
    os.utime(paths[2], ns=(1, 10**18))
    paths[3].unlink()
    report = library.scan(place=place)
    assert (report.read, report.changed, report.new, report.gone) == (1, 1, 0, 1)
    assert found(library)["m2"].name == "Renewed"
    assert "m3" not in found(library)


def test_what_is_no_model_to_chat_with_is_not_listed(library: Library, place: Place, tmp_path: Path) -> None:
    folder = add(library, tmp_path / "mine")
    projector(folder / "mmproj-nice-f16.gguf")
    small_model(folder / "adapter.gguf", general__type="adapter")
    small_model(folder / "half.gguf.part")
    small_model(folder / ".hidden.gguf")
    (folder / "letter.gguf").write_text("Dear Sir, this is no model.")
    report = library.scan(place=place)
    assert found(library) == {}
    assert report.models == 0
    (problem,) = report.problems
    assert "letter.gguf" in problem.render()


def test_a_split_model_is_one(library: Library, place: Place, tmp_path: Path) -> None:
    folder = add(library, tmp_path / "mine")
    shards = split_model(folder)
    library.scan(place=place)
    (model,) = found(library).values()
    assert model.path == str(shards[0])
    assert model.size == sum(shard.stat().st_size for shard in shards)


def test_the_models_folder_is_ours_and_names_the_repository(library: Library, place: Place) -> None:
    small_model(library.models_folder / "owner" / "tiny-GGUF" / "tiny-Q8_0.gguf")
    small_model(library.models_folder / "by-hand.gguf", fill=1)
    library.scan(place=place)
    models = found(library)
    assert set(models) == {"owner/tiny-GGUF:Q8_0", "by-hand"}
    assert all(model.ours_to_remove for model in models.values())
    assert library.find("owner/tiny-GGUF").repo == "owner/tiny-GGUF"


def test_what_was_downloaded_is_listed_once(library: Library, place: Place) -> None:
    path = small_model(library.destination(repo="owner/tiny-GGUF", file="tiny-Q8_0.gguf"))
    model = library.register(path=path, model_id="tiny-1b", quantization="Q8_0", name="Tiny 1B")
    assert (model.architecture, model.context) == ("llama", 4096)
    library.scan(place=place)
    assert list(found(library)) == ["tiny-1b:Q8_0"]


def test_two_files_of_one_name_both_have_one(library: Library, place: Place, tmp_path: Path) -> None:
    first = small_model(add(library, tmp_path / "a") / "same.gguf")
    second = small_model(add(library, tmp_path / "b") / "same.gguf", fill=1)
    library.scan(place=place)
    models = found(library)
    assert {model.path for model in models.values()} == {str(first), str(second)}
    assert "same" in models
    assert library.find(str(second)).path == str(second)


def test_a_model_keeps_its_name_when_its_file_changes(library: Library, place: Place, tmp_path: Path) -> None:
    first = small_model(add(library, tmp_path / "a") / "same.gguf")
    second = small_model(add(library, tmp_path / "b") / "same.gguf", fill=1)
    library.scan(place=place)
    first.unlink()
    os.utime(second, ns=(1, 10**18))
    library.scan(place=place)
    assert list(found(library)) == [str(second)]


def test_links_are_followed_but_never_round_in_circles(library: Library, place: Place, tmp_path: Path) -> None:
    folder = add(library, tmp_path / "mine")
    elsewhere = tmp_path / "elsewhere"
    small_model(elsewhere / "far.gguf")
    (folder / "link").symlink_to(elsewhere)
    (folder / "loop").symlink_to(folder)
    (elsewhere / "back").symlink_to(folder)
    (folder / "again.gguf").symlink_to(elsewhere / "far.gguf")
    (folder / "nowhere.gguf").symlink_to(tmp_path / "nothing")
    assert library.scan(place=place).models == 1
    assert len(found(library)) == 1


@pytest.mark.parametrize("target", ["above", "/"])
def test_a_link_to_what_is_above_is_not_followed_and_says_so(
    library: Library, place: Place, tmp_path: Path, target: str
) -> None:
    (tmp_path / "above").mkdir()
    folder = add(library, tmp_path / "above" / "mine")
    small_model(tmp_path / "above" / "not mine.gguf", fill=1)
    small_model(folder / "m.gguf")
    link = folder / "sub" / "link"
    link.parent.mkdir()
    link.symlink_to(tmp_path / target)
    for _ in range(2):
        report = library.scan(place=place)
        assert list(found(library)) == ["m"]
        (problem,) = report.problems
        assert str(link) in problem.render()
    (folder / "m.gguf").unlink()
    assert library.scan(place=place).gone == 1, "everything else was seen"


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="shows no processes in a folder")
def test_what_a_kernel_shows_of_its_processes_is_no_place_for_models() -> None:
    assert list(Walk(Bounds(depth=1)).files(Path("/proc"), suffix="status")) == []


def test_a_scan_is_bounded_and_then_forgets_nothing(library: Library, place: Place, tmp_path: Path) -> None:
    folder = add(library, tmp_path / "mine")
    for number in range(20):
        small_model(folder / f"m{number:02}.gguf", fill=number)
    small_model(folder / "a" / "b" / "c" / "deep.gguf", fill=99)
    library.scan(place=place)
    for bounds in (Bounds(entries=5), Bounds(depth=1), Bounds(seconds=0)):
        report = library.scan(place=place, bounds=bounds)
        assert len(found(library)) == 21
        assert "Not everything below" in report.problems[0].render()


def test_a_folder_that_cannot_be_looked_into_is_named_and_keeps_its_models(
    library: Library, place: Place, tmp_path: Path
) -> None:
    folder = add(library, tmp_path / "mine")
    locked = small_model(folder / "locked" / "kept.gguf", fill=1).parent
    small_model(folder / "m.gguf", fill=2)
    small_model(folder / "sub" / "n.gguf", fill=3)
    library.scan(place=place)

    class Locking(Work):
        """No folder can be locked against everybody; one that is a file by then cannot be looked into either."""

        def check(self) -> None:
            if locked.is_dir() and not (folder / "m.gguf").exists():
                locked.rename(tmp_path / "aside")
                locked.write_text("")

    (folder / "m.gguf").unlink()
    report = library.scan(place=place, work=Locking())
    (problem,) = report.problems
    assert problem.render() == f"The folder {locked} cannot be read: Not a directory"
    assert report.gone == 1, "what was looked for and not found is gone"
    assert set(found(library)) == {"kept", "n"}


def test_a_cancelled_scan_keeps_what_it_read(library: Library, place: Place, tmp_path: Path) -> None:
    folder = add(library, tmp_path / "mine")
    for number in range(50):
        small_model(folder / f"m{number:02}.gguf", fill=number)

    class StoppedLater(Work):
        """Somebody presses Cancel when ninety names were looked at."""

        looks = 0

        def check(self) -> None:
            self.looks += 1
            if self.looks > 90:
                raise Stopped

    with pytest.raises(Stopped):
        library.scan(place=place, work=StoppedLater())
    kept = len(found(library))
    assert 0 < kept < 50
    assert library.scan(place=place).new == 50 - kept


def test_a_folder_that_is_gone_says_so_once_and_keeps_its_models(
    library: Library, place: Place, tmp_path: Path
) -> None:
    folder = add(library, tmp_path / "disk")
    for number in range(3):
        small_model(folder / f"m{number}.gguf", fill=number)
    library.scan(place=place)
    folder.rename(tmp_path / "unplugged")
    report = library.scan(place=place)
    assert [problem.render() for problem in report.problems] == [
        f"The folder {folder} is not there. Connect its disk, or remove it from the list."
    ]
    assert {model.condition for model in found(library).values()} == {"gone"}
    (tmp_path / "unplugged").rename(folder)
    assert library.scan(place=place).read == 0
    assert {model.condition for model in found(library).values()} == {"ready"}


def test_a_folder_that_cannot_be_read_says_so(library: Library, place: Place, tmp_path: Path) -> None:
    folder = add(library, tmp_path / "mine")
    folder.rmdir()
    folder.write_text("a file now")
    (problem,) = library.scan(place=place).problems
    assert "cannot be read" in problem.render()


def test_a_removed_folder_takes_its_entries_and_leaves_its_files(
    library: Library, place: Place, tmp_path: Path
) -> None:
    folder = add(library, tmp_path / "mine")
    path = small_model(folder / "m.gguf")
    library.scan(place=place)
    library.found.remove_folder(folder)
    assert found(library) == {}
    assert path.exists()


def test_a_file_that_is_not_what_it_was_says_so_before_a_load(library: Library, place: Place, tmp_path: Path) -> None:
    folder = add(library, tmp_path / "mine")
    names = ("longer", "shorter", "touched", "folder", "broken")
    paths = {name: small_model(folder / f"{name}.gguf", fill=count) for count, name in enumerate(names)}
    truncated_model(folder / "always-short.gguf")
    paths["broken"].write_bytes(b"GGUF" + bytes([3, 0, 0, 0]) + b"\xff" * 2000)
    library.scan(place=place)
    with paths["longer"].open("ab") as file:
        file.write(bytes(10))
    os.truncate(paths["shorter"], 100)
    os.utime(paths["touched"], ns=(1, 10**18))
    paths["folder"].unlink()
    paths["folder"].mkdir()
    expected = {
        "longer": ("changed", ModelFileChanged),
        "shorter": ("truncated", ModelFileTruncated),
        "touched": ("changed", ModelFileChanged),
        "folder": ("folder", ModelFileIsFolder),
        "broken": ("damaged", ModelFileDamaged),
        "always-short": ("truncated", ModelFileTruncated),
    }
    models = found(library)
    assert {name: model.condition for name, model in models.items()} == {
        name: one for name, (one, _) in expected.items()
    }
    for name, (_, error) in expected.items():
        with pytest.raises(error) as raised:
            library.find(name)
        assert raised.value.explain().hint
        assert library.entry(name) == models[name]
    library.scan(place=place)
    assert found(library)["touched"].condition == found(library)["longer"].condition == "ready"


@pytest.mark.skipif(os.name == "nt", reason="has no pipes in folders")
def test_a_model_in_whose_place_a_pipe_is_is_gone(library: Library, place: Place, tmp_path: Path) -> None:
    path = small_model(add(library, tmp_path / "mine") / "tiny.gguf")
    library.scan(place=place)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(ModelFileGone):
        library.find("tiny")
    assert remove_model(library, library.entry("tiny")).outcome == "forgotten"


@pytest.mark.skipif(os.name == "nt", reason="such names cannot be there")
def test_names_from_outside_are_harmless(library: Library, place: Place, tmp_path: Path) -> None:
    folder = add(library, tmp_path / "mine")
    for number, name in enumerate(("C:\\x", "NUL", "a\nb\x1b[2J", "x..\\up", "~x", " x", "ünï")):
        small_model(folder / f"{name}.gguf", fill=number, name=name)
    (folder / os.fsdecode(b"\xff.gguf")).write_bytes(b"GGUF")
    report = library.scan(place=place)
    models = found(library)
    assert len(models) == 7
    assert "bytes that are no text" in report.problems[0].render()
    for model in models.values():
        assert library.find(model.id) == model
        assert Path(model.path).parent == folder
        assert model.id.isprintable()
        assert model.name.isprintable()


def test_two_scans_at_once_do_not_hurt_each_other(library: Library, place: Place, tmp_path: Path) -> None:
    folder = add(library, tmp_path / "mine")
    for number in range(40):
        small_model(folder / f"m{number:02}.gguf", fill=number)
    second = Library.open(tmp_path / "library.sqlite3", library.models_folder)
    reports: list[ScanReport] = []
    threads = [
        threading.Thread(target=lambda each=each: reports.append(each.scan(place=place)))
        for each in (library, second, library)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [report.models for report in reports] == [40, 40, 40]
    assert len(found(library)) == len(found(second)) == 40
    second.close()


def test_what_is_removed_while_a_scan_runs_does_not_come_back(library: Library, place: Place, tmp_path: Path) -> None:
    folder = add(library, tmp_path / "mine")
    small_model(folder / "a.gguf", fill=1)
    path = small_model(library.models_folder / "m.gguf")
    unwanted = add(library, tmp_path / "unwanted")
    small_model(unwanted / "u.gguf", fill=2)
    last = add(library, tmp_path / "last")

    def remove(progress: ScanProgress) -> None:
        if progress.folder == str(last) and path.exists():
            remove_model(library, library.entry(str(path)), permanently=True)
            library.found.remove_folder(unwanted)

    assert library.scan(place=place, on_progress=remove).models == 3
    assert list(found(library)) == ["a"]
