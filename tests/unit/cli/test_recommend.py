"""`snug recommend`."""

import argparse
import asyncio
import json
from dataclasses import dataclass, field
from itertools import pairwise

import pytest

from desktop.actions import survey as looking
from desktop.catalog.types import Catalog
from desktop.cli import recommend as verb
from desktop.errors import WrongUsage
from desktop.hardware.types import HardwareProfile
from desktop.paths import user_paths
from desktop.services import Surveys
from desktop.settings_store import SettingsStore
from tests.unit.fit.builders import GIB, catalog, machine, model


class _Library:
    def installed(self) -> tuple[()]:
        return ()


@dataclass
class _Services:
    catalog: Catalog
    library: _Library = field(default_factory=_Library)
    settings: SettingsStore = field(default_factory=lambda: SettingsStore.open(user_paths().settings_file))
    surveys: Surveys = field(default_factory=Surveys)


@dataclass
class _Survey:
    profile: HardwareProfile
    failure: None = None


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with four cores, 16 GiB and no card; the real one is the outermost edge."""

    async def survey(_services: object) -> _Survey:
        return _Survey(machine())

    monkeypatch.setattr(looking, "survey", survey)


def _run(*words: str) -> int:
    parser = argparse.ArgumentParser()
    verb.add_parser(parser.add_subparsers())
    arguments = parser.parse_args(["recommend", *words])
    models = catalog(model("small", billions=1), model("middle", billions=8), model("large", billions=70))
    code: int = asyncio.run(arguments.run(arguments, _Services(models)))
    return code


@pytest.mark.parametrize(
    ("text", "size"),
    [("16GB", 16 * GIB), ("16GiB", 16 * GIB), ("16g", 16 * GIB), ("1.5 GB", 3 * GIB // 2), ("512MB", GIB // 2)],
)
def test_sizes_are_read_as_people_write_them(text: str, size: int) -> None:
    assert verb.parse_size("--gpu", text) == size


@pytest.mark.parametrize("text", ["banana", "", "16", "-4GB", "0GB", "1e5GB", "16KB", "NaNGB", "99999999TB", "16GBit"])
def test_what_is_no_size_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(WrongUsage, match="--gpu") as caught:
        verb.parse_size("--gpu", text)
    assert caught.value.exit_code == 2


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    "words", [("--context", "0"), ("--context", "-5"), ("--min-speed", "nan"), ("--min-speed", "-1"), ("--ram", "x")]
)
def test_wishes_that_cannot_be_are_wrong_usage(words: tuple[str, ...]) -> None:
    with pytest.raises(WrongUsage):
        _run(*words)


@pytest.mark.usefixtures("here")
def test_the_answer_comes_first_then_the_table_then_what_would_change_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert _run() == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("Small, ")
    assert lines[1].startswith("  - The most capable model")
    assert any("TOK/S" in line and "~" in row for line, row in pairwise(lines))
    assert any("estimates" in line for line in lines)
    assert lines[-1].startswith("2 models were left out")


@pytest.mark.usefixtures("here")
def test_cards_that_are_not_there_can_be_asked_about(capsys: pytest.CaptureFixture[str]) -> None:
    assert _run("--gpu", "16GB", "--gpu", "16GB", "--ram", "32GB", "--json") == 0
    answer = json.loads(capsys.readouterr().out)
    assert [device["name"] for device in answer["devices"]] == ["CPU", "GPU0", "GPU1"]
    best = answer["choices"][0]
    assert best["model"] == "middle"
    assert set(best["memory"]) in ({"CPU", "GPU0"}, {"CPU", "GPU1"})  # it has room on one, which is faster
    assert all(isinstance(size, int) for size in best["memory"].values())
    assert len(best["placement"]["layers"]) == 33
    assert sum(best["placement"]["tensor_split"]) == best["placement"]["n_gpu_layers"] == 33
    assert best["speed"]["decode_low"] < best["speed"]["decode"] < best["speed"]["decode_high"]
    assert best["speed"]["measured"] is False
    assert {"quantization", "context", "kv", "quality", "verdict", "reasons"} <= set(best)
    assert all(isinstance(reason, str) for reason in best["reasons"])


@pytest.mark.usefixtures("here")
def test_cards_can_be_asked_about_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert _run("--gpu", "RTX 3060 12GB", "16GB", "--json") == 0
    devices = json.loads(capsys.readouterr().out)["devices"]
    assert [device["label"] for device in devices][1:] == ["NVIDIA GeForce RTX 3060", "GPU (16.0 GiB)"]
    assert [device["bandwidth"] for device in devices][1:] == [360e9, None]
    with pytest.raises(WrongUsage, match="Voodoo"):
        _run("--gpu", "Voodoo 2")


@pytest.mark.usefixtures("here")
def test_the_wanted_speed_and_context_are_followed(capsys: pytest.CaptureFixture[str]) -> None:
    assert _run("--min-speed", "1", "--context", "2048", "--json") == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["context"] == 2048
    assert answer["choices"][0]["model"] == "middle"
