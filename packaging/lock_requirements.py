"""Renew the lock files: every package with its exact version and its hashes, for every system, from pyproject.toml.

`make lock` calls this. No index address is written into a lock: whoever installs uses the index of their own pip.
"""

import os
import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
UV = ">=0.9,<1"

LOCKS: dict[str, list[str]] = {
    # The engine is built on the machine itself, so it has a lock of its own.
    "run.txt": ["pyproject.toml", "--no-emit-package", "llama-cpp-python"],
    "dev.txt": ["--group", "dev", "--constraints", "requirements/run.txt"],
    "build.txt": ["--group", "build", "--constraints", "requirements/run.txt"],
    "engine-build.txt": ["--group", "engine-build"],
    "engine.txt": ["requirements/engine.in", "--no-deps"],
    "starter.txt": ["requirements/starter.in", "--no-deps"],
}
"""Lock file -> what goes into it. The order counts: later ones are constrained by earlier ones."""

COMMON = ["--quiet", "--universal", "--generate-hashes", "--python-version", "3.11", "--no-annotate", "--no-config"]


def main(arguments: list[str]) -> int:
    """Renew all locks; `--upgrade` in `arguments` takes newer versions, without it only what must change does."""
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", f"uv{UV}"], check=True)
    environ = {**os.environ, "UV_CUSTOM_COMPILE_COMMAND": "make lock"}
    for name, sources in LOCKS.items():
        print(f"requirements/{name}", flush=True)
        command = [sys.executable, "-m", "uv", "pip", "compile", *COMMON, *arguments, *sources]
        subprocess.run([*command, "-o", f"requirements/{name}"], cwd=CHECKOUT, env=environ, check=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
