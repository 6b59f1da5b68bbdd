"""What is on this disk: it is listed, found, removed, and says so when its file is gone."""

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from desktop.catalog.file_names import UnsafeName
from desktop.catalog.hub import HubFile
from desktop.database import open_database
from desktop.errors import FileUnreadable
from desktop.gguf.errors import NotAGguf
from desktop.library.errors import (
    ModelFileDamaged,
    ModelFileGone,
    ModelFileTruncated,
    UnknownModel,
    UnnameableFile,
)
from desktop.library.importing import import_model
from desktop.library.library import Library
from desktop.library.migrations import MIGRATIONS
from desktop.library.stores.place import Place
from desktop.library.types import InstalledModel, WantedModel
from tests.support.catalogs import tiny_catalog
from tests.support.model_files import small_model, truncated_model


def install(library: Library, *, quantization: str = "Q4_K_M", file: str = "") -> InstalledModel:
    path = small_model(library.destination(repo="owner/tiny-GGUF", file=file or f"tiny-{quantization}.gguf"))
    return library.register(path=path, model_id="tiny-1b", quantization=quantization, name="Tiny 1B")


def test_the_starter_is_there_from_the_beginning(library: Library) -> None:
    (starter,) = library.installed()
    assert starter.bundled
    assert library.find("smollm2-135m") == library.find("smollm2-135m:q4_1") == starter


def test_what_was_registered_is_there_after_a_restart(library: Library, tmp_path: Path) -> None:
    model = install(library)
    library.close()
    again = Library.open(tmp_path / "library.sqlite3", tmp_path / "models")
    assert model in again.installed()
    assert again.find("tiny-1b:Q4_K_M") == again.find("tiny-1b") == again.find(model.path) == model
    again.close()


def test_the_same_model_registered_again_is_one_model(library: Library) -> None:
    install(library)
    install(library)
    assert len(library.installed()) == 2


def test_a_model_whose_file_is_gone_says_so(library: Library) -> None:
    model = install(library)
    Path(model.path).unlink()
    assert [each.missing for each in library.installed() if not each.bundled] == [True]
    with pytest.raises(ModelFileGone) as raised:
        library.find("tiny-1b")
    assert model.path in raised.value.explain().message
    resolved = library.resolve("tiny-1b:Q4_K_M", tiny_catalog())
    assert isinstance(resolved, WantedModel), "it can be had again"


def test_an_unknown_name_is_answered_with_the_nearest(library: Library) -> None:
    for reference in ("smollm2-135", "smollm2-135m:Q8_0", "", "a\0b", "x" * 5000):
        with pytest.raises(UnknownModel) as raised:
            library.find(reference)
        assert len(raised.value.explain().message) < 300
    with pytest.raises(UnknownModel) as raised:
        library.resolve("tiny-2b", tiny_catalog())
    assert "tiny-1b" in raised.value.explain().hint


def test_an_imported_file_is_among_the_nearest_names(library: Library, tmp_path: Path) -> None:
    model = import_model(library, small_model(tmp_path / "My-Own-Model.gguf")).model
    for ask in (library.find, lambda name: library.resolve(name, tiny_catalog())):
        with pytest.raises(UnknownModel) as raised:
            ask("my-own-modle")
        assert f"Did you mean {model.id}?" in raised.value.explain().hint


def test_what_is_not_installed_is_to_be_had(library: Library) -> None:
    catalog = tiny_catalog()
    wanted = library.resolve("tiny-1b:Q8_0", catalog)
    assert isinstance(wanted, WantedModel)
    assert wanted.file == "tiny-Q8_0.gguf"
    assert isinstance(library.resolve("someone/else:Q4_0", catalog), WantedModel)
    model = install(library, quantization="Q8_0")
    assert library.resolve("tiny-1b:Q8_0", catalog) == model


def test_a_path_is_used_in_place_and_named_by_its_header(library: Library, starter_model: Path, tmp_path: Path) -> None:
    copy = tmp_path / "my model.gguf"
    shutil.copyfile(starter_model, copy)
    model = library.find(str(copy))
    assert (model.id, model.path, model.quantization) == (str(copy), str(copy), "")
    assert model.name
    assert model not in library.installed()


def test_a_path_that_is_no_model_is_refused(library: Library, tmp_path: Path) -> None:
    text = tmp_path / "letter.gguf"
    text.write_text("Dear Sir, this is a letter and not a model at all.")
    with pytest.raises(NotAGguf):
        library.find(str(text))
    for nothing in (tmp_path / "none.gguf", "none.gguf", "~nobody-here/x.gguf", tmp_path):
        with pytest.raises(FileUnreadable):
            library.find(str(nothing))


