"""A host that says the same bytes to whoever asks it something: what no proper server says."""

import asyncio
import contextlib
from collections.abc import AsyncIterator


class RawHost:
    """asked: how often somebody came."""

    def __init__(self, first: bytes, again: bytes) -> None:
        self._first = first
        self._again = again
        self._serving: list[asyncio.Task[None]] = []
        self.address = ""

    @property
    def asked(self) -> int:
        return len(self._serving)

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer in a task of its own."""
        self._serving.append(asyncio.create_task(self._serve(reader, writer)))

    async def ended(self) -> None:
        """Wait until every answer has ended; some are hung up on."""
        await asyncio.gather(*self._serving, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(self._first)
        try:
            while self._again:
                writer.write(self._again)
                await writer.drain()
                await asyncio.sleep(0.1)
        finally:
            writer.close()
            await writer.wait_closed()


@contextlib.asynccontextmanager
async def raw_host(first: bytes, again: bytes = b"") -> AsyncIterator[RawHost]:
    """Say `first` and hang up; with `again` say that every tenth of a second, until somebody else hangs up."""
    host = RawHost(first, again)
    async with await asyncio.start_server(host.accept, "127.0.0.1", 0) as server:
        host.address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield host
        finally:
            await host.ended()
