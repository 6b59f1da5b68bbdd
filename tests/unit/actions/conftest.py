from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.hub_server import HubServer
from tests.support.tiny_hub import tiny_hub


@pytest.fixture
def server(tmp_path: Path) -> Iterator[HubServer]:
    with tiny_hub(tmp_path) as hub:
        yield hub
