"""Several connections for one file: each brings pieces of it, and what goes wrong with one does not hold the others."""

import asyncio
import hashlib
from pathlib import Path

import msgspec
import pytest

from desktop.catalog.hub_errors import HubBusy
from desktop.download.limiter import BandwidthLimiter
from desktop.download.part import PartFile, part_path
from desktop.download.sidecar import claimed_bytes
from desktop.download.transfer import download
from desktop.download.types import DownloadProgress, TransferGaveUp
from tests.support.hub_server import Fault, HubServer
from tests.support.hubs import FILE, REPO
from tests.support.transfers import MANY, fetch, fetch_now, hub_of, leftovers

MIB = 1 << 20
GOOD = Fault("drip")  # nothing is dripped: the answer is good, and takes its turn in the list of faults


def test_every_byte_comes_once_and_every_request_but_the_first_carries_the_validator(
    server: HubServer, source: Path, destination: Path
) -> None:
    fetch_now(server, destination, options=MANY)
    assert destination.read_bytes() == source.read_bytes()
    assert leftovers(destination) == []
    requests = server.of("cdn")
    assert len(requests) > MANY.connections
    assert server.settled().bytes_sent == source.stat().st_size
    assert {request.status for request in requests} == {206}
    assert [request.if_range is None for request in requests] == [True] + [False] * (len(requests) - 1)
    resolved = [request for request in server.of("hub") if "/resolve/" in request.path]
    assert len(resolved) == MANY.connections, "each follows its own redirect, once"


def test_a_small_file_has_one_connection(server: HubServer, destination: Path) -> None:
    fetch_now(server, destination)
    assert [request.range for request in server.of("cdn")] == [None]


@pytest.mark.parametrize("before", [0, MIB])
def test_a_server_without_ranges_sends_the_file_over_one(
    server: HubServer, source: Path, destination: Path, before: int
) -> None:
    if before:
        keep(server, source, destination, before)
    server.ranges = False
    fetch_now(server, destination, options=MANY)
    assert destination.read_bytes() == source.read_bytes()
    assert {request.status for request in server.of("cdn")} == {200}


def keep(server: HubServer, source: Path, destination: Path, count: int) -> None:
    """Leave a part with the first `count` bytes, as an earlier run would."""
    destination.parent.mkdir(parents=True, exist_ok=True)

    async def file_of() -> PartFile:
        [file] = await hub_of(server).files(repo=REPO, file=FILE)
        return PartFile(file, destination)

    part = asyncio.run(file_of())
    part.open()
    part.begin()
    part.write(0, source.read_bytes()[:count])
    part.remember(f'"{server.repositories[REPO].files[FILE].sha256}"')
    part.close()


def test_a_busy_server_gets_fewer_connections_and_nobody_is_alarmed(
    server: HubServer, source: Path, destination: Path
) -> None:
    server.faults.extend([GOOD, Fault("status", status=429, seconds=0), Fault("status", status=503)])
    seen: list[DownloadProgress] = []
    fetch_now(server, destination, options=MANY, seen=seen)
    assert destination.read_bytes() == source.read_bytes()
    assert [progress.message for progress in seen if progress.message] == []
    resolved = [request for request in server.of("hub") if "/resolve/" in request.path]
    assert len(resolved) == MANY.connections, "the two that were refused did not come again"


def test_a_server_that_refuses_all_ends_with_its_wait(server: HubServer, destination: Path) -> None:
    server.faults.extend([GOOD] + [Fault("status", status=429, seconds=3600)] * 20)
    with pytest.raises(HubBusy):
        fetch_now(server, destination, options=MANY)
    assert claimed_bytes(destination) > 0


def test_a_connection_that_hangs_does_not_hold_the_rest(server: HubServer, source: Path, destination: Path) -> None:
    options = msgspec.structs.replace(MANY, patience=0.2)
    server.faults.extend([GOOD, Fault("stall", at=1000)])
    fetch_now(server, destination, options=options)
    assert destination.read_bytes() == source.read_bytes()
    assert leftovers(destination) == []


