"""What tests of the transfer share: a file with content of its own everywhere, options for it, a whole run."""

import asyncio
import random
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from desktop.catalog.hub import Hub
from desktop.download.reporter import ignore_progress
from desktop.download.transfer import download
from desktop.download.types import DownloadProgress, TransferOptions
from tests.support.hub_server import HubServer
from tests.support.hubs import FILE, REPO, hub_at

PATIENT = TransferOptions(
    stall=60.0, connect=60.0, attempts=4, first_wait=0.01, longest_wait=0.05, longest_retry_after=2.0,
    progress_interval=0.0,
)  # fmt: skip
"""A machine that stands still is not taken for a dead line; an answer that is there is soon asked for again."""

IMPATIENT = msgspec.structs.replace(PATIENT, stall=2.0)
"""For a server whose line goes dead."""

MANY = msgspec.structs.replace(
    PATIENT, connections=4, least_piece=128 << 10, largest_piece=256 << 10, patience=60.0, lone_speed=1e18,
    lone_seconds=0.0,
)  # fmt: skip
"""Several connections for a small file, as patient."""

MANY_IMPATIENT = msgspec.structs.replace(MANY, stall=2.0, patience=2.0)


def make_source(folder: Path, *, size: int = 3_000_000, seed: int = 1) -> Path:
    """Write a file in which no two places are alike, behind a header that is whole and says nothing."""
    source = folder / f"source-{size}-{seed}.gguf"
    header = b"GGUF" + struct.pack("<IQQ", 3, 0, 0)  # version, tensors, metadata
    source.write_bytes(header + random.Random(seed).randbytes(size - len(header)))
    return source


@contextmanager
def served(source: Path) -> Iterator[HubServer]:
    """A Hub with one repository of this file."""
    with HubServer() as hub:
        hub.add(REPO, FILE, source)
        yield hub


def hub_of(server: HubServer, token: str | None = None) -> Hub:
    """The Hub, as a person without any settings has it."""
    return hub_at(server.endpoint, token)


async def fetch(
    server: HubServer,
    destination: Path,
    *,
    token: str | None = None,
    options: TransferOptions = PATIENT,
    seen: list[DownloadProgress] | None = None,
) -> Path:
    """Ask the Hub for the file and transfer it."""
    hub = hub_of(server, token)
    [file] = await hub.files(repo=REPO, file=FILE)
    on_progress = ignore_progress if seen is None else seen.append
    return await download(file=file, destination=destination, hub=hub, on_progress=on_progress, options=options)


def fetch_now(server: HubServer, destination: Path, **keywords: object) -> Path:
    """The same, from a test that is not asynchronous."""
    return asyncio.run(fetch(server, destination, **keywords))  # type: ignore[arg-type]


def leftovers(destination: Path) -> list[str]:
    """Names beside the finished file."""
    return sorted(path.name for path in destination.parent.iterdir() if path != destination)
