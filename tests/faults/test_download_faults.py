"""A bad line, an odd server: a download ends whole and right, or can be resumed."""

import asyncio
import contextlib
import random
import threading
import time
from pathlib import Path

import msgspec
import pytest

from desktop.catalog.hub import Hub
from desktop.catalog.hub_errors import HubAccessDenied, HubBusy, HubFileMissing, OfflineSwitchOn, PageInstead
from desktop.download import transfer
from desktop.download.connections import FLUSH
from desktop.download.part import part_path
from desktop.download.transfer import download
from desktop.download.types import ChecksumMismatch, DownloadProgress, TransferGaveUp
from tests.support.hub_server import Fault, FaultKind, HubServer
from tests.support.hubs import FILE, REPO
from tests.support.transfers import IMPATIENT, PATIENT, fetch, fetch_now, hub_of, leftovers

MIB = 1 << 20


def test_a_good_line_brings_the_file_and_leaves_nothing_beside_it(
    server: HubServer, source: Path, destination: Path
) -> None:
    seen: list[DownloadProgress] = []
    assert fetch_now(server, destination, seen=seen) == destination
    assert destination.read_bytes() == source.read_bytes()
    assert leftovers(destination) == []
    assert server.settled().bytes_sent == source.stat().st_size
    assert seen[-1].state == "verifying"
    assert seen[-1].done == seen[-1].total == source.stat().st_size
    assert seen[-1].verified == 1.0
    assert {each.verified for each in seen if each.state == "downloading"} == {None}


def test_a_file_that_is_there_and_right_is_not_fetched_again(server: HubServer, destination: Path) -> None:
    fetch_now(server, destination)
    before, seen = server.settled().bytes_sent, list[DownloadProgress]()
    fetch_now(server, destination, seen=seen)
    assert server.settled().bytes_sent == before
    assert seen[-1].resumed_from == destination.stat().st_size
    assert [each.verified for each in seen][-1] == 1.0, "reading it may take minutes"


@pytest.mark.parametrize("kind", ["cut", "reset", "stall"])
def test_a_line_that_breaks_is_taken_up_where_it_broke(
    server: HubServer, source: Path, destination: Path, kind: FaultKind
) -> None:
    seen: list[DownloadProgress] = []
    server.faults.append(Fault(kind, at=2 * MIB))
    fetch_now(server, destination, options=IMPATIENT if kind == "stall" else PATIENT, seen=seen)
    assert destination.read_bytes() == source.read_bytes()
    assert server.bytes_sent - source.stat().st_size <= MIB
    second = server.of("cdn")[1]
    assert second.range is not None
    assert second.if_range is not None
    assert any(progress.message and "Trying again" in progress.message.render() for progress in seen)


@pytest.mark.parametrize(
    "fault",
    [Fault("truncate"), Fault("too_long"), Fault("drip", at=200_000), Fault("status", status=500)],
)
def test_an_odd_answer_does_no_harm(server: HubServer, source: Path, destination: Path, fault: Fault) -> None:
    server.faults.append(fault)
    fetch_now(server, destination)
    assert destination.read_bytes() == source.read_bytes()
    assert leftovers(destination) == []


@pytest.mark.parametrize("came", [0, MIB])
def test_a_page_instead_of_the_file_ends_the_download_at_once_and_keeps_what_came(
    server: HubServer, source: Path, destination: Path, came: int
) -> None:
    server.faults.extend([Fault("cut", at=came)] * bool(came) + [Fault("page")])
    with pytest.raises(PageInstead) as raised:
        fetch_now(server, destination)
    message, hint = raised.value.explain()
    assert message == f"{server.cdn} sent a web page instead of what was asked for."
    assert "log in" in hint
    asked = 1 + bool(came)
    assert len(server.of("cdn")) == asked, "no attempt is better while nobody has logged in"
    fetch_now(server, destination)
    assert server.of("cdn")[asked].range == (f"bytes={came}-" if came else None)
    assert destination.read_bytes() == source.read_bytes()


def test_what_a_restart_threw_away_is_not_said_to_be_kept(server: HubServer, destination: Path) -> None:
    server.faults.extend([Fault("cut", at=MIB)] + [Fault("status", status=416)] * 20)
    with pytest.raises(TransferGaveUp) as raised:
        fetch_now(server, destination)
    assert leftovers(destination) == []
    assert "Nothing of it could be kept" in raised.value.explain().hint


