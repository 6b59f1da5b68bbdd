"""The import contracts of pyproject.toml really break: each is tried on a small house in which someone breaks it."""

import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.support.sources import ROOT

# Files that the breaches below need; the layers themselves are read from pyproject.toml.
FILES = (
    *("ui/app", "ui/widgets/gauge", "ui/item_models/choices", "ui/pages/chat/view", "ui/pages/chat/controller"),
    *("ui/pages/models/view", "ui/pages/models/controller", "cli/main", "chat/store", "fit/plans/plan", "doctor/disk"),
    *("engine/protocol/plans", "engine/client", "download/queue", "library/store", "catalog/hub", "hardware/nvidia"),
    *("hardware/probe", "gguf/header", "runtime/loading/model", "runtime/child", "actions/fit"),
)

# What the real rooms do: none of it breaks a contract.
ALLOWED = {
    "__main__": "import desktop.ui.app\nimport desktop.cli.main\nimport desktop.runtime.child",
    "ui/app": "import PySide6.QtCore\nimport qasync\nimport desktop.ui.pages.chat.controller",
    "ui/pages/chat/controller": "import desktop.services\nimport desktop.ui.pages.chat.view",
    "ui/pages/chat/view": "import desktop.ui.widgets.gauge",
    "actions/fit": "import desktop.services\nimport desktop.fit.plans.plan",
    "services": "import desktop.chat.store\nimport desktop.fit.plans.plan\nimport desktop.doctor.disk",
    "fit/plans/plan": "import desktop.fit.speeds\nimport desktop.fit.types",
    "chat/store": "import desktop.engine.client\nimport desktop.database",
    "engine/client": "import desktop.engine.protocol\nimport desktop.childprocess",
    "engine/protocol/plans": "import msgspec\nimport desktop.errors",
    "runtime/loading/model": "import llama_cpp\nimport desktop.engine.protocol\nimport desktop.gguf.header",
    "hardware/nvidia": "import pynvml",
}

BREACHES = {
    "layers": [
        ("hardware/probe", "import desktop.chat.store"),
        ("errors", "import desktop.paths"),
        ("services", "import desktop.actions.fit"),
        ("ui/app", "import desktop.cli.main"),
        ("fit/plans/plan", "import desktop.doctor.disk"),
        ("newroom", ""),
    ],
    "fit-rooms": [
        ("fit/types", "import desktop.fit.plans.plan"),
        ("fit/memory", "import desktop.fit.speeds"),
        ("fit/newroom", ""),
    ],
    "runtime-stands-alone": [
        ("runtime/child", "import desktop.engine.client"),
        ("runtime/child", "import desktop.settings"),
        ("runtime/loading/model", "from desktop import services"),
    ],
    "runtime-importers": [
        ("engine/client", "import desktop.runtime.loading.model"),
        ("ui/app", "import desktop.runtime.child"),
    ],
    "protocol-is-a-leaf": [("engine/protocol/plans", "import desktop.gguf.header")],
    "qt-in-ui": [("chat/store", "import qasync"), ("log", "from PySide6 import QtCore")],
    "llama-in-runtime": [
        ("fit/plans/plan", "import llama_cpp"),
        ("engine/client", "def f():\n    from llama_cpp import Llama"),
    ],
    "pynvml-in-nvidia": [("hardware/probe", "import pynvml")],
    "pages-are-independent": [("ui/pages/chat/view", "import desktop.ui.pages.models.view")],
    "views-know-no-services": [
        ("ui/pages/models/view", "import desktop.services"),
        ("ui/widgets/gauge", "import desktop.actions.fit"),
        ("ui/item_models/choices", "from desktop.services import Services"),
    ],
    "no-cycles": [
        ("ui/widgets/gauge", "import desktop.ui.pages.chat.view"),
        ("engine/protocol/plans", "import desktop.engine.client"),
    ],
}


def declared_contracts() -> dict[str, dict[str, Any]]:
    """The contracts of pyproject.toml by their id."""
    table = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return {contract["id"]: contract for contract in table["tool"]["importlinter"]["contracts"]}


def build_house(root: Path, contents: dict[str, str]) -> None:
    """Write a house with every layer below `root`, with `contents` as the code of its files."""
    contracts, flat = declared_contracts(), set()
    for contract, above in (("layers", ""), ("fit-rooms", "fit/")):
        names = {above + name.strip() for line in contracts[contract]["layers"] for name in line.split("|")}
        flat |= {name for name in names if "(" not in name and not any(f.startswith(f"{name}/") for f in FILES)}
    for room in {*FILES, *flat, *contents}:
        file = root / "desktop" / f"{room}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(contents.get(room, ""))
    for folder in [root / "desktop", *(p for p in (root / "desktop").rglob("*") if p.is_dir())]:
        (folder / "__init__.py").touch()


def verdict(root: Path, contract: str | None = None) -> tuple[int, str]:
    """What import-linter says about the house below `root`: its exit code and words."""
    program = "import sys; from importlinter.cli import lint_imports_command; sys.exit(lint_imports_command())"
    command = [sys.executable, "-c", program, "--config", str(ROOT / "pyproject.toml"), "--no-cache", "--no-logo"]
    command += ["--contract", contract] if contract else []
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout + done.stderr


def test_every_contract_is_tried_here() -> None:
    assert set(declared_contracts()) == set(BREACHES)


def test_a_house_in_order_keeps_every_contract(tmp_path: Path) -> None:
    build_house(tmp_path, ALLOWED)
    code, words = verdict(tmp_path)
    assert code == 0, words


@pytest.mark.parametrize(
    ("contract", "room", "code"),
    [(contract, room, code) for contract, breaches in BREACHES.items() for room, code in breaches],
)
def test_a_breach_is_found(tmp_path: Path, contract: str, room: str, code: str) -> None:
    build_house(tmp_path, ALLOWED | {room: f"{ALLOWED.get(room, '')}\n{code}\n"})
    exit_code, words = verdict(tmp_path, contract)
    assert exit_code == 1, words
    assert "0 kept, 1 broken" in words, words