def test_an_address_that_expires_in_the_middle_is_asked_for_anew(
    server: HubServer, source: Path, destination: Path
) -> None:
    server.uses_of_an_address = 1
    seen: list[DownloadProgress] = []
    fetch_now(server, destination, options=MANY, seen=seen)
    assert destination.read_bytes() == source.read_bytes()
    resolved = [request for request in server.of("hub") if "/resolve/" in request.path]
    assert len(resolved) > MANY.connections
    assert [progress.message for progress in seen if progress.message] == [], "that is no failure"


def test_the_token_never_reaches_the_other_host(server: HubServer, destination: Path) -> None:
    server.gate(REPO, "hf_secret")
    server.faults.extend([GOOD, Fault("cut", at=1000), Fault("status", status=403), Fault("reset", at=50_000)])
    fetch_now(server, destination, token="hf_secret", options=MANY)
    assert {request.authorization for request in server.of("cdn")} == {None}
    assert {request.authorization for request in server.of("hub")} == {"Bearer hf_secret"}


def test_all_connections_cut_at_once_cost_less_than_a_mebibyte(
    server: HubServer, source: Path, destination: Path
) -> None:
    server.faults.extend([GOOD] + [Fault("cut", at=100_000)] * MANY.connections)
    fetch_now(server, destination, options=MANY)
    assert destination.read_bytes() == source.read_bytes()
    assert server.settled().bytes_sent == source.stat().st_size, "what came before a cut is kept to the last byte"


def test_what_was_kept_and_is_wrong_is_fetched_once_more_in_words(
    server: HubServer, source: Path, destination: Path
) -> None:
    keep(server, source, destination, MIB)
    with part_path(destination).open("r+b") as part:
        part.seek(1000)
        part.write(b"a disk that forgets")
    seen: list[DownloadProgress] = []
    fetch_now(server, destination, seen=seen)
    assert destination.read_bytes() == source.read_bytes()
    assert (seen[0].resumed_from, seen[-1].resumed_from) == (MIB, 0)
    said = {progress.message.render() for progress in seen if progress.message}
    assert "What was kept of an earlier download is damaged: starting again from the beginning." in said


def test_a_part_of_another_version_is_not_mixed_in(server: HubServer, source: Path, destination: Path) -> None:
    keep(server, source, destination, MIB)
    server.etag_prefix = "new-"
    fetch_now(server, destination, options=MANY)
    assert destination.read_bytes() == source.read_bytes()


def test_the_limit_of_all_transfers_holds_for_all_connections(server: HubServer, destination: Path) -> None:
    taken = 0

    class Counting(BandwidthLimiter):
        async def pace(self, count: int) -> None:
            nonlocal taken
            taken += count
            await super().pace(count)

    async def run() -> None:
        hub = hub_of(server)
        [file] = await hub.files(repo=REPO, file=FILE)
        limiter = Counting(lambda: 50_000_000)
        await download(file=file, destination=destination, hub=hub, options=MANY, limiter=limiter)

    asyncio.run(run())
    assert taken == server.settled().bytes_sent, "every byte is counted"


def test_a_transfer_that_gives_up_keeps_what_all_connections_brought(
    server: HubServer, source: Path, destination: Path
) -> None:
    server.faults.extend([GOOD] * 5 + [Fault("cut", at=0)] * 40)
    with pytest.raises(TransferGaveUp):
        fetch_now(server, destination, options=MANY)
    lost = server.settled().bytes_sent - claimed_bytes(destination)
    assert 0 <= lost <= MIB, "only what was still on its way"
    server.faults.clear()
    fetch_now(server, destination, options=MANY)
    assert hashlib.sha256(destination.read_bytes()).hexdigest() == server.repositories[REPO].files[FILE].sha256
    assert server.settled().bytes_sent == source.stat().st_size + lost


def test_cancelling_several_connections_keeps_the_part(server: HubServer, source: Path, destination: Path) -> None:
    async def cancel_half_way() -> None:
        task: asyncio.Task[Path] = asyncio.ensure_future(fetch(server, destination, options=MANY))
        while claimed_bytes(destination) < MIB:
            await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()

    server.held_from = 2 * MIB
    asyncio.run(cancel_half_way())
    kept = claimed_bytes(destination)
    assert MIB <= kept < source.stat().st_size
    server.held_from = None
    seen: list[DownloadProgress] = []
    fetch_now(server, destination, seen=seen)
    assert destination.read_bytes() == source.read_bytes()
    assert seen[-1].resumed_from == kept
