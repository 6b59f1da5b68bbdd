"""Run every static check and say at the end which failed: `make check` calls this inside the environment."""

import subprocess
import sys
import time
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
PYTHON = sys.executable
BIN = Path(PYTHON).parent

CHECKS: dict[str, list[str]] = {
    "lint": [str(BIN / "ruff"), "check", "--quiet", "."],
    "format": [str(BIN / "ruff"), "format", "--check", "--quiet", "."],
    "types": [PYTHON, "-m", "mypy"],
    "import rules": [str(BIN / "lint-imports"), "--no-logo"],
    "layout and documents": [PYTHON, "-m", "pytest", "-q", "tests/unit/layout"],
}
"""Name -> command; each is run even when one before it failed, so that one run shows all there is to mend."""

SCRIPTS = ("check_catalog.py", "check_translations.py")
"""Beside this file; each checks one kind of data and exits with 1 when it found something."""


def main() -> int:
    """Run all checks; 0 when all passed."""
    checks = CHECKS | {
        script.removesuffix(".py").replace("_", " "): [PYTHON, str(CHECKOUT / "packaging" / script)]
        for script in SCRIPTS
    }
    failed = [name for name, command in checks.items() if not _passes(name, command)]
    print(f"{len(checks) - len(failed)} checks passed, {len(failed)} failed{': ' if failed else ''}{', '.join(failed)}")
    return 1 if failed else 0


def _passes(name: str, command: list[str]) -> bool:
    began = time.monotonic()
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    verdict = "ok" if done.returncode == 0 else "FAILED"
    print(f"{name:24} {verdict:7} {time.monotonic() - began:5.1f} s", flush=True)
    if done.returncode != 0:
        print(done.stdout + done.stderr, flush=True)
    return done.returncode == 0


if __name__ == "__main__":
    sys.exit(main())
