from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.hub_server import HubServer
from tests.support.hubs import FILE
from tests.support.transfers import make_source, served


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return make_source(tmp_path)


@pytest.fixture
def server(source: Path) -> Iterator[HubServer]:
    with served(source) as hub:
        yield hub


@pytest.fixture
def destination(tmp_path: Path) -> Path:
    return tmp_path / "models" / FILE
