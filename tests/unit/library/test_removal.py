"""What is ours goes to the trash and comes back from it; of anything else only the entry goes."""

import shutil
from pathlib import Path

import pytest

from desktop.library.errors import NotOursToRemove, UnknownModel
from desktop.library.library import Library
from desktop.library.removal import remove_model
from desktop.library.stores.place import Place
from desktop.library.trash import NoTrash, PartlyInTrash, move_to_trash
from desktop.library.types import InstalledModel
from tests.support.model_files import small_model, split_model


def install(library: Library) -> InstalledModel:
    path = small_model(library.destination(repo="owner/tiny-GGUF", file="tiny-Q4_K_M.gguf"))
    return library.register(path=path, model_id="tiny-1b", quantization="Q4_K_M", name="Tiny 1B")


def names(library: Library) -> set[str]:
    return {model.id for model in library.installed() if not model.bundled}


def test_a_download_goes_to_the_trash_with_its_empty_folders(library: Library, trash: Path) -> None:
    model = install(library)
    content = Path(model.path).read_bytes()
    removed = remove_model(library, model)
    assert (removed.outcome, removed.paths) == ("trashed", (model.path,))
    assert (trash / "files" / "tiny-Q4_K_M.gguf").read_bytes() == content
    assert (trash / "info" / "tiny-Q4_K_M.gguf.trashinfo").exists()
    assert not (library.models_folder / "owner").exists()
    assert names(library) == set()


def test_every_part_of_a_split_model_goes(library: Library, trash: Path) -> None:
    shards = split_model(library.models_folder / "owner" / "large-GGUF")
    model = library.register(path=shards[0], model_id="large", quantization="Q8_0")
    assert model.size == sum(shard.stat().st_size for shard in shards)
    assert len(remove_model(library, model).paths) == 3
    assert len(list((trash / "files").iterdir())) == 3


def test_without_a_trash_nothing_is_removed_until_it_is_wanted_for_good(library: Library, trash: Path) -> None:
    trash.write_text("in the way")
    model = install(library)
    with pytest.raises(NoTrash) as raised:
        remove_model(library, model)
    assert "Nothing was removed" in raised.value.explain().hint
    assert Path(model.path).is_file()
    assert names(library) == {model.id}
    assert remove_model(library, model, permanently=True).outcome == "deleted"
    assert not Path(model.path).exists()
    assert names(library) == set()


def test_what_came_with_the_set_up_stays(library: Library) -> None:
    with pytest.raises(NotOursToRemove):
        remove_model(library, library.installed()[0])


