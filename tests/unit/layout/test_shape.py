"""The house keeps its shape: sizes, names, and what lies where."""

import ast
from pathlib import Path

import pytest

from tests.support.sources import ROOT, Source, python_sources

MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 40
MAX_MAIN_WINDOW_LINES = 200

FORBIDDEN_FILES = {"utils.py", "util.py", "helpers.py", "helper.py", "manager.py", "common.py", "misc.py"}
FORBIDDEN_ENDINGS = ("Manager", "Helper", "Util", "Utils")


def _functions(source: Source) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    return [node for node in ast.walk(source.tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def _length(node: ast.stmt) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def test_no_file_is_too_long_to_read() -> None:
    long = [
        f"{s.path}: {s.text.count(chr(10))} lines" for s in python_sources() if s.text.count("\n") >= MAX_FILE_LINES
    ]
    assert long == []


def test_no_function_is_too_long_to_see_at_once() -> None:
    long = [
        f"{source.path}:{node.lineno} {node.name}: {_length(node)} lines"
        for source in python_sources()
        for node in _functions(source)
        if _length(node) >= MAX_FUNCTION_LINES
    ]
    assert long == []


def test_the_main_window_only_assembles_pages() -> None:
    sizes = [
        _length(node)
        for source in python_sources("desktop/ui")
        for node in ast.walk(source.tree)
        if isinstance(node, ast.ClassDef) and node.name == "MainWindow"
    ]
    assert all(size < MAX_MAIN_WINDOW_LINES for size in sizes), sizes


def test_names_say_what_a_thing_is() -> None:
    files = [s.path for s in python_sources() if Path(s.path).name in FORBIDDEN_FILES]
    classes = [
        f"{source.path}:{node.lineno} {node.name}"
        for source in python_sources()
        for node in ast.walk(source.tree)
        if isinstance(node, ast.ClassDef) and node.name.endswith(FORBIDDEN_ENDINGS)
    ]
    assert files + classes == []


def test_packaging_does_not_shadow_the_library_of_that_name() -> None:
    assert not (ROOT / "packaging" / "__init__.py").exists()


def test_the_package_itself_holds_the_version_and_nothing_else() -> None:
    tree = ast.parse((ROOT / "desktop" / "__init__.py").read_text(encoding="utf-8"))
    names = [ast.unparse(node.targets[0]) for node in tree.body if isinstance(node, ast.Assign)]
    others = [node for node in tree.body if not isinstance(node, ast.Assign | ast.Expr)]
    assert names == ["__version__"]
    assert others == []


BESIDE_THE_ROOMS = {"benchmarks", "layout", "packaging", "support", "resources"}
"""Folders of tests/unit that test something else than a room of desktop/."""


@pytest.mark.parametrize("folder", sorted(p.name for p in (ROOT / "tests" / "unit").iterdir() if p.is_dir()))
def test_unit_tests_mirror_the_rooms(folder: str) -> None:
    if folder == "__pycache__" or folder in BESIDE_THE_ROOMS:
        return
    assert (ROOT / "desktop" / folder).is_dir(), f"tests/unit/{folder} tests no room of desktop/"
