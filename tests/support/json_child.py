"""A part of a test that loads libllama, in a process of its own: what goes wrong there must not take pytest along."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


def run_child(module: str, *arguments: object, timeout: float = 280) -> Any:
    """What `python -m tests.support.MODULE ARGUMENTS` prints as JSON; fails with its last words where it fails."""
    child = subprocess.run(
        [sys.executable, "-m", f"tests.support.{module}", *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert child.returncode == 0, child.stderr[-3000:]
    return json.loads(child.stdout)