def test_a_file_of_the_person_is_only_hidden_and_can_be_named_again(
    library: Library, place: Place, trash: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "mine"
    path = small_model(folder / "m.gguf")
    library.found.add_folder(folder)
    library.scan(place=place)
    assert remove_model(library, library.find("m")).outcome == "hidden"
    library.scan(place=place)
    assert names(library) == set()
    with pytest.raises(UnknownModel):
        library.find("m")
    assert library.find(str(path)).name == "Tiny"
    assert path.exists()
    assert not trash.exists()


def test_a_link_in_the_models_folder_is_not_ours(library: Library, place: Place, trash: Path, tmp_path: Path) -> None:
    outside = small_model(tmp_path / "elsewhere" / "m.gguf")
    library.models_folder.mkdir()
    (library.models_folder / "linked").symlink_to(outside.parent)
    library.scan(place=place)
    assert remove_model(library, library.find("m")).outcome == "hidden"
    assert outside.exists()
    assert not trash.exists()


def test_of_a_linked_file_only_the_link_goes(library: Library, place: Place, trash: Path, tmp_path: Path) -> None:
    outside = small_model(tmp_path / "elsewhere" / "m.gguf")
    library.models_folder.mkdir()
    (library.models_folder / "m.gguf").symlink_to(outside)
    library.scan(place=place)
    assert remove_model(library, library.find("m")).outcome == "trashed"
    assert outside.is_file()
    assert (trash / "files" / "m.gguf").is_symlink()


def test_a_model_that_is_gone_is_forgotten_and_comes_back_with_its_file(library: Library, place: Place) -> None:
    model = install(library)
    aside = library.models_folder.with_name("aside")
    shutil.move(library.models_folder, aside)
    gone = library.entry(model.id)
    assert gone.missing
    assert remove_model(library, gone).outcome == "forgotten"
    assert names(library) == set()
    shutil.move(aside, library.models_folder)
    library.scan(place=place)
    assert names(library) == {"owner/tiny-GGUF:Q4_K_M"}


def test_two_files_of_one_name_both_fit_into_the_trash(trash: Path, tmp_path: Path) -> None:
    for folder in ("a", "b"):
        move_to_trash([small_model(tmp_path / folder / "m.gguf")])
    assert len(list((trash / "files").iterdir())) == 2


def test_a_file_that_is_gone_since_it_was_listed_is_only_taken_off_the_list(library: Library, trash: Path) -> None:
    model = install(library)
    Path(model.path).unlink()
    assert remove_model(library, model).outcome == "forgotten"
    assert names(library) == set()
    assert not trash.exists()


def test_of_a_split_model_what_is_left_goes(library: Library, trash: Path) -> None:
    shards = split_model(library.models_folder / "owner" / "large-GGUF")
    model = library.register(path=shards[0], model_id="large", quantization="Q8_0")
    shards[1].unlink()
    left = library.entry(model.id)
    assert left.missing
    assert remove_model(library, left).paths == (str(shards[0]), str(shards[2]))
    assert not any(shard.exists() for shard in shards)
    assert len(list((trash / "files").iterdir())) == 2


def test_what_cannot_be_moved_is_told_before_anything_is(library: Library, trash: Path) -> None:
    shards = split_model(library.models_folder / "owner" / "large-GGUF")
    model = library.register(path=shards[0], model_id="large", quantization="Q8_0")
    shards[0].unlink()
    shards[0].symlink_to("nowhere")
    with pytest.raises(NoTrash) as raised:
        remove_model(library, model)
    assert "Nothing was removed" in raised.value.explain().hint
    assert shards[1].is_file()
    assert shards[2].is_file()
    assert not trash.exists()


def test_a_trash_that_fails_half_way_says_what_is_in_it(library: Library, trash: Path) -> None:
    longest = 255 - len(".trashinfo") - len("-00001-of-00003.gguf")
    shards = split_model(library.models_folder / "owner" / "large-GGUF", stem="x" * longest)
    model = library.register(path=shards[0], model_id="large", quantization="Q8_0")
    (trash / "files").mkdir(parents=True)
    (trash / "files" / shards[0].name).write_text("of this name there is one, and no room for a longer one")
    with pytest.raises(PartlyInTrash) as raised:
        remove_model(library, model)
    message, hint = raised.value.explain()
    assert str(shards[0]) in message
    assert f"{shards[2].name}, {shards[1].name}" in hint
    assert "Nothing was removed" not in hint
    assert [shard.exists() for shard in shards] == [True, False, False]
    left = library.entry(model.id)
    assert left.condition == "gone"
    assert remove_model(library, left, permanently=True).paths == (str(shards[0]),)
    assert names(library) == set()


def test_a_folder_in_the_place_of_a_file_stays(library: Library, trash: Path) -> None:
    model = install(library)
    path = Path(model.path)
    path.unlink()
    path.mkdir()
    assert remove_model(library, model).outcome == "forgotten"
    assert path.is_dir()
    assert not trash.exists()


def test_two_entries_of_one_file_go_together(library: Library, trash: Path) -> None:
    model = install(library)
    library.register(path=Path(model.path), model_id="owner/tiny-GGUF", quantization="Q4_K_M")
    remove_model(library, model)
    assert names(library) == set()
    assert len(list((trash / "files").iterdir())) == 1
