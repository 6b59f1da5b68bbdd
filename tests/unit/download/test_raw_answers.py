"""Answers that no proper server gives, byte for byte."""

import asyncio
import hashlib
from pathlib import Path

import msgspec
import pytest

from desktop.catalog.hub import Hub, HubFile
from desktop.catalog.hub_errors import PageInstead
from desktop.download.sidecar import claimed_bytes
from desktop.download.transfer import download
from desktop.download.types import TransferGaveUp, TransferOptions
from tests.support.raw_host import raw_host
from tests.support.transfers import PATIENT

ONCE = msgspec.structs.replace(PATIENT, attempts=1)
CONTENT = bytes(range(256)) * 1000


async def fetch_from(answer: bytes, destination: Path, *, more: bytes = b"", options: TransferOptions = ONCE) -> int:
    """Transfer CONTENT from a server that says nothing but `answer` and hangs up; returns how often it was asked.

    more: what it says then, again and again, until somebody else hangs up.
    """
    async with raw_host(answer, more) as host:
        hub = Hub(host.address, environment={})
        digest = hashlib.sha256(CONTENT).hexdigest()
        url = f"{hub.endpoint}/owner/repo/resolve/main/x.gguf"
        file = HubFile(repo="owner/repo", file="x.gguf", revision="", size=len(CONTENT), sha256=digest, url=url)
        await download(file=file, destination=destination, hub=hub, options=options)
    return host.asked


@pytest.mark.asyncio
async def test_a_line_that_breaks_after_the_last_byte_is_no_failure(tmp_path: Path) -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"  # and no end of the chunks
    answer = head + b"%x\r\n" % len(CONTENT) + CONTENT + b"\r\n"
    assert await fetch_from(answer, tmp_path / "x.gguf") == 1
    assert (tmp_path / "x.gguf").read_bytes() == CONTENT


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("beginning", "more"),
    [(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), (b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n")],
    ids=["continue", "header lines"],
)
async def test_an_answer_that_never_begins_ends_with_words(tmp_path: Path, beginning: bytes, more: bytes) -> None:
    impatient = msgspec.structs.replace(ONCE, stall=1.0)
    with pytest.raises(TransferGaveUp, match="no whole answer to the request came within 1 s"):
        async with asyncio.timeout(60):
            await fetch_from(beginning, tmp_path / "x.gguf", more=more, options=impatient)


PAGE = b"<!DOCTYPE html><html>Welcome to our hotel</html>"


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "head",
    [
        b"200 OK\r\nContent-Type: text/html; charset=utf-8\r\nConnection: close\r\n",
        b"200 OK\r\nContent-Type: Application/XHTML+xml\r\nContent-Encoding: gzip\r\nConnection: close\r\n",
        b"200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n" % len(PAGE),
        b"200 OK\r\nConnection: close\r\n",  # says nothing of itself: known by how it begins
        b"511 Network Authentication Required\r\nContent-Length: %d\r\n" % len(PAGE),
    ],
)
async def test_a_page_instead_of_the_file_is_refused_at_its_first_bytes(tmp_path: Path, head: bytes) -> None:
    with pytest.raises(PageInstead):
        await fetch_from(b"HTTP/1.1 " + head + b"\r\n" + PAGE, tmp_path / "x.gguf")
    assert claimed_bytes(tmp_path / "x.gguf") == 0, "nothing of it is kept"


@pytest.mark.asyncio
async def test_a_mirror_that_calls_everything_a_page_is_believed_by_the_length(tmp_path: Path) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n" % len(CONTENT)
    assert await fetch_from(head + CONTENT, tmp_path / "x.gguf") == 1
    assert (tmp_path / "x.gguf").read_bytes() == CONTENT


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:99999/x\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 429 Busy\r\nRetry-After: -" + b"9" * 5000 + b"\r\nContent-Length: 0\r\n\r\n",
    ],
)
async def test_a_number_that_cannot_be_is_an_odd_answer(tmp_path: Path, answer: bytes) -> None:
    with pytest.raises(TransferGaveUp):
        await fetch_from(answer, tmp_path / "x.gguf")
