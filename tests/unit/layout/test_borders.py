"""Borders that import-linter cannot see, because they are not crossed by an import statement."""

import ast
import re
import sys
from collections.abc import Iterator

import pytest

from tests.support.sources import Source, calls, imported_modules, python_sources

ENGINE_LIBRARY = re.compile(
    r"\b(lib)?(ggml|llama)[\w.-]*\.(so|dll|dylib)|\blib(ggml|llama)\b|\bggml[-_](rpc|base|cpu)\b"
)
BROAD = {"Exception", "BaseException"}

NESTED_LOOPS = re.compile(
    r"(\.exec_?$)|(QFileDialog\.get\w+$)|(QInputDialog\.get\w+$)"
    r"|(QMessageBox\.(about|aboutQt|critical|information|question|warning)$)"
    r"|(QColorDialog\.getColor$)|(QFontDialog\.getFont$)"
)


def _strings(tree: ast.AST) -> Iterator[ast.Constant]:
    documentation = {
        id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation:
            yield node


def opens_engine_libraries(source: Source) -> list[str]:
    """Uses of ctypes together with the name of one of the engine's libraries."""
    if not any(module.split(".")[0] == "ctypes" for module, _ in imported_modules(source.tree)):
        return []
    return [
        f"{source.path}:{n.lineno} {n.value!r}" for n in _strings(source.tree) if ENGINE_LIBRARY.search(str(n.value))
    ]


def imports_of(names: set[str], source: Source) -> list[str]:
    """Imports of the top-level packages `names`, also inside functions and through importlib."""
    direct = [
        f"{source.path}:{line}" for module, line in imported_modules(source.tree) if module.split(".")[0] in names
    ]
    if "import_module" not in source.text:
        return direct
    dynamic = [
        f"{source.path}:{call.lineno}"
        for called, call in calls(source.tree)
        if called.endswith("import_module")
        and call.args
        and ast.unparse(call.args[0]).strip("'\"").split(".")[0] in names
    ]
    return direct + dynamic


def opens_nested_loop(source: Source) -> list[str]:
    """Calls that run an event loop inside the event loop."""
    return [f"{source.path}:{c.lineno} {name}()" for name, c in calls(source.tree) if NESTED_LOOPS.search(name)]


def asks_for_layout_items(source: Source) -> list[str]:
    """Calls that make a Python object for an item of a layout."""
    return [f"{source.path}:{c.lineno} {name}()" for name, c in calls(source.tree) if name.endswith(".itemAt")]


def swallows(source: Source) -> list[str]:
    """Handlers that catch everything and do nothing, and `suppress` of everything."""
    handlers = [
        f"{source.path}:{node.lineno}"
        for node in ast.walk(source.tree)
        if isinstance(node, ast.ExceptHandler) and _is_broad(node.type) and all(map(_does_nothing, node.body))
    ]
    suppressed = [
        f"{source.path}:{call.lineno}"
        for name, call in calls(source.tree)
        if name.split(".")[-1] == "suppress" and any(map(_is_broad, call.args))
    ]
    return handlers + suppressed


def _is_broad(caught: ast.expr | None) -> bool:
    if isinstance(caught, ast.Tuple):
        return any(map(_is_broad, caught.elts))
    return caught is None or (isinstance(caught, ast.Name) and caught.id in BROAD)


def _does_nothing(node: ast.stmt) -> bool:
    return isinstance(node, ast.Pass | ast.Continue) or (
        isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    )


def _parsed(text: str) -> Source:
    return Source("example.py", text, ast.parse(text))


def test_only_the_engines_child_opens_the_engines_libraries() -> None:
    outside = [s for s in python_sources("desktop") if not s.path.startswith("desktop/runtime/")]
    assert [
        line for source in outside for line in opens_engine_libraries(source) + imports_of({"llama_cpp"}, source)
    ] == []


def test_the_protocol_knows_only_msgspec_and_the_errors() -> None:
    protocol = [s for s in python_sources("desktop/engine") if s.path.startswith("desktop/engine/protocol/")]
    assert protocol
    outside = {
        module
        for source in protocol
        for module, _ in imported_modules(source.tree)
        if module.split(".")[0] not in sys.stdlib_module_names and not module.startswith("desktop.engine.protocol.")
    }
    assert outside <= {"msgspec", "desktop.errors"}


def test_only_one_file_reads_nvml() -> None:
    others = [s for s in python_sources("desktop") if s.path != "desktop/hardware/nvidia.py"]
    assert [line for source in others for line in imports_of({"pynvml"}, source)] == []


def test_qt_is_imported_in_ui_only_and_never_by_unit_tests() -> None:
    outside = [s for s in python_sources("desktop", "tests/unit") if not s.path.startswith("desktop/ui/")]
    assert [line for s in outside for line in imports_of({"PySide6", "shiboken6", "qasync"}, s)] == []


def test_no_dialog_or_menu_runs_an_event_loop_of_its_own() -> None:
    # A task that waits in a nested loop under qasync never wakes up: use open() or popup() and signals.
    assert [line for source in python_sources("desktop/ui") for line in opens_nested_loop(source)] == []


def test_nobody_asks_a_layout_for_its_items() -> None:
    # Their Python objects outlive them, and the window dies when the layout goes (desktop/ui/widgets/focus.py).
    assert [line for source in python_sources("desktop/ui") for line in asks_for_layout_items(source)] == []


def test_no_error_is_swallowed() -> None:
    assert [line for source in python_sources("desktop", "packaging", "benchmarks") for line in swallows(source)] == []


@pytest.mark.parametrize(
    ("check", "guilty"),
    [
        (opens_engine_libraries, "import ctypes\nctypes.CDLL('libggml-rpc.so')"),
        (opens_engine_libraries, "def f():\n    from ctypes import CDLL\n    CDLL(folder / 'llama.dll')"),
        (lambda s: imports_of({"pynvml"}, s), "def f():\n    import pynvml"),
        (lambda s: imports_of({"PySide6"}, s), "from importlib import import_module\nimport_module('PySide6.QtCore')"),
        (opens_nested_loop, "QMenu(self).exec(position)"),
        (opens_nested_loop, "name, _ = QFileDialog.getOpenFileName(self)"),
        (asks_for_layout_items, "for place in range(layout.count()):\n    layout.itemAt(place).widget()"),
        (swallows, "try:\n    f()\nexcept Exception:\n    pass"),
        (swallows, "try:\n    f()\nexcept:\n    ..."),
        (swallows, "with contextlib.suppress(OSError, Exception):\n    f()"),
    ],
)
def test_each_of_these_checks_finds_what_it_looks_for(check: object, guilty: str) -> None:
    assert callable(check)
    assert check(_parsed(guilty)) != []
