"""What the gauge's samples cost while nothing happens: processor time of the owner and the sampler's child together.

    python -m benchmarks.sampler_idle [--seconds 60]

At the default rate (one sample a second), with the stub NVML of two cards and this machine's own processes as "ours".
The bound is the share of one core. Start-up of the child is not in it; the window's own drawing is not, either.
"""

import argparse
import asyncio
import os
import sys
import tempfile
from pathlib import Path

import psutil

from desktop.hardware.sampler import HardwareSampler
from tests.support.stub_nvml import build_stub_nvml, card, write_scenario

BOUND = 0.5
"""Per cent of a core."""

INTERVAL = 1.0
SETTLE = 3
"""Samples before the count begins: imports and first questions are start-up."""


async def measure(seconds: float) -> tuple[float, float, int]:
    """Return processor seconds of owner and child, and the number of samples, over `seconds`."""
    async with HardwareSampler(interval=INTERVAL, own_pids=lambda: (os.getpid(),)) as sampler:
        for _ in range(SETTLE):
            await anext(sampler)
        owner, child = psutil.Process(), psutil.Process(sampler.child_pid)
        before = _spent(owner), _spent(child)
        samples = round(seconds / INTERVAL)
        for _ in range(samples):
            sample = await anext(sampler)
        if len(sample.gpus) != 2:
            raise RuntimeError(f"the sample has {len(sample.gpus)} cards: {sample.problems}")
        return _spent(owner) - before[0], _spent(child) - before[1], samples


def _spent(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def main() -> int:
    """Print the share of a core; exit code 1 above BOUND."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0)
    seconds = parser.parse_args().seconds
    with tempfile.TemporaryDirectory() as folder:
        held = f"{os.getpid()}:{6 << 30}"
        cards = [card("RTX 4070", 12, 6.8, compute=held), card("RTX 3060", 8, 2.9, compute=held)]
        os.environ["STUB_NVML_SCENARIO"] = str(write_scenario(Path(folder) / "scenario.txt", *cards))
        os.environ["SNUG_NVML_LIBRARY"] = str(build_stub_nvml(Path(folder)))
        owner, child, samples = asyncio.run(measure(seconds))
    share = 100 * (owner + child) / (samples * INTERVAL)
    word = "ok" if share <= BOUND else "MISSED"
    print(
        f"sampling two cards at {1 / INTERVAL:.0f} Hz over {samples} samples: {share:.3f} % of a core "
        f"(owner {100 * owner / samples:.3f} %, child {100 * child / samples:.3f} %), bound {BOUND} %: {word}"
    )
    return int(share > BOUND)


if __name__ == "__main__":
    sys.exit(main())
