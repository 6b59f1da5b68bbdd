from collections.abc import Iterator
from pathlib import Path

import pytest

from desktop.library.library import Library
from tests.support.hub_server import HubServer
from tests.support.transfers import make_source, served


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return make_source(tmp_path, size=1_500_000)


@pytest.fixture
def server(source: Path) -> Iterator[HubServer]:
    with served(source) as hub:
        yield hub


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    opened = Library.open(tmp_path / "library.sqlite3", tmp_path / "models")
    yield opened
    opened.close()
