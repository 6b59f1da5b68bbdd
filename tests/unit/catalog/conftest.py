from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.hub_server import HubServer
from tests.support.hubs import one_file_served


@pytest.fixture
def server(tmp_path: Path) -> Iterator[HubServer]:
    with one_file_served(tmp_path) as hub:
        yield hub