@pytest.mark.parametrize("kind", ["wrong_range", "full", "truncate"])
def test_an_odd_answer_to_a_resumption_does_no_harm(
    server: HubServer, source: Path, destination: Path, kind: FaultKind
) -> None:
    server.faults.extend([Fault("cut", at=MIB), Fault(kind)])
    fetch_now(server, destination)
    assert destination.read_bytes() == source.read_bytes()


def test_a_part_whose_origin_has_changed_is_started_again(server: HubServer, source: Path, destination: Path) -> None:
    server.faults.extend([Fault("cut", at=MIB)] + [Fault("status")] * 3)
    with pytest.raises(TransferGaveUp):
        fetch_now(server, destination)
    server.etag_prefix = "new-"
    seen: list[DownloadProgress] = []
    fetch_now(server, destination, seen=seen)
    assert destination.read_bytes() == source.read_bytes()
    assert seen[-1].resumed_from == 0, "nothing of it was of use"


def test_a_part_longer_than_the_file_or_of_another_file_is_discarded(
    server: HubServer, source: Path, destination: Path
) -> None:
    server.faults.extend([Fault("cut", at=MIB)] + [Fault("status")] * 3)
    with pytest.raises(TransferGaveUp):
        fetch_now(server, destination)
    with part_path(destination).open("ab") as part:
        part.write(bytes(source.stat().st_size))
    fetch_now(server, destination)
    assert destination.read_bytes() == source.read_bytes()
    part_path(destination).write_bytes(b"no sidecar says what this is")
    destination.unlink()
    fetch_now(server, destination)
    assert destination.read_bytes() == source.read_bytes()


def test_a_part_whose_note_is_bottomless_is_started_again(server: HubServer, source: Path, destination: Path) -> None:
    destination.parent.mkdir()
    part = part_path(destination)
    part.write_bytes(b"x" * 1000)
    part.with_name(part.name + ".json").write_bytes(b'{"a":' + b"[" * 200_000)
    fetch_now(server, destination)
    assert destination.read_bytes() == source.read_bytes()


def test_a_flipped_byte_is_found_and_the_damaged_part_removed(server: HubServer, destination: Path) -> None:
    server.faults.append(Fault("flip", at=1_234_567))
    with pytest.raises(ChecksumMismatch):
        fetch_now(server, destination)
    assert not destination.exists()
    assert leftovers(destination) == []


def test_the_old_file_stays_until_the_new_one_is_whole_and_right(server: HubServer, destination: Path) -> None:
    destination.parent.mkdir()
    destination.write_bytes(b"the old one")
    server.faults.append(Fault("flip", at=5))
    with pytest.raises(ChecksumMismatch):
        fetch_now(server, destination)
    assert destination.read_bytes() == b"the old one"


def test_a_server_that_never_recovers_ends_with_words_and_a_part(server: HubServer, destination: Path) -> None:
    server.faults.extend([Fault("cut", at=MIB)] + [Fault("status", status=503)] * 20)
    with pytest.raises(TransferGaveUp) as raised:
        fetch_now(server, destination)
    assert "503" in raised.value.explain().message
    assert "What came so far is kept" in raised.value.explain().hint
    assert part_path(destination).stat().st_size >= MIB - FLUSH
    assert len(server.of("cdn")) == PATIENT.attempts, "the number of attempts is bounded"


def test_a_busy_server_is_given_the_time_it_asks_for(server: HubServer, destination: Path) -> None:
    server.faults.append(Fault("status", status=429, seconds=1))
    began = time.monotonic()
    fetch_now(server, destination)
    assert time.monotonic() - began >= 1
    server.faults.append(Fault("status", status=429, seconds=3600))
    destination.unlink()
    with pytest.raises(HubBusy):
        fetch_now(server, destination)


def test_an_expired_address_is_asked_for_again(server: HubServer, destination: Path) -> None:
    server.faults.append(Fault("status", status=403))
    fetch_now(server, destination)
    assert len([request for request in server.of("hub") if "/resolve/" in request.path]) == 2


def test_the_token_opens_a_gated_file_and_never_reaches_another_host(server: HubServer, destination: Path) -> None:
    server.gate(REPO, "hf_secret")
    with pytest.raises(HubAccessDenied) as raised:
        fetch_now(server, destination)
    assert f"{server.endpoint}/{REPO}" in raised.value.explain().hint
    server.faults.append(Fault("cut", at=MIB))
    fetch_now(server, destination, token="hf_secret")
    assert {request.authorization for request in server.of("hub")} == {None, "Bearer hf_secret"}
    assert {request.authorization for request in server.of("cdn")} == {None}


