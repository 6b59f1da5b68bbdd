"""Services without a token, a Hub of ours, and a keyring that is the test's own."""

from collections.abc import AsyncIterator, Iterator

import keyring
import pytest
import pytest_asyncio

from desktop.services import Services
from tests.support.hub_server import HubServer
from tests.support.hub_tokens import services_at
from tests.support.keyrings import MemoryKeyring


@pytest.fixture(autouse=True)
def no_keyring() -> Iterator[None]:
    before = keyring.get_keyring()
    yield
    keyring.set_keyring(before)


@pytest.fixture
def memory() -> MemoryKeyring:
    made = MemoryKeyring()
    keyring.set_keyring(made)
    return made


@pytest_asyncio.fixture
async def services(server: HubServer) -> AsyncIterator[Services]:
    services = services_at(server)
    yield services
    await services.close()
