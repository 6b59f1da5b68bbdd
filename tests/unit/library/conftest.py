"""A library on a real SQLite, and a person whose home is empty: what other programs have is written by each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from desktop.library.library import Library
from desktop.library.stores.place import Place


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    return folder


@pytest.fixture
def place(home: Path) -> Place:
    return Place(home, {}, "linux")


@pytest.fixture
def library(tmp_path: Path, home: Path) -> Iterator[Library]:
    assert home.is_dir()
    opened = Library.open(tmp_path / "library.sqlite3", tmp_path / "models")
    yield opened
    opened.close()


@pytest.fixture
def trash(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The person's trash, as desktops keep it on Linux; send2trash reads the environment when it is imported."""
    other = pytest.importorskip("send2trash.plat_other", reason="the trash of Linux desktops")
    folder = home / "Trash"
    monkeypatch.setattr(other, "XDG_DATA_HOME", str(home))
    monkeypatch.setattr(other, "HOMETRASH_B", str(folder).encode())
    return folder
