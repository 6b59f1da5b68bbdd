"""Throughput of `snug pull` against `hf download`, and what a large file takes of memory.

    python -m benchmarks.downloads [--pairs 12] [--folder /somewhere]

A real server on loopback in a process of its own (tests/support/hub_server.py; the kernel copies the file), whole
commands as a person types them, the start of the program included, in turn (A B, B A ...), each into a new folder of
the same disk. `snug pull` also computes the SHA-256 and puts the file on the disk for certain, `hf download` neither.
Wanted: at least 1.0 of its throughput where nothing limits the line; at least 2.5 where each connection gets a quarter
of it. Memory (peak resident set of the process): at most 16 MiB more for a file of 1 GiB than for one of 64 MiB.
"""

import argparse
import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.command import Report
from benchmarks.statistics import Bound, Measure, interleaved
from tests.support.hub_server import HubServer

MIB = 1 << 20
REPO = "bench/model-GGUF"
FAST, SLOW, SMALL, LARGE = 1024 * MIB, 96 * MIB, 64 * MIB, 1024 * MIB
QUARTER = 8 * MIB
"""Bytes per second of one connection to the limited server."""

FLAT = 16 * MIB
SERVE = "--serve"


def write_random(path: Path, size: int) -> Path:
    """Write a file that no disk compresses."""
    with path.open("wb") as file:
        for _ in range(size // MIB):
            file.write(os.urandom(MIB))
    return path


def serve(limit: int, paths: list[Path]) -> None:
    """Serve until stdin ends; `limit` in bytes per second and connection, 0 for none."""
    with HubServer() as hub:
        hub.bytes_per_second = limit or None
        for path in paths:
            hub.add(REPO, path.name, path)
        print(hub.endpoint, flush=True)
        sys.stdin.read()


@contextmanager
def server_of(limit: int, *paths: Path) -> Iterator[str]:
    """A server in a process of its own; gives its address."""
    command = [sys.executable, "-m", "benchmarks.downloads", SERVE, str(limit), *map(str, paths)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        yield child.stdout.readline().strip()
        child.stdin.close()


class Side:
    """One of the two programs."""

    def __init__(self, name: str, endpoint: str, file: Path, folder: Path) -> None:
        self._name = name
        self._endpoint = endpoint
        self._file = file
        self._folder = folder

    async def measure(self) -> float:
        """Fetch once into a new folder; MB per second of the whole command."""
        home = Path(tempfile.mkdtemp(dir=self._folder))
        try:
            began = time.perf_counter()
            child = self.start(home)
            out, errors = child.communicate()
            seconds = time.perf_counter() - began
            if child.returncode:
                raise RuntimeError(f"{self._name}: {errors}")
            self._check(home, out)
        finally:
            shutil.rmtree(home)
        return self._file.stat().st_size / seconds / 1e6

    def start(self, home: Path) -> "subprocess.Popen[str]":
        """Start the program with everything it writes under `home`."""
        environment = dict(
            os.environ,
            HF_ENDPOINT=self._endpoint,
            HF_HOME=str(home / "hf"),
            SNUG_HOME=str(home / "snug"),
            HF_HUB_DISABLE_TELEMETRY="1",
            NO_PROXY="127.0.0.1",
        )
        environment.pop("PYTHONDONTWRITEBYTECODE", None)  # both are compiled where they are installed
        commands = {
            "snug": [sys.executable, "-m", "desktop", "pull", f"{REPO}/{self._file.name}", "--json"],
            "hf": [
                str(Path(sys.executable).with_name("hf")),
                "download",
                REPO,
                self._file.name,
                "--local-dir",
                str(home),
            ],
        }
        pipe = subprocess.PIPE
        return subprocess.Popen(commands[self._name], env=environment, stdout=pipe, stderr=pipe, text=True)

    def _check(self, home: Path, out: str) -> None:
        path = Path(json.loads(out)["path"]) if self._name == "snug" else home / self._file.name
        if path.stat().st_size != self._file.stat().st_size:
            raise RuntimeError(f"{self._name} brought {path.stat().st_size} bytes")


def peak_memory(endpoint: str, file: Path, folder: Path) -> int:
    """Bytes of the largest resident set of `snug pull` for `file`; 0 where the system does not tell."""
    home, peak = Path(tempfile.mkdtemp(dir=folder)), 0
    child = Side("snug", endpoint, file, folder).start(home)
    status = Path(f"/proc/{child.pid}/status")
    while child.poll() is None:
        if status.exists():
            words = [line.split() for line in status.read_text(encoding="ascii").splitlines()]
            peak = max([peak, *(int(each[1]) * 1024 for each in words if each[0] == "VmHWM:")])
        time.sleep(0.02)
    child.communicate()
    shutil.rmtree(home)
    return peak


def compare(endpoint: str, file: Path, folder: Path, pairs: int) -> list[tuple[float, ...]]:
    """Fetch with both in turn, after one of each that does not count."""
    sides: list[Measure] = [Side(name, endpoint, file, folder).measure for name in ("snug", "hf")]
    asyncio.run(interleaved(sides, 1))
    return asyncio.run(interleaved(sides, pairs))


def measure(folder: Path, pairs: int, report: Report) -> None:
    """All three."""
    fast, slow = write_random(folder / "fast-Q4_0.gguf", FAST), write_random(folder / "slow-Q4_0.gguf", SLOW)
    with server_of(0, fast) as endpoint:
        found = compare(endpoint, fast, folder, pairs)
        report.ratio("pull with hf download, loopback, 1 GiB", found, Bound(least=1.0), unit="MB/s")
    with server_of(QUARTER, slow) as endpoint:
        found = compare(endpoint, slow, folder, pairs)
        report.ratio("the same, a quarter of the line per connection, 96 MiB", found, Bound(least=2.5), unit="MB/s")
    fast.unlink()
    slow.unlink()
    small, large = write_random(folder / "small-Q4_0.gguf", SMALL), write_random(folder / "large-Q4_0.gguf", LARGE)
    with server_of(0, small, large) as endpoint:
        peaks = [peak_memory(endpoint, file, folder) for file in (small, large)]
    if not all(peaks):
        report.not_measured("this system does not tell the peak of a process's memory")
        return
    text = f"peak memory: {peaks[0] / MIB:.1f} MiB for 64 MiB, {peaks[1] / MIB:.1f} MiB for 1 GiB"
    (report.note if peaks[1] - peaks[0] <= FLAT else report.miss)(text)


def main() -> int:
    """Print the figures."""
    if sys.argv[1:2] == [SERVE]:
        serve(int(sys.argv[2]), [Path(path) for path in sys.argv[3:]])
        return 0
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=12, help="an interval needs at least 6")
    parser.add_argument("--folder", type=Path, help="on the disk to download to (default: the system's temporary one)")
    arguments = parser.parse_args()
    report = Report()
    report.note(f"load {os.getloadavg()[0]:.1f} at the beginning")
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        measure(Path(folder), arguments.pairs, report)
    report.note(f"load {os.getloadavg()[0]:.1f} at the end")
    return report.exit_code


if __name__ == "__main__":
    sys.exit(main())
