"""A name means the model it is spelled like; a path means the file that lies there, however it is spelled."""

import os
from pathlib import Path

import msgspec
import pytest

from desktop.errors import FileUnreadable
from desktop.library.errors import SeveralModels
from desktop.library.importing import import_model
from desktop.library.library import Library
from desktop.library.removal import remove_model
from desktop.library.stores.place import Place
from desktop.library.types import InstalledModel
from desktop.library.verification import ContentWrong, verify_model
from tests.support.model_files import small_model, split_model


def listed(library: Library) -> dict[str, str]:
    return {model.path: model.id for model in library.installed() if not model.bundled}


def download(library: Library, repo: str, file: str, quantization: str, *, fill: int = 0) -> InstalledModel:
    path = small_model(library.models_folder / repo / file, fill=fill)
    return library.register(path=path, model_id=repo, quantization=quantization)


def tells_case_apart(folder: Path) -> bool:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "case").touch()
    return not (folder / "CASE").exists()


@pytest.fixture
def two_spellings(library: Library, place: Place) -> tuple[Path, Path]:
    """Two models whose repositories differ in case only, both found."""
    if not tells_case_apart(library.models_folder):
        pytest.skip("a file system on which both are one file")
    large = small_model(library.models_folder / "Owner" / "Repo" / "a-Q4_0.gguf", fill=1)
    small = small_model(library.models_folder / "owner" / "repo" / "a-Q4_0.gguf", fill=2)
    library.scan(place=place)
    return large, small


def test_two_ids_never_differ_in_case_only(library: Library, two_spellings: tuple[Path, Path]) -> None:
    large, small = two_spellings
    assert listed(library) == {str(large): "Owner/Repo:Q4_0", str(small): str(small)}


def test_a_path_that_is_an_id_is_not_compared_without_case(library: Library, tmp_path: Path) -> None:
    if not tells_case_apart(tmp_path):
        pytest.skip("a file system on which both are one file")
    first, second = (small_model(tmp_path / name / "m.gguf", fill=number) for number, name in enumerate("ab"))
    import_model(library, first)
    assert import_model(library, second).model.id == str(second)
    with pytest.raises(FileUnreadable):
        library.entry(str(second.with_name("M.gguf")))


def test_of_two_spellings_the_named_one_is_removed(library: Library, two_spellings: tuple[Path, Path]) -> None:
    large, small = two_spellings
    with pytest.raises(SeveralModels) as raised:
        library.entry("owner/repo:Q4_0", alone=True)
    assert f"{small}, Owner/Repo:Q4_0" in raised.value.explain().message
    remove_model(library, library.entry("Owner/Repo:Q4_0", alone=True), permanently=True)
    assert (large.exists(), small.exists()) == (False, True)


def test_a_file_that_is_called_by_its_path_has_its_name_all_the_same(library: Library, tmp_path: Path) -> None:
    large = import_model(library, small_model(tmp_path / "1" / "Foo.gguf", fill=1)).model
    small = import_model(library, small_model(tmp_path / "2" / "foo.gguf", fill=2)).model
    assert (large.id, small.id) == ("Foo", small.path)
    with pytest.raises(SeveralModels):
        library.entry("foo", alone=True)
    assert library.entry("Foo", alone=True) == large
    assert library.entry(small.path, alone=True) == small


def test_the_id_that_is_spelled_so_comes_first(library: Library, tmp_path: Path) -> None:
    """An older version gave both ids."""
    for number, name in enumerate(("Foo", "foo")):
        model = import_model(library, small_model(tmp_path / str(number) / f"{name}.gguf", fill=number)).model
        library.database.execute("UPDATE models SET id = ? WHERE path = ?", (name, model.path))
    assert [Path(library.entry(name, alone=True).path).stem for name in ("foo", "Foo")] == ["foo", "Foo"]
    assert [Path(library.find(name).path).stem for name in ("foo", "Foo")] == ["foo", "Foo"]
    with pytest.raises(SeveralModels) as raised:
        library.entry("FOO", alone=True)
    assert "Foo, foo" in raised.value.explain().message


