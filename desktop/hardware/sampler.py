"""Samples of the machine for the gauge, from a child that is replaced whenever it dies or hangs."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Collection
from types import TracebackType
from typing import Self

import msgspec

from desktop.hardware.child import SamplerOrder
from desktop.hardware.pipe import LineChild
from desktop.hardware.types import HardwareSample

log = logging.getLogger(__name__)

_PATIENCE = 5.0
"""Seconds beyond an interval without a sample after which the child counts as hung; starting it is in there."""

_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0
"""Seconds before a child is replaced: doubled each time, back to the first after a sample."""


class HardwareSampler:
    """An asynchronous iterator over HardwareSample, about one per `interval` seconds, that never raises.

    async with HardwareSampler(own_pids=lambda: (os.getpid(), engine.pid)) as samples:
        async for sample in samples: ...

    A slow reader gets the newest sample and misses older ones. `own_pids` is asked once per sample. Leaving the block
    ends the child.
    """

    def __init__(
        self, *, interval: float = 1.0, own_pids: Callable[[], Collection[int]], patience: float = _PATIENCE
    ) -> None:
        self._interval = interval
        self._own_pids = own_pids
        self._patience = patience
        self._newest: HardwareSample | None = None
        self._news = asyncio.Event()
        self._closed = False
        self._pause = _FIRST_PAUSE
        self._task: asyncio.Task[None] | None = None
        self.child_pid: int | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._keep_sampling(), name="hardware sampler")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> HardwareSample:
        while self._newest is None and not self._closed:
            self._news.clear()
            await self._news.wait()
        if self._closed or self._newest is None:
            raise StopAsyncIteration
        sample, self._newest = self._newest, None
        return sample

    async def close(self) -> None:
        """End the child and every iteration; harmless when repeated."""
        self._closed = True
        self._news.set()
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _keep_sampling(self) -> None:
        while True:
            try:
                await self._sample_until_it_ends()
            except Exception:  # the gauge goes on whatever `own_pids` raises; the log has it
                log.exception("The hardware sampler failed and is replaced")
            await asyncio.sleep(self._pause)
            self._pause = min(self._pause * 2, _LONGEST_PAUSE)

    async def _sample_until_it_ends(self) -> None:
        """Run one child until it dies, hangs or speaks nonsense; each is logged with the child's last words."""
        pids = _sorted(self._own_pids())
        try:
            child = LineChild("sampler", str(self._interval), *map(str, pids))
        except OSError as error:
            log.warning("The hardware sampler cannot be started: %s", error)
            return
        self.child_pid = child.pid
        try:
            await self._pass_on(child, pids)
            log.warning("The hardware sampler ended (exit code %s):\n%s", child.exit_code, child.last_words())
        except TimeoutError:
            log.warning("The hardware sampler gave no sign of life and is replaced.")
        except msgspec.DecodeError as error:
            log.warning("The hardware sampler said something unreadable (%s) and is replaced.", error)
        finally:
            self.child_pid = None
            await child.close()

    async def _pass_on(self, child: LineChild, pids: tuple[int, ...]) -> None:
        """Publish samples until the child's end, and tell it when our processes change."""
        while (line := await child.read_line(self._interval + self._patience)) is not None:
            self._newest = msgspec.json.decode(line, type=HardwareSample)
            self._news.set()
            self._pause = _FIRST_PAUSE
            if (now := _sorted(self._own_pids())) != pids:
                pids = now
                child.write_line(msgspec.json.encode(SamplerOrder(pids=pids)))


def _sorted(pids: Collection[int]) -> tuple[int, ...]:
    return tuple(sorted(pids))
