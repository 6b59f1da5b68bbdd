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
    "catalog and its schema": [PYTHON, "-m", "pytest", "-q", "tests/unit/catalog/test_models_json.py"],
    "translations": [PYTHON, str(CHECKOUT / "packaging" / "check_translations.py")],
}
"""Name -> command; each is run even when one before it failed, so that one run shows all there is to mend."""


def main() -> int:
    """Run all checks; 0 when all passed."""
    failed = [name for name, command in CHECKS.items() if not _passes(name, command)]
    print(f"{len(CHECKS) - len(failed)} checks passed, {len(failed)} failed{': ' if failed else ''}{', '.join(failed)}")
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
