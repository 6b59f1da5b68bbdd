from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.hub_server import HubServer
from tests.support.transfers import FILE, REPO, make_source


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return make_source(tmp_path)


@pytest.fixture
def server(source: Path) -> Iterator[HubServer]:
    with HubServer() as hub:
        hub.add(REPO, FILE, source)
        yield hub


@pytest.fixture
def destination(tmp_path: Path) -> Path:
    return tmp_path / "models" / FILE
