"""The table of graphics cards: consistent in itself, and found under the names that people and drivers use."""

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import msgspec
import pytest

from desktop.errors import WrongUsage
from desktop.fit.advice.catalog_shape import shape_of_catalog
from desktop.fit.cards.cards import card_called, find_card, known_bandwidth, known_cards
from desktop.fit.memory.budget import budgets_of_profile
from desktop.fit.memory.placement import Costs, Span, request_for
from desktop.fit.rating.quality import quant_figures
from desktop.fit.speeds.speed import SpeedModel
from desktop.hardware.types import Gpu
from tests.unit.fit.builders import machine, model

GIB = 1 << 30


@pytest.fixture(scope="module")
def table(project_root: Path) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((project_root / "resources" / "gpus.json").read_bytes())
    return read


@pytest.fixture(scope="module")
def rows(table: dict[str, Any]) -> list[dict[str, Any]]:
    return list(table["cards"])


def test_the_table_follows_its_schema(project_root: Path, table: dict[str, Any]) -> None:
    schema = json.loads((project_root / "resources" / "gpus.schema.json").read_bytes())
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    validator.validate(table)
    invented = {**table["cards"][0], "year": 2020}
    with pytest.raises(jsonschema.ValidationError, match="year"):
        validator.validate({**table, "cards": [invented]})


def test_the_document_describes_every_field(project_root: Path) -> None:
    schema = json.loads((project_root / "resources" / "gpus.schema.json").read_bytes())
    text = (project_root / "docs" / "gpus.md").read_text(encoding="utf-8")
    section = text.partition("## Fields of a card")[2].partition("\n##")[0]
    described = {name for row in re.findall(r"^\| (`[^|]*) \|", section, re.MULTILINE) for name in row.split(", ")}
    assert {name.strip("`") for name in described} == set(schema["$defs"]["Card"]["properties"])


def test_each_is_there_once_and_in_its_order(rows: list[dict[str, Any]]) -> None:
    assert len({(row["name"], row["memory"]) for row in rows}) == len(rows)
    assert rows == sorted(rows, key=lambda row: (row["vendor"], row["name"].lower(), row["memory"]))


def test_the_document_has_the_counts(project_root: Path, rows: list[dict[str, Any]]) -> None:
    text = (project_root / "docs" / "gpus.md").read_text(encoding="utf-8")
    counted = re.search(r"Of the (\d+) cards, (\d+) rest on the vendor's text", text)
    assert counted is not None
    assert [int(count) for count in counted.groups()] == [len(rows), sum(row["confirmed"] == "vendor" for row in rows)]


def test_every_figure_has_a_source_and_none_is_a_compiled_list(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        assert "techpowerup" not in row["source"], row["name"]
    sources = [row["source"] for row in rows if row["confirmed"] == "quoted"]
    assert Counter(sources).most_common(1)[0][1] <= 6
    repositories = Counter("/".join(source.split("/")[2:5]) for source in sources if "github.com/" in source)
    assert repositories.most_common(1)[0][1] <= 14


def test_figures_agree_with_each_other(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        assert 10e9 < row["bandwidth"] < 10e12, row["name"]
        if "memory_speed_gbps" in row and "bus_width" in row:
            computed = row["memory_speed_gbps"] * row["bus_width"] / 8 * 1e9
            assert row["bandwidth"] == pytest.approx(computed, rel=0.01), row["name"]


@pytest.mark.parametrize(
    ("name", "memory", "bandwidth"),
    [
        ("RTX 4090", 24, 1008e9),
        ("nvidia geforce rtx 5090", 32, 1792e9),
        ("rtx4060ti 16gb", 16, 288e9),
        ("RTX 3060 12GB", 12, 360e9),
    ],
)
def test_a_card_is_found_as_people_write_it(name: str, memory: int, bandwidth: float) -> None:
    card = find_card(name)
    assert (card.memory, card.bandwidth) == (memory * GIB, bandwidth)
    assert card_called(name) == card


@pytest.mark.parametrize("text", ["16", "16 GB", " 16gb ", "16GiB", "16 g", "16.0", "16384MB"])
def test_a_size_alone_is_a_card(text: str) -> None:
    assert card_called(text).memory == 16 * GIB


def test_a_size_may_have_a_fraction() -> None:
    assert card_called("1.5GB").memory == card_called("1,5 g").memory == 3 * GIB // 2


@pytest.mark.parametrize("text", ["", "RTX 9999", "0", "99999", "3060", "2TB", "-4GB", "16KB"])
def test_what_nobody_knows_is_refused(text: str) -> None:
    with pytest.raises(WrongUsage):
        card_called(text)


def test_what_is_not_one_card_is_refused_with_what_to_write() -> None:
    with pytest.raises(WrongUsage, match=r"8GB.* or .*16GB"):
        find_card("RTX 4060 Ti")
    with pytest.raises(WrongUsage, match="like 16GB"):
        find_card("Voodoo 2")


def test_every_card_is_found_by_its_name_and_memory() -> None:
    for card in known_cards():
        assert find_card(f"{card.name} {card.memory >> 30}GB") == card


@pytest.mark.parametrize(
    ("name", "memory", "bandwidth"),
    [
        ("NVIDIA GeForce RTX 3060", 11.6, 360e9),
        ("NVIDIA GeForce RTX 3060", 8, 240e9),
        ("NVIDIA GeForce RTX 3060", 24, None),  # more than any card of that name has
        ("AMD Radeon RX 6800 XT (RADV NAVI21)", 16, 512e9),
        ("Intel(R) Arc(tm) A770 Graphics (DG2)", 15.9, 560e9),
        ("Apple M2 Max", 24, 400e9),
        ("Apple M4 Max", 27, None),  # there are two of that name
        ("NVIDIA GeForce RTX 3060 Laptop GPU", 6, None),
        ("GPU", 16, None),
    ],
)
def test_a_card_that_is_here_is_found_as_its_driver_states_it(
    name: str, memory: float, bandwidth: float | None
) -> None:
    assert known_bandwidth(name, int(memory * GIB)) == bandwidth


def test_where_the_driver_tells_no_bandwidth_the_table_does() -> None:
    def speed(name: str, bandwidth: int | None) -> float:
        card = Gpu(name=name, vendor="nvidia", vram_total=12 * GIB, vram_free=11 * GIB, backend="CUDA0")
        card = msgspec.structs.replace(card, bandwidth=bandwidth)
        profile = msgspec.structs.replace(machine(), gpus=(card,), backends=("CPU", "CUDA0"))
        entry = model("some", billions=8)
        shape = shape_of_catalog(entry, next(one for one in entry.quantizations if one.name == "Q4_K_M"))
        costs = Costs(shape, request_for(shape, n_ctx=4096, type_k="f16", type_v="f16", parallel=1))
        spans = (Span("CUDA0", 0, shape.n_layer + 1),)
        return SpeedModel(profile, budgets_of_profile(profile)).decode(costs, spans, quant_figures("Q4_K_M")).decode

    stated = speed("some card", 360 * 10**9)
    assert speed("NVIDIA GeForce RTX 3060", None) == stated
    assert speed("some card", None) != stated
    assert speed("NVIDIA GeForce RTX 3060", 100 * 10**9) < stated, "what the driver tells comes first"
