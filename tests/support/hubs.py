"""The Hub at an address of a test."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from desktop.catalog.hub import Hub
from tests.support.hub_server import HubServer

REPO, FILE = "owner/tiny-GGUF", "tiny-Q4_K_M.gguf"
"""The model that most tests of the Hub and of downloads ask for."""

NOTHING: dict[str, str] = {}
"""An environment in which nothing is set."""


def hub_at(endpoint: str, token: str | None = None, *, offline: bool = False) -> Hub:
    """The Hub as a person has it who lets `token` go to `endpoint`; nothing else is set."""
    environment = {"HF_TOKEN": token} if token else NOTHING
    return Hub(endpoint, offline, token_to_mirror=True, environment=environment)


@contextmanager
def one_file_served(folder: Path) -> Iterator[HubServer]:
    """A Hub with one repository of one small file, which lies in `folder`."""
    source = folder / "source.gguf"
    source.write_bytes(b"GGUF" + bytes(5000))
    with HubServer() as hub:
        hub.add(REPO, FILE, source)
        yield hub