def test_a_fault_that_is_not_the_disks_is_not_told_as_one(
    server: HubServer, destination: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_anything: object) -> None:
        raise OSError("too many open files")

    monkeypatch.setattr(transfer, "make_client", fail)
    with pytest.raises(OSError, match="too many open files"):
        fetch_now(server, destination)


def test_a_file_that_vanished_is_named(server: HubServer, destination: Path) -> None:
    async def vanish() -> None:
        hub = hub_of(server)
        [file] = await hub.files(repo=REPO, file=FILE)
        server.repositories[REPO].files.clear()
        await download(file=file, destination=destination, hub=hub, options=PATIENT)

    with pytest.raises(HubFileMissing):
        asyncio.run(vanish())


@pytest.mark.parametrize("stalls_at", ["the Hub", "the first byte", "the middle"])
def test_the_network_switch_ends_a_transfer_on_which_nothing_comes(
    server: HubServer, source: Path, destination: Path, stalls_at: str
) -> None:
    options = msgspec.structs.replace(PATIENT, stall=3600.0)  # the switch alone can have ended it

    async def switch_off() -> None:
        switch = threading.Event()
        hub = Hub(server.endpoint, offline=switch.is_set, environment={})
        [file] = await hub.files(repo=REPO, file=FILE)
        faults = server.hub_faults if stalls_at == "the Hub" else server.faults
        faults.append(Fault("stall", at=MIB if stalls_at == "the middle" else 0, seconds=3600))
        task = asyncio.ensure_future(download(file=file, destination=destination, hub=hub, options=options))
        while faults or (stalls_at == "the middle" and server.bytes_sent < MIB):
            await asyncio.sleep(0.02)
        switch.set()
        with pytest.raises(OfflineSwitchOn):
            await task

    asyncio.run(switch_off())
    fetch_now(server, destination)
    assert destination.read_bytes() == source.read_bytes()


def test_the_network_switch_ends_a_transfer_at_once(server: HubServer, destination: Path) -> None:
    async def switch_off() -> None:
        came = [0]
        hub = Hub(server.endpoint, offline=lambda: came[0] > MIB, environment={})
        [file] = await hub.files(repo=REPO, file=FILE)

        def off(progress: DownloadProgress) -> None:
            came[0] = progress.done
            if came[0] > MIB:
                server.held_from = None

        server.held_from = 2 * MIB
        await download(file=file, destination=destination, hub=hub, on_progress=off, options=PATIENT)

    with pytest.raises(OfflineSwitchOn):
        asyncio.run(switch_off())
    assert part_path(destination).stat().st_size > MIB - FLUSH


def test_cancelling_keeps_the_part_and_the_next_time_goes_on(
    server: HubServer, source: Path, destination: Path
) -> None:
    async def cancel_half_way() -> None:
        task: asyncio.Task[Path] = asyncio.ensure_future(fetch(server, destination))
        part = part_path(destination)
        while not part.exists() or part.stat().st_size < MIB:
            await asyncio.sleep(0.01)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    server.held_from = 2 * MIB
    asyncio.run(cancel_half_way())
    kept = part_path(destination).stat().st_size
    assert MIB <= kept < source.stat().st_size
    server.held_from = None
    fetch_now(server, destination)
    assert server.of("cdn")[-1].range == f"bytes={kept}-"
    assert destination.read_bytes() == source.read_bytes()


FAULTS: tuple[FaultKind, ...] = (
    "cut", "reset", "stall", "truncate", "too_long", "flip", "wrong_range", "full", "drip", "status", "page",
)  # fmt: skip


def random_faults(seed: int, size: int) -> list[Fault]:
    chance = random.Random(seed)
    kinds = [chance.choice(FAULTS) for _ in range(chance.randint(1, 5))]
    return [
        Fault(
            kind,
            at=chance.randrange(min(size, 150_000) if kind == "drip" else size),
            status=chance.choice([429, 500, 503]),
        )
        for kind in kinds
    ]


@pytest.mark.parametrize("seed", range(20))
def test_whatever_happens_no_wrong_file_is_accepted(
    server: HubServer, source: Path, destination: Path, seed: int
) -> None:
    """The short form of the campaign; every run ends whole, or with words and a next time that ends whole."""
    server.faults.extend(random_faults(seed, source.stat().st_size))
    for _ in range(6):
        try:
            fetch_now(server, destination, options=IMPATIENT)
        except (TransferGaveUp, ChecksumMismatch, PageInstead):
            assert not destination.exists()
        else:
            break
    assert destination.read_bytes() == source.read_bytes()
    assert leftovers(destination) == []
