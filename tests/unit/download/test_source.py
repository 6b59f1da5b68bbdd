"""How bytes are taken from a connection, and whom its client trusts."""

import ssl
from pathlib import Path

import pytest

from desktop.download.source import make_client
from desktop.download.types import TransferOptions
from tests.support.hub_server import HubServer
from tests.support.transfers import FILE, REPO


@pytest.mark.asyncio
async def test_a_read_takes_more_than_the_librarys_64_kib(server: HubServer) -> None:
    server.add_served(REPO, "whole.bin", server.repositories[REPO].files[FILE])
    async with make_client(TransferOptions()) as client, client.stream("GET", f"{server.cdn}/{REPO}/{FILE}") as answer:
        sizes = [len(piece) async for piece in answer.aiter_raw()]
    assert sum(sizes) == 1_500_000
    assert max(sizes) > 64 << 10, "httpcore2 has another name for it now: see desktop/download/source.py"


@pytest.mark.asyncio
async def test_the_proxy_of_the_environment_is_asked(server: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", server.cdn)
    monkeypatch.setenv("NO_PROXY", "")
    async with make_client(TransferOptions()) as client:
        answer = await client.get("http://hub.example/owner/file")
    assert answer.status_code == 404
    assert [request.path for request in server.of("cdn")] == ["http://hub.example/owner/file"]


@pytest.mark.asyncio
async def test_a_certificate_of_ones_own_is_trusted_instead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SSL_CERT_FILE of a company's proxy; a file that is none is an error, not the default."""
    wrong = tmp_path / "no-certificate.pem"
    wrong.write_text("nothing")
    monkeypatch.setenv("SSL_CERT_FILE", str(wrong))
    with pytest.raises(ssl.SSLError):
        make_client(TransferOptions())
