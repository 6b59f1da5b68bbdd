"""The table of graphics cards: consistent in itself, and found under the names that people use."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from desktop.errors import WrongUsage
from desktop.fit.cards import find_card, known_cards

GIB = 1 << 30


@pytest.fixture(scope="module")
def rows(project_root: Path) -> list[dict[str, Any]]:
    table: dict[str, Any] = json.loads((project_root / "resources" / "gpus.json").read_bytes())
    return list(table["cards"])


def test_there_are_enough_and_each_is_there_once(rows: list[dict[str, Any]]) -> None:
    assert len(rows) >= 120
    assert len({(row["name"], row["memory"]) for row in rows}) == len(rows)
    assert rows == sorted(rows, key=lambda row: (row["vendor"], row["name"].lower(), row["memory"]))


def test_every_figure_has_a_source_and_none_is_a_compiled_list(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        assert re.fullmatch(r"https://\S+", row["source"]), row["name"]
        assert row["confirmed"] in ("vendor", "quoted"), row["name"]
        assert "techpowerup" not in row["source"], row["name"]
    sources = [row["source"] for row in rows if row["confirmed"] == "quoted"]
    assert max(map(sources.count, sources)) <= 12


def test_figures_agree_with_each_other(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        assert row["memory"] % GIB == 0, row["name"]
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


def test_what_is_not_one_card_is_refused_with_what_to_write() -> None:
    with pytest.raises(WrongUsage, match=r"8GB.* or .*16GB"):
        find_card("RTX 4060 Ti")
    with pytest.raises(WrongUsage, match="like 16GB"):
        find_card("Voodoo 2")


def test_every_card_is_found_by_its_name_and_memory() -> None:
    for card in known_cards():
        assert find_card(f"{card.name} {card.memory >> 30}GB") == card
