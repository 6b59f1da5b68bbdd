"""What every child of the engine's libraries has in common."""

import os
import subprocess
from pathlib import Path

import pytest

from desktop.childprocess import ChildRole, child_command
from desktop.engine.protocol import EXIT_ENGINE_MISSING


@pytest.mark.parametrize("role", ["dry-run", "speed-probe", "engine"])
@pytest.mark.parametrize("fault", ["ImportError('no llama')", "OSError('libgomp.so.1')", "RuntimeError('no library')"])
def test_an_engine_that_does_not_load_is_told_by_the_exit_code(role: ChildRole, fault: str, tmp_path: Path) -> None:
    package = tmp_path / "llama_cpp"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "llama_cpp.py").write_text(f"raise {fault}\n", "utf-8")
    ended = subprocess.run(
        child_command(role),
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == EXIT_ENGINE_MISSING
    assert ended.stdout == ""
    assert fault.split("'")[1] in ended.stderr
