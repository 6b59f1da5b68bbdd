"""The project's own files, parsed once, for tests about the code itself."""

import ast
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
_CODE = ("desktop", "packaging", "benchmarks", "tests")


class Source(NamedTuple):
    """One Python file: its path in the checkout and its syntax tree."""

    path: str
    text: str
    tree: ast.Module


@cache
def _parsed(file: Path) -> Source:
    text = file.read_text(encoding="utf-8")
    return Source(file.relative_to(ROOT).as_posix(), text, ast.parse(text))


def python_sources(*folders: str) -> list[Source]:
    """Every Python file below `folders` (all folders with code by default), sorted by path."""
    return [_parsed(file) for folder in folders or _CODE for file in sorted((ROOT / folder).rglob("*.py"))]


@cache
def text_files() -> tuple[Path, ...]:
    """Every text file that is in the repository, or would be with the next commit."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    files = [ROOT / name for name in names if name]
    return tuple(file for file in files if file.is_file() and b"\0" not in file.read_bytes()[:4096])


def dotted_name(node: ast.expr) -> str:
    """`a.b.c` for such an expression; "?" stands for a part that is not a name."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{dotted_name(node.value)}.{node.attr}"
    return "?"


def calls(tree: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    """Every call in `tree` with the dotted name of what is called."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield dotted_name(node.func), node


def imported_modules(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Every module that `tree` imports anywhere, with the line; for `from a import b` it is `a`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module, node.lineno
