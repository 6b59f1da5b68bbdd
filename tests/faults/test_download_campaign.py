"""By chance: bad lines over one and several connections, and kill -9 at any moment. `--campaign` makes many runs.

What is counted: no wrong file under its name, every run ends whole or can be resumed, and a cut costs at most 1 MiB.
"""

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest

from desktop.catalog.hub_errors import HubBusy, PageInstead
from desktop.download.sidecar import claimed_bytes
from desktop.download.types import ChecksumMismatch, TransferGaveUp, TransferOptions
from tests.support.hub_server import Fault, FaultKind, HubServer, Recorded
from tests.support.hubs import FILE, REPO
from tests.support.transfers import IMPATIENT, MANY, MANY_IMPATIENT, fetch, fetch_now, leftovers, make_source

MIB = 1 << 20
CUTS: tuple[FaultKind, ...] = ("cut", "reset", "stall")
"""The line breaks: what came before counts."""

ODD: tuple[FaultKind, ...] = ("truncate", "too_long", "wrong_range", "full", "status", "page")
"""The answer as a whole cannot be right, so none of its bytes is used."""

ANEW: tuple[FaultKind, ...] = ("flip", "full", "page")
"""All of it comes once more, or what the other connections had on their way: on loopback nearly all of it."""

FAILURES = (TransferGaveUp, ChecksumMismatch, HubBusy, PageInstead)
FAULTS: tuple[FaultKind, ...] = (*CUTS, *ODD, "flip", "drip")
FETCH = """
import asyncio, sys
from pathlib import Path
from tests.support.transfers import MANY
from desktop.catalog.hub import Hub
from desktop.download.transfer import download
async def main():
    hub = Hub(sys.argv[1], environment={})
    [file] = await hub.files(repo=sys.argv[3], file=sys.argv[4])
    await download(file=file, destination=Path(sys.argv[2]), hub=hub, options=MANY)
asyncio.run(main())
"""


def faults_of(chance: random.Random, size: int) -> list[Fault]:
    """Faults for the answers in turn, with good ones between them."""
    found = []
    for _ in range(chance.randint(1, 10)):
        found += [Fault("drip")] * chance.randrange(3)
        kind = chance.choice(FAULTS)
        at = chance.randrange(50_000 if kind == "drip" else size // chance.choice([1, 8, 30]))
        found.append(Fault(kind, at=at, status=chance.choice([403, 429, 500, 503])))
    return found


def fetched_twice(server: HubServer, size: int) -> int:
    """Bytes that were sent again, but those of answers that could not be used at all."""
    useful = [request.sent for request in server.of("cdn") if not is_odd(request)]
    return sum(useful) - size


def is_odd(request: Recorded) -> bool:
    return request.fault is not None and request.fault.kind in ODD


async def paused_after(server: HubServer, destination: Path, options: TransferOptions, seconds: float) -> None:
    """Somebody pauses it; it may have failed or ended before, which the next attempt shows."""
    task = asyncio.ensure_future(fetch(server, destination, options=options))
    await asyncio.wait([task], timeout=seconds)
    task.cancel()
    await asyncio.wait([task])
    if not task.cancelled():
        assert task.exception() is None or isinstance(task.exception(), FAILURES)


def one_run(server: HubServer, folder: Path, seed: int, content: bytes) -> str:
    """One download until it is whole; returns what happened, for the message of a failed assertion."""
    chance, destination = random.Random(seed), folder / f"{seed}" / FILE
    server.faults.clear()
    server.requests.clear()
    server.faults.extend(faults_of(chance, len(content)))
    options = msgspec.structs.replace(chance.choice([IMPATIENT, MANY_IMPATIENT]), connections=chance.randint(1, 4))
    story = f"seed {seed}, {[(fault.kind, fault.at) for fault in server.faults]}, "
    story += f"{options.connections} connections, pieces of {options.least_piece}"
    old = chance.random() < 0.3
    if old:
        destination.parent.mkdir(parents=True)
        destination.write_bytes(b"the old one")
    damaged, pauses = False, chance.choice([0, 0, 1, 2])
    # What the system had taken and nobody had read is lost with a pause: on loopback else the whole file.
    server.bytes_per_second, server.send_buffer = (15e6, 16 << 10) if pauses else (None, None)
    for _ in range(pauses):
        asyncio.run(paused_after(server, destination, options, chance.uniform(0, 0.3)))
    for _ in range(12):
        kept = claimed_bytes(destination)
        try:
            fetch_now(server, destination, options=options)
        except FAILURES as error:
            damaged |= isinstance(error, ChecksumMismatch)
            assert (destination.read_bytes() if destination.exists() else None) == (b"the old one" if old else None)
            restarted = damaged or any(request.status in (200, 416) for request in server.of("cdn"))
            assert claimed_bytes(destination) >= kept or restarted, story
        else:
            break
    assert destination.read_bytes() == content, story
    assert leftovers(destination) == [], story
    cuts = sum(request.fault is not None and request.fault.kind in CUTS for request in server.of("cdn"))
    anew = any(request.fault is not None and request.fault.kind in ANEW for request in server.of("cdn"))
    if not anew:
        assert fetched_twice(server, len(content)) <= (cuts + pauses) * MIB, story
    destination.unlink()
    return story


@pytest.mark.timeout(7200)
def test_whatever_happens_no_wrong_file_is_accepted_and_every_run_ends_whole(
    server: HubServer, source: Path, tmp_path: Path, campaign_factor: int
) -> None:
    content = source.read_bytes()
    for seed in range(20 * campaign_factor):
        one_run(server, tmp_path / "runs", seed, content)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no kill -9 on this system")
@pytest.mark.timeout(7200)
def test_killed_at_any_moment_it_goes_on(tmp_path: Path, project_root: Path, campaign_factor: int) -> None:
    source = make_source(tmp_path, size=6 * MIB, seed=3)
    environment = dict(os.environ, NO_PROXY="127.0.0.1")
    with HubServer() as server:
        server.add(REPO, FILE, source)
        server.send_buffer = 16 << 10  # what the system has taken is lost, and a child may stand still for a while
        for number in range(2 * campaign_factor):
            chance, destination = random.Random(number), tmp_path / f"{number}" / FILE
            server.requests.clear()
            server.bytes_per_second = 3e6
            for _ in range(2):
                command = [sys.executable, "-c", FETCH, server.endpoint, str(destination), REPO, FILE]
                child = subprocess.Popen(command, cwd=project_root, env=environment)
                kill_after(child, server, chance.uniform(0, 0.7))
            server.bytes_per_second = None
            fetch_now(server, destination, options=MANY)
            assert destination.read_bytes() == source.read_bytes(), number
            assert leftovers(destination) == [], number
            assert server.bytes_sent - source.stat().st_size <= 2 * MIB, number
            destination.unlink()


def kill_after(child: "subprocess.Popen[bytes]", server: HubServer, seconds: float) -> None:
    """Kill it `seconds` after its first request for bytes, or let it end before."""
    before, deadline = len(server.of("cdn")), time.monotonic() + 60
    while len(server.of("cdn")) == before and child.poll() is None:
        assert time.monotonic() < deadline, "it never began"
        time.sleep(0.005)
    time.sleep(seconds)
    child.kill()
    child.wait()
