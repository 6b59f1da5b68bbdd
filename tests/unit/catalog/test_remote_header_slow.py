"""Hosts that answer so slowly that nobody would live to see the header."""

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator

import pytest

from desktop.catalog import remote_header
from desktop.catalog.hub import Hub
from desktop.catalog.hub_errors import HubUnreachable
from desktop.catalog.remote_header import RemoteHeaders

HEAD = b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-999999/1000000\r\nContent-Length: 1000000\r\n\r\n"
LONG_KEY = b"GGUF" + struct.pack("<IQQQ", 3, 0, 1, 60_000)  # version, tensors, keys, bytes of the first key


@contextlib.asynccontextmanager
async def slow_host(first: bytes, again: bytes) -> AsyncIterator[Hub]:
    """A Hub that says `first` and then `again` every tenth of a second, until somebody else hangs up."""
    serving: list[asyncio.Task[None]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(first)
        try:
            while True:
                writer.write(again)
                await writer.drain()
                await asyncio.sleep(0.1)
        finally:
            writer.close()
            await writer.wait_closed()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.append(asyncio.create_task(serve(reader, writer)))

    async with await asyncio.start_server(accept, "127.0.0.1", 0) as server:
        yield Hub(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", environment={})
        await asyncio.gather(*serving, return_exceptions=True)  # they are hung up on


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("first", "again"),
    [(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), (b"HTTP/1.1 206 P\r\n", b"X-A: b\r\n"), (HEAD + LONG_KEY, b"x")],
    ids=["continue", "header lines", "body"],
)
async def test_a_host_that_sends_hardly_anything_is_given_up(
    monkeypatch: pytest.MonkeyPatch, first: bytes, again: bytes
) -> None:
    monkeypatch.setattr(remote_header, "STALL", 1.0)
    async with slow_host(first, again) as hub, asyncio.timeout(60), RemoteHeaders(hub) as headers:
        with pytest.raises(HubUnreachable, match="time-out"):
            await headers.read(repo="owner/repo", commit="c" * 40, file="m.gguf")
