"""docs/cli.md lists the fields of `--json` that other programs may count on: exactly those that are printed."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from desktop.cli import fit, recommend
from desktop.cli.import_ import Imported
from desktop.cli.models import ListedModel
from desktop.cli.pull import PulledModel
from desktop.cli.rm import Removed
from desktop.cli.verify import Verified
from desktop.fit.advice import recommend as ranking
from desktop.fit.plans.wish import FitDefaults, FitWish
from desktop.fit.report import report_fit
from desktop.fit.subject import FitSubject
from desktop.fit.types import Kept
from desktop.gguf.header import read_header
from tests.support.gguf_writer import dense_model, write_gguf
from tests.unit.fit.builders import catalog, machine, model

_FIELD = re.compile(r"`(\w+)(?:\[\])?(?:\{([^}]*)\})?`")


def documented(project_root: Path, verb: str) -> dict[str, str]:
    """What is said of each field of a verb, by its name."""
    text = (project_root / "docs" / "cli.md").read_text(encoding="utf-8")
    section = text.partition(f"## snug {verb} ")[2].partition("\n## ")[0]
    return dict(re.findall(r"^\| `(\w+)(?:\[\])?` \| (.*) \|$", section, re.MULTILINE))


def outside_brackets(text: str) -> str:
    """The text without what explains a field."""
    while (shorter := re.sub(r"\([^()]*\)", "", text)) != text:
        text = shorter
    return text


def names(text: str) -> set[str]:
    return {name for name, _ in _FIELD.findall(outside_brackets(text))}


def inner(text: str, field: str) -> set[str]:
    """Fields of a field, written `field{one,two[]}`."""
    found: dict[str, str] = dict(_FIELD.findall(outside_brackets(text)))
    return {part.strip().removesuffix("[]") for part in found[field].split(",")}


@pytest.fixture(scope="module")
def answer() -> dict[str, Any]:
    """An answer with a choice and with something that was left out."""
    shelf = catalog(model("small", billions=1), model("large", billions=400))
    found = ranking.recommend(profile=machine(gpus=(8,)), catalog=shelf)
    assert found.choices
    assert found.rejected
    kept = msgspec.structs.replace(found.choices[0], kept=Kept("experts", 3))
    return recommend.as_json(msgspec.structs.replace(found, choices=(kept, *found.choices[1:])))


@pytest.mark.parametrize(
    ("verb", "printed"), [("import", Imported), ("rm", Removed), ("verify", Verified), ("pull", PulledModel)]
)
def test_the_verbs_of_the_library_print_what_is_documented(
    project_root: Path, verb: str, printed: type[msgspec.Struct]
) -> None:
    text = (project_root / "docs" / "cli.md").read_text(encoding="utf-8")
    section = text.partition(f"## snug {verb} ")[2].partition("\n## ")[0]
    cells = re.findall(r"^\| (`[^|]*`) \| .* \|$", section, re.MULTILINE)
    assert {name for cell in cells for name in names(cell)} == set(printed.__struct_fields__)


def test_models_prints_what_is_documented(project_root: Path) -> None:
    text = (project_root / "docs" / "cli.md").read_text(encoding="utf-8")
    section = text.partition("## snug models ")[2].partition("\n## ")[0]
    fields = outside_brackets(section.partition("`models[]`:")[2].partition("\n\n")[0])
    assert names(fields) >= set(ListedModel.__struct_fields__)


def test_recommend_prints_what_is_documented(project_root: Path, answer: dict[str, Any]) -> None:
    said = documented(project_root, "recommend")
    assert said.keys() == answer.keys()
    assert names(said["devices"]) == answer["devices"][0].keys()
    for choice in (*answer["choices"], *answer["rejected"]):
        assert names(said["choices"]) == choice.keys()
        for field in ("placement", "speed", "quality"):
            assert inner(said["choices"], field) == choice[field].keys()
    assert list(answer["choices"][0]["kept"]) == ["experts", 3]


@pytest.mark.asyncio
async def test_fit_prints_what_is_documented(project_root: Path, tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "m.gguf", *dense_model(n_layer=4, n_embd=256, n_head=4, n_ff=512, vocab=1000))
    subject = FitSubject(path=path, name="M", quantization="F16", header=read_header(path))
    report = await report_fit(
        subject,
        profile=machine(),
        devices=(),
        wish=FitWish(),
        defaults=FitDefaults(),
        dry_runs=None,
        folder=tmp_path,
    )
    printed = fit.as_json(report)
    said = documented(project_root, "fit")
    assert said.keys() == printed.keys()

    def same(field: str, found: Iterable[str]) -> None:
        assert names(said[field]) == set(found), field

    same("devices", printed["devices"][0])
    same("settings", printed["settings"])
    same("source", printed["source"])
    same("speed", printed["speed"])
    same("quality", printed["quality"])
    same("kv_quality", printed["kv_quality"])