def test_a_link_that_leads_out_of_the_models_folder_is_refused(library: Library, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    library.models_folder.mkdir()
    (library.models_folder / "owner").symlink_to(elsewhere)
    with pytest.raises(UnsafeName):
        library.destination(repo="owner/tiny-GGUF", file="x.gguf")
    for repo, file in (("owner/..", "x.gguf"), ("good/repo", "../../x.gguf")):
        with pytest.raises(UnsafeName):
            library.destination(repo=repo, file=file)


def test_registering_a_file_that_is_not_there_is_refused(library: Library, tmp_path: Path) -> None:
    with pytest.raises(FileUnreadable):
        library.register(path=tmp_path / "none.gguf", model_id="x", quantization="")


def test_a_file_whose_header_is_wrong_is_listed_as_that(library: Library, tmp_path: Path) -> None:
    letter = tmp_path / "letter.gguf"
    letter.write_text("Dear Sir, this is a letter and not a model at all.")
    for path, condition in ((truncated_model(tmp_path / "short.gguf"), "truncated"), (letter, "damaged")):
        model = library.register(path=path, model_id=path.stem, quantization="")
        assert model.condition == library.entry(path.stem).condition == condition
        with pytest.raises((ModelFileTruncated, ModelFileDamaged)):
            library.find(path.stem)


def test_a_file_that_was_replaced_is_looked_at_again(library: Library, place: Place, tmp_path: Path) -> None:
    path = small_model(tmp_path / "m.gguf", name="A long name of the first one")
    library.add(InstalledModel(id="m", model_id="", name="M", quantization="", path=str(path), size=0, source="folder"))
    for write, before, after in (
        (small_model, "truncated", "ready"),  # whole, but smaller than the one before
        (truncated_model, "truncated", "truncated"),
        (small_model, "changed", "ready"),
    ):
        write(path)
        assert library.entry("m").condition == before
        library.scan(place=place)
        assert library.entry("m").condition == after


def test_a_scan_passes_over_a_model_that_cannot_be_looked_at_again(
    library: Library, place: Place, tmp_path: Path
) -> None:
    path = small_model(tmp_path / "m.gguf")
    library.add(InstalledModel(id="m", model_id="", name="M", quantization="", path=str(path), size=0, source="folder"))
    path.unlink()
    path.symlink_to("/proc/self/mem")
    assert library.entry("m").condition == "truncated"
    library.scan(place=place)
    assert library.entry("m").condition == "truncated"


def test_of_several_the_one_that_can_be_used_is_taken(library: Library) -> None:
    here = install(library, quantization="Q4_K_M")
    broken = install(library, quantization="Q8_0")
    truncated_model(Path(broken.path))
    assert library.find("tiny-1b") == here


@pytest.mark.parametrize("copy", [False, True])
def test_a_slow_disk_keeps_nobody_from_writing(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, copy: bool
) -> None:
    other = open_database(tmp_path / "library.sqlite3", name="library", migrations=MIGRATIONS, patience=0.05)
    for number in range(3):
        install(library, quantization=f"Q{number}_0")
    path = small_model(tmp_path / "m.gguf", fill=1)

    def while_others_write(look: Callable[..., Any]) -> Callable[..., Any]:
        def slow(*arguments: Any, **more: Any) -> Any:
            other.execute("INSERT OR REPLACE INTO hidden VALUES ('written meanwhile')")
            return look(*arguments, **more)

        return slow

    with monkeypatch.context() as patched:
        for name in ("stat", "mkdir", "open", "scandir"):
            patched.setattr(os, name, while_others_write(getattr(os, name)))
        assert import_model(library, path, copy=copy).outcome == ("copied" if copy else "added")
    other.close()


@pytest.mark.skipif(sys.platform != "linux", reason="names are text elsewhere")
def test_a_file_whose_name_is_no_text_is_refused_with_advice(library: Library, tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"\xff.gguf")
    path.write_bytes(b"GGUF")
    with pytest.raises(UnnameableFile) as caught:
        library.find(str(path))
    assert "Rename" in caught.value.explain().hint
    assert str(caught.value).encode()


def test_a_library_of_an_older_version_is_brought_up_to_date(home: Path, tmp_path: Path) -> None:
    folder, path = tmp_path / "older", small_model(tmp_path / "older" / "models" / "owner" / "r" / "tiny-Q8_0.gguf")
    database = open_database(folder / "library.sqlite3", name="library", migrations=MIGRATIONS[:1])
    row = ("tiny-1b:Q8_0", "tiny-1b", "Tiny 1B", "Q8_0", str(path), path.stat().st_size, 1.0, "MIT", "", "", "", "")
    database.execute("INSERT INTO models VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
    database.close()
    library = Library.open(folder / "library.sqlite3", folder / "models")
    model = library.find("tiny-1b")
    assert (model.name, model.source, model.condition, model.architecture) == ("Tiny 1B", "snug", "ready", "")
    library.scan(place=Place(home, {}, "linux"))
    assert library.find("tiny-1b").architecture == "llama"
    os.utime(path, ns=(1, 10**18))
    assert library.entry("tiny-1b").condition == "changed", "its time is known now"
    library.close()


def test_another_file_of_the_same_quantization_is_another_model(library: Library) -> None:
    repo = "owner/several-GGUF"
    path = small_model(library.destination(repo=repo, file="a-Q6_K.gguf"))
    source = HubFile(repo=repo, file="a-Q6_K.gguf", revision="c" * 40, size=1, sha256="0" * 64, url="")
    here = library.register(path=path, model_id=repo, quantization="Q6_K", files=(source,))
    catalog = tiny_catalog()
    assert library.resolve(f"{repo}/a-Q6_K.gguf", catalog) == here
    assert isinstance(library.resolve(f"{repo}/b-Q6_K.gguf", catalog), WantedModel)
    assert library.resolve(f"{repo}:Q6_K", catalog) == here
