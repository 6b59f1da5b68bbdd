"""ARCHITECTURE.md: the files that it names are there, and so is what it says is in them."""

import ast
import re
from functools import cache

import pytest

from tests.support.sources import ROOT, Source, python_sources

_TEXT = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
_TABLE = _TEXT.partition("## To change X open Y")[2]
_FILE = r"`((?:[\w-]+/)*[\w-]+\.py)`"
_NAMES = r"`\w+`(?:(?:, | and )`\w+`)*"
_AFTER = re.compile(rf"{_FILE}(?:(?:,| and) {_FILE})*:? ({_NAMES})")
_BEFORE = re.compile(rf"({_NAMES}) in {_FILE}")


def _said() -> set[tuple[str, str]]:
    """Each file with a name that the table says is in it."""
    found = {(match[2] or match[1], match[3]) for match in _AFTER.finditer(_TABLE)}
    found |= {(match[2], match[1]) for match in _BEFORE.finditer(_TABLE)}
    return {(file, name) for file, names in found for name in re.findall(r"\w+", names) if name != "and"}


@cache
def _called(file: str) -> tuple[Source, ...]:
    """The files of this path, which may leave out its beginning."""
    return tuple(source for source in python_sources() if f"/{source.path}".endswith(f"/{file}"))


@cache
def _defined(source: Source) -> frozenset[str]:
    """Every name that a file defines, of methods and fields too."""
    names = set()
    for node in ast.walk(source.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
    return frozenset(names)


def test_the_files_that_are_named_are_there() -> None:
    named = set(re.findall(r"\b[\w/-]+\.py\b", _TEXT))
    assert len(named) > 200
    assert [file for file in sorted(named) if not _called(file)] == []


def test_the_pairs_are_found_in_the_table() -> None:
    assert {("desktop/fit/plans/plan.py", "plan_of"), ("settings.py", "LANGUAGE"), ("scheduler.py", "drain")} <= _said()


@pytest.mark.parametrize(("file", "name"), sorted(_said()))
def test_what_the_table_says_is_in_a_file_is_there(file: str, name: str) -> None:
    assert any(name in _defined(source) for source in _called(file)), f"{file} has no {name}"
