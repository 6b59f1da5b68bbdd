"""A killed process, two processes, a full disk: what came is kept, and nothing wrong gets a name."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from desktop.download.connections import FLUSH
from desktop.download.part import part_path
from desktop.download.sidecar import claimed_bytes
from desktop.download.transfer import download
from desktop.download.types import DownloadProgress, NoRoomForDownload
from desktop.errors import AppError
from desktop.files import FileNotSaved
from tests.support.hub_server import HubServer
from tests.support.hubs import FILE, REPO
from tests.support.transfers import PATIENT, fetch_now, hub_of, leftovers, make_source

MIB = 1 << 20


FETCH_IN_ANOTHER_PROCESS = """
import asyncio, sys
from pathlib import Path
from desktop.catalog.hub import Hub
from desktop.download.transfer import download
async def main():
    hub = Hub(sys.argv[1])
    [file] = await hub.files(repo=sys.argv[3], file=sys.argv[4])
    await download(file=file, destination=Path(sys.argv[2]), hub=hub)
asyncio.run(main())
"""


def fetch_in_another_process(server: HubServer, destination: Path, root: Path) -> "subprocess.Popen[bytes]":
    environment = dict(os.environ, NO_PROXY="127.0.0.1")
    return subprocess.Popen(fetch_command(server, destination), cwd=root, env=environment)


def fetch_command(server: HubServer, destination: Path, code: str = FETCH_IN_ANOTHER_PROCESS) -> list[str]:
    return [sys.executable, "-c", code, server.endpoint, str(destination), REPO, FILE]


def wait_for(condition: Callable[[], bool], *, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no kill -9 on this system")
def test_a_killed_process_costs_less_than_a_mebibyte(tmp_path: Path, destination: Path, project_root: Path) -> None:
    source = make_source(tmp_path, size=12 * MIB, seed=7)
    with HubServer() as server:
        server.add(REPO, FILE, source)
        server.bytes_per_second, server.held_from = 8e6, 5 * MIB
        child = fetch_in_another_process(server, destination, project_root)
        wait_for(lambda: claimed_bytes(destination) >= 5 * MIB - FLUSH)
        child.kill()
        child.wait()
        server.bytes_per_second = server.held_from = None
        fetch_now(server, destination)
        assert server.settled().bytes_sent - source.stat().st_size <= MIB
    assert destination.read_bytes() == source.read_bytes()
    assert leftovers(destination) == []


def test_two_processes_share_one_transfer(
    server: HubServer, source: Path, destination: Path, project_root: Path
) -> None:
    server.bytes_per_second = 3e6
    children = [fetch_in_another_process(server, destination, project_root) for _ in range(2)]
    assert [child.wait(timeout=100) for child in children] == [0, 0]
    assert destination.read_bytes() == source.read_bytes()
    assert leftovers(destination) == []
    assert server.settled().bytes_sent == source.stat().st_size


@contextlib.contextmanager
def small_disk(folder: Path, size: int) -> Iterator[None]:
    """Mount a tmpfs of `size` bytes on `folder`, or skip the test, saying why."""
    folder.mkdir()
    options = f"size={size},mode=0777"
    mount = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], capture_output=True, text=True, check=False
    ) if sys.platform == "linux" else None  # fmt: skip
    if mount is None or mount.returncode:
        pytest.skip(f"no small disk can be mounted here: {mount.stderr.strip() if mount else sys.platform}")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_disk_without_room_is_told_before_a_byte_is_fetched(server: HubServer, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 2 * MIB):
        with pytest.raises(NoRoomForDownload) as raised:
            fetch_now(server, tmp_path / "disk" / FILE)
        assert "MB" in raised.value.explain().message
        assert server.bytes_sent == 0
        assert list((tmp_path / "disk").iterdir()) == []


def test_a_disk_that_fills_up_meanwhile_keeps_the_part_and_the_old_file(
    server: HubServer, source: Path, tmp_path: Path
) -> None:
    disk = tmp_path / "disk"
    with small_disk(disk, 16 * MIB):
        destination, filler = disk / FILE, disk / "filler"
        destination.write_bytes(b"the old one")
        server.held_from = 2 * MIB

        def fill(progress: DownloadProgress) -> None:
            if progress.done > MIB and not filler.exists():
                with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
                    while True:
                        file.write(bytes(65536))
                server.held_from = None

        with pytest.raises(NoRoomForDownload):
            fetch_now_with(server, destination, fill)
        assert destination.read_bytes() == b"the old one"
        kept = part_path(destination).stat().st_size
        assert kept > MIB // 2
        filler.unlink()
        fetch_now(server, destination)
        assert destination.read_bytes() == source.read_bytes()
        assert server.of("cdn")[-1].range == f"bytes={kept}-"


def fetch_now_with(server: HubServer, destination: Path, on_progress: Callable[[DownloadProgress], None]) -> None:
    async def run() -> None:
        hub = hub_of(server)
        [file] = await hub.files(repo=REPO, file=FILE)
        await download(file=file, destination=destination, hub=hub, on_progress=on_progress, options=PATIENT)

    asyncio.run(run())


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit to set; there it takes a FAT32 disk")
def test_a_disk_that_cannot_hold_so_large_a_file_is_named(
    server: HubServer, destination: Path, project_root: Path
) -> None:
    """RLIMIT_FSIZE makes the kernel answer as FAT32 does beyond 4 GiB: EFBIG."""
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))\n"
    child = subprocess.run(
        fetch_command(server, destination, limit + FETCH_IN_ANOTHER_PROCESS),
        cwd=project_root, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert "FileTooLarge" in child.stderr
    assert not destination.exists()
    fetch_now(server, destination)
    assert server.of("cdn")[-1].range == f"bytes={MIB}-", "what came is kept"


def test_a_folder_where_the_file_should_be_is_told_before_a_byte_is_fetched(
    server: HubServer, destination: Path
) -> None:
    destination.mkdir(parents=True)
    with pytest.raises(FileNotSaved) as raised:
        fetch_now(server, destination)
    assert str(destination) in raised.value.explain().message
    assert server.bytes_sent == 0
    assert leftovers(destination) == []


def test_a_folder_that_may_not_be_written_is_named(server: HubServer, tmp_path: Path) -> None:
    blocker = tmp_path / "a-file-where-a-folder-should-be"
    blocker.write_bytes(b"")
    with pytest.raises(AppError) as raised:
        fetch_now(server, blocker / "models" / FILE)
    assert str(blocker) in raised.value.explain().message
