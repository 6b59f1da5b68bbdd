"""Hosts that answer so slowly that nobody would live to see the header."""

import asyncio
import struct

import pytest

from desktop.catalog import remote_header
from desktop.catalog.hub import Hub
from desktop.catalog.hub_errors import HubUnreachable
from desktop.catalog.remote_header import RemoteHeaders
from tests.support.raw_host import raw_host

HEAD = b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-999999/1000000\r\nContent-Length: 1000000\r\n\r\n"
LONG_KEY = b"GGUF" + struct.pack("<IQQQ", 3, 0, 1, 60_000)  # version, tensors, keys, bytes of the first key


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
    async with raw_host(first, again) as host:
        hub = Hub(host.address, environment={})
        async with asyncio.timeout(60), RemoteHeaders(hub) as headers:
            with pytest.raises(HubUnreachable, match="time-out"):
                await headers.read(repo="owner/repo", commit="c" * 40, file="m.gguf")
