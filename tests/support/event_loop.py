"""How long the event loop of a test stood still."""

import asyncio
import time


class EventLoopGap:
    """The longest time the event loop did not run, in seconds.

    longest: by the clock, in which the machine may have had other things to do. computed: what its thread computed
    meanwhile.
    """

    def __init__(self) -> None:
        self.longest = self.computed = 0.0
        self._task = asyncio.create_task(self._watch())

    async def _watch(self) -> None:
        while True:
            before, computed = time.monotonic(), time.thread_time()
            await asyncio.sleep(0.01)
            self.longest = max(self.longest, time.monotonic() - before - 0.01)
            self.computed = max(self.computed, time.thread_time() - computed)

    async def stop(self) -> None:
        """End the watch."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
