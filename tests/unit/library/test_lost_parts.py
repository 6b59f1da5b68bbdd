"""A split model that loses a part stays in the list, which names the part; and what leads elsewhere on Windows."""

import stat
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from desktop.library.condition import check_there
from desktop.library.errors import ModelFileGone
from desktop.library.library import Library
from desktop.library.stores.place import Place
from desktop.library.types import InstalledModel
from desktop.library.walk import is_junction
from tests.support.model_files import split_model


def found(library: Library) -> list[InstalledModel]:
    return [model for model in library.installed() if not model.bundled]


@pytest.fixture(params=["folder", "lm-studio", "snug"])
def shards(request: pytest.FixtureRequest, library: Library, home: Path, tmp_path: Path) -> list[Path]:
    """The parts of a model that a scan has found."""
    place: Path = {
        "folder": tmp_path / "mine",
        "lm-studio": home / ".lmstudio" / "models" / "owner" / "large-GGUF",
        "snug": library.models_folder / "owner" / "large-GGUF",
    }[request.param]
    if request.param == "folder":
        place.mkdir()
        library.found.add_folder(place)
    return split_model(place)


@pytest.mark.parametrize("lost", [0, 1, 2])
def test_a_split_model_that_loses_a_part_stays_in_the_list_and_the_part_is_named(
    library: Library, place: Place, shards: list[Path], lost: int
) -> None:
    assert library.scan(place=place).models == 1
    [whole] = found(library)
    assert (whole.condition, whole.absent) == ("ready", "")
    aside = shards[lost].rename(shards[lost].with_suffix(".aside"))
    for _ in range(2):
        report = library.scan(place=place)
        assert (report.models, report.gone) == (1, 0)
        [model] = found(library)
        assert (model.id, model.condition, model.absent) == (whole.id, "gone", str(shards[lost]))
        told = [problem.render() for problem in report.problems]
        ours = model.source != "lm-studio"  # what is wrong with another program's models is told of those alone
        assert told == [f"{shards[0]} cannot be loaded any more: its part {shards[lost].name} is missing."] * ours
    with pytest.raises(ModelFileGone, match=shards[lost].name):
        library.find(model.id)
    with pytest.raises(ModelFileGone, match=shards[lost].name):
        check_there(model)
    aside.rename(shards[lost])
    assert library.scan(place=place).read == 0
    assert found(library) == [whole]


def test_a_split_model_of_which_nothing_is_left_is_dropped(library: Library, place: Place, shards: list[Path]) -> None:
    library.scan(place=place)
    for shard in shards:
        shard.unlink()
    assert library.scan(place=place).gone == 1
    assert found(library) == []


def test_one_that_never_was_whole_is_no_model_and_its_part_is_named(
    library: Library, place: Place, tmp_path: Path
) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    library.found.add_folder(folder)
    first, second, _ = split_model(folder)
    second.unlink()
    report = library.scan(place=place)
    assert [problem.render() for problem in report.problems] == [
        f"{first} was left out: its part {second.name} is missing."
    ]
    assert (report.models, found(library)) == (0, [])


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ({"st_mode": stat.S_IFDIR, "st_file_attributes": 0x410, "st_reparse_tag": 0xA0000003}, True),
        ({"st_mode": stat.S_IFDIR, "st_file_attributes": 0x410, "st_reparse_tag": 0x9000001A}, False),  # OneDrive
        ({"st_mode": stat.S_IFDIR, "st_file_attributes": 0x010, "st_reparse_tag": 0}, False),
        ({"st_mode": stat.S_IFLNK, "st_file_attributes": 0x410, "st_reparse_tag": 0xA000000C}, False),  # a link
        ({"st_mode": stat.S_IFDIR}, False),  # of another system
    ],
)
def test_a_junction_of_windows_is_known_by_what_the_system_says_of_it(status: dict[str, int], expected: bool) -> None:
    """Imitated: these values are what Windows documents, not what was seen there."""
    imitated: Any = SimpleNamespace(**status)
    assert is_junction(imitated) is expected
