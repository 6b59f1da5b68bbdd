"""Stopping several connections in an unlucky moment."""

import asyncio
from pathlib import Path

import msgspec
import pytest

from desktop.download.connections import Connections
from desktop.download.limiter import BandwidthLimiter
from desktop.download.part import PartFile
from desktop.download.reporter import Reporter
from desktop.download.source import make_client
from desktop.download.types import DownloadProgress
from tests.support.hub_server import Fault, HubServer
from tests.support.hubs import FILE, REPO
from tests.support.transfers import PATIENT, hub_of


@pytest.mark.asyncio
async def test_what_is_stopped_just_when_it_must_begin_again_does_not_begin_again(
    server: HubServer, tmp_path: Path
) -> None:
    """A TaskGroup in which something fails while it is cancelled tells of the failure alone."""
    server.faults.append(Fault("status", status=416))
    hub, loop = hub_of(server), asyncio.get_running_loop()
    options = msgspec.structs.replace(PATIENT, first_wait=0.0)
    [file] = await hub.files(repo=REPO, file=FILE)
    part = PartFile(file, tmp_path / FILE)
    part.open()
    part.begin()
    seen: list[DownloadProgress] = []

    def stop(progress: DownloadProgress) -> None:
        seen.append(progress)
        if len(seen) == 1:  # it says that it tries again; two turns of the loop later it has raised why
            loop.call_soon(lambda: loop.call_soon(task.cancel))

    async with make_client(hub, options) as client:
        report = Reporter(file.size, stop, 0.0)
        connections = Connections(part, hub, client, report=report, options=options, limiter=BandwidthLimiter())
        task = asyncio.ensure_future(connections.fetch())
        with pytest.raises(asyncio.CancelledError):
            await task
    part.close()