def test_a_download_that_differs_in_case_takes_the_place_of_the_other(library: Library) -> None:
    download(library, "Owner/Repo", "a-Q4_0.gguf", "Q4_0")
    model = download(library, "owner/repo", "a-Q4_0.gguf", "Q4_0")
    assert listed(library) == {model.path: "owner/repo:Q4_0"}


def test_what_is_found_is_not_called_like_a_download_in_another_case(library: Library, place: Place) -> None:
    download(library, "Owner/Repo", "a-Q4_0.gguf", "Q4_0")
    found = small_model(place.home / ".lmstudio" / "models" / "owner" / "repo" / "a-Q4_0.gguf", fill=1)
    library.scan(place=place)
    assert listed(library)[str(found)] == str(found)


def test_a_name_of_several_removes_none_of_them(library: Library) -> None:
    models = [download(library, "owner/m", f"m-{name}.gguf", name) for name in ("Q4_K_M", "Q8_0")]
    with pytest.raises(SeveralModels) as raised:
        library.entry("owner/m", alone=True)
    message, hint = raised.value.explain()
    assert "owner/m:Q4_K_M, owner/m:Q8_0" in message
    assert "Nothing was removed" in hint
    assert library.find("owner/m") == models[1], "to chat with, the newest will do"
    assert library.entry("owner/M:q8_0", alone=True) == models[1]
    remove_model(library, models[1], permanently=True)
    assert library.entry("owner/m", alone=True) == models[0]


@pytest.fixture
def damaged(library: Library) -> InstalledModel:
    """A download of which a byte is another one, though size and time are as they were."""
    path = small_model(library.destination(repo="owner/m", file="m-Q8_0.gguf"))
    model = library.register(path=path, model_id="owner/m", quantization="Q8_0")
    return library.save(msgspec.structs.replace(model, sha256="0" * 64))


def spellings(model: InstalledModel, tmp_path: Path) -> list[str]:
    path = Path(model.path)
    (tmp_path / "link").symlink_to(path.parent)
    (tmp_path / "link.gguf").symlink_to(path)
    os.link(path, tmp_path / "hard.gguf")
    dots = f"{path.parent}/../m/{path.name}"
    return [
        dots,
        f"{tmp_path}/link/{path.name}",
        f"{tmp_path}/link/../m/{path.name}",
        *map(str, tmp_path.glob("*.gguf")),
    ]


def test_damage_is_found_however_the_path_is_spelled(library: Library, damaged: InstalledModel, tmp_path: Path) -> None:
    for spelled in spellings(damaged, tmp_path):
        with pytest.raises(ContentWrong):
            verify_model(library, library.entry(spelled))


def test_a_file_is_removed_with_its_entry_however_the_path_is_spelled(library: Library, tmp_path: Path) -> None:
    model = download(library, "owner/m", "m-Q8_0.gguf", "Q8_0")
    for spelled in spellings(model, tmp_path):
        assert library.entry(spelled, alone=True) == model
    remove_model(library, library.entry(f"{Path(model.path).parent}/../m/m-Q8_0.gguf"), permanently=True)
    assert listed(library) == {}


def test_any_shard_means_the_whole_model(library: Library) -> None:
    shards = split_model(library.models_folder / "owner" / "large-GGUF")
    model = library.register(path=shards[0], model_id="large", quantization="Q8_0")
    assert [library.entry(str(shard)) for shard in shards] == [model] * 3


def test_two_dots_after_a_link_lead_where_the_system_goes(library: Library, tmp_path: Path) -> None:
    small_model(tmp_path / "near" / "m.gguf", name="Near")
    small_model(tmp_path / "far" / "m.gguf", name="Far")
    (tmp_path / "far" / "deep").mkdir()
    (tmp_path / "near" / "link").symlink_to(tmp_path / "far" / "deep")
    model = import_model(library, tmp_path / "near" / "link" / ".." / "m.gguf").model
    assert (model.name, model.path) == ("Far", str(tmp_path / "far" / "m.gguf"))


def test_a_path_is_kept_without_dots_and_with_its_links(library: Library, tmp_path: Path) -> None:
    (tmp_path / "real" / "sub").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    small_model(tmp_path / "real" / "m.gguf")
    model = import_model(library, tmp_path / "link" / "sub" / ".." / "m.gguf").model
    assert model.path == str(tmp_path / "link" / "m.gguf")
