"""Takes samples of the machine. Runs in the sampler's child; the graphics driver is asked on a thread of its own.

So a driver that hangs costs the GPUs in the sample, and main memory goes on being told.
"""

import math
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import psutil

from desktop.hardware.cgroup import Cgroup
from desktop.hardware.memory import usable_memory
from desktop.hardware.sources import failed_source, slow_source
from desktop.hardware.types import GpuSample, HardwareSample, SourceProblem

GPU_PATIENCE = 2.0
"""Seconds without news from the driver, beyond one interval, after which the GPUs are told as a problem."""


class MachineSampler:
    """Main memory at once, and the GPUs as last read; `watch` tells whose memory is "ours"."""

    def __init__(self, *, interval: float, pids: Iterable[int]) -> None:
        self._gpus = _GpuThread(interval)
        self._cgroup = Cgroup()
        self.watch(pids)

    def watch(self, pids: Iterable[int]) -> None:
        """Count these processes as ours from the next sample on."""
        self._processes = {pid: _process(pid) for pid in pids}
        self._gpus.pids = tuple(self._processes)

    def sample(self) -> HardwareSample:
        """Return the machine as it is now."""
        ram = usable_memory(self._cgroup)
        resident, mapped = self._ours()
        gpus = self._gpus.latest()
        return HardwareSample(
            time=time.monotonic(),
            ram_total=ram.total,
            ram_used=ram.total - ram.available,
            ram_used_by_us=resident,
            ram_mapped_by_us=mapped,
            gpus=gpus.samples,
            problems=gpus.problems,
        )

    def _ours(self) -> tuple[int, int]:
        resident = mapped = 0
        for process in self._processes.values():
            try:
                memory = process.memory_info() if process else None
            except psutil.Error:
                continue  # it has ended: nothing of it is resident
            if memory is not None:
                resident += memory.rss
                mapped += getattr(memory, "shared", 0)  # told on Linux only
        return resident, min(mapped, resident)


def _process(pid: int) -> psutil.Process | None:
    try:
        return psutil.Process(pid)
    except psutil.NoSuchProcess:
        return None


class _Gpus(NamedTuple):
    """The cards at one moment, and what was wrong with some of them."""

    samples: tuple[GpuSample, ...] = ()
    problems: tuple[SourceProblem, ...] = ()


class _GpuState(NamedTuple):
    """What was last heard of the GPUs, and when (time.monotonic; infinity where there are none to ask)."""

    heard: float
    gpus: _Gpus = _Gpus()


class _GpuThread:
    """Asks the drivers once per interval on a daemon thread; `latest` never waits for them."""

    def __init__(self, interval: float) -> None:
        self.pids: tuple[int, ...] = ()
        self._interval = interval
        self._state = _GpuState(time.monotonic())
        self._heard = threading.Event()
        threading.Thread(target=self._run, name="gpu samples", daemon=True).start()

    def latest(self) -> _Gpus:
        """The GPUs as last read; none and a problem when that is too long ago.

        Only the very first time it waits, so that a machine with GPUs is not told as one without.
        """
        if not self._heard.is_set() and not self._heard.wait(GPU_PATIENCE):
            self._heard.set()
            return _Gpus(problems=(slow_source("GPU"),))
        state = self._state
        if time.monotonic() - state.heard > self._interval + GPU_PATIENCE:
            return _Gpus(problems=(slow_source("GPU"),))
        return state.gpus

    def _run(self) -> None:
        while True:
            try:
                for gpus in _gpu_samples(lambda: self.pids):
                    self._tell(_GpuState(time.monotonic(), gpus))
                    time.sleep(self._interval)
                self._tell(_GpuState(math.inf))
                return
            except Exception as error:  # noqa: BLE001 - whatever a driver's binding raises is told in the sample
                failed = _Gpus(problems=(failed_source("GPU", error),))
                self._tell(_GpuState(time.monotonic(), failed))
            time.sleep(max(self._interval, GPU_PATIENCE / 2))

    def _tell(self, state: _GpuState) -> None:
        self._state = state
        self._heard.set()


def _gpu_samples(pids: Callable[[], tuple[int, ...]]) -> Iterator[_Gpus]:
    """Yield the GPUs each time it is asked; ends at once on a machine without a GPU that tells its memory."""
    if sys.platform == "darwin":
        return  # an Apple GPU lives in main memory, which the sample tells anyway
    # The drivers' bindings are loaded on this thread, so that even loading cannot hold up the first sample.
    from desktop.hardware.drm_samples import sample_drm
    from desktop.hardware.nvidia import nvml
    from desktop.hardware.nvidia_samples import NvidiaSampler

    with nvml() as present:
        nvidia = NvidiaSampler() if present else None
        while True:
            samples, problems = nvidia.sample(pids()) if nvidia else ([], [])
            gpus = _Gpus((*samples, *sample_drm(pids())), tuple(problems))
            if not gpus.samples and nvidia is None:
                return
            yield gpus
