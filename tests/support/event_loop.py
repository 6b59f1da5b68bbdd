"""How long the event loop of a test stood still."""

import asyncio
import time


class EventLoopGap:
    """The longest time the event loop did not run, in seconds."""

    def __init__(self) -> None:
        self.longest = 0.0
        self._task = asyncio.create_task(self._watch())

    async def _watch(self) -> None:
        while True:
            before = time.monotonic()
            await asyncio.sleep(0.01)
            self.longest = max(self.longest, time.monotonic() - before - 0.01)

    async def stop(self) -> float:
        """End the watch; the longest gap."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        return self.longest
