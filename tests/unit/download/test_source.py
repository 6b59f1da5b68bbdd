"""How bytes are taken from a connection, and whom its client trusts."""

from pathlib import Path

import pytest

from desktop.catalog.hub import Hub
from desktop.catalog.hub_errors import HubUnreachable
from desktop.download.source import make_client
from desktop.download.types import TransferOptions
from tests.support.hub_server import HubServer
from tests.support.hubs import FILE, REPO

HUB = Hub("http://hub.example", environment={})


@pytest.mark.asyncio
async def test_a_read_takes_more_than_the_librarys_64_kib(server: HubServer) -> None:
    server.add_served(REPO, "whole.bin", server.repositories[REPO].files[FILE])
    async with (
        make_client(HUB, TransferOptions()) as client,
        client.stream("GET", f"{server.cdn}/{REPO}/{FILE}") as answer,
    ):
        sizes = [len(piece) async for piece in answer.aiter_raw()]
    assert sum(sizes) == 1_500_000
    assert max(sizes) > 64 << 10, "httpcore2 has another name for it now: see desktop/download/source.py"


@pytest.mark.asyncio
async def test_the_proxy_of_the_environment_is_asked(server: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", server.cdn)
    monkeypatch.setenv("NO_PROXY", "")
    async with make_client(HUB, TransferOptions()) as client:
        answer = await client.get("http://hub.example/owner/file")
    assert answer.status_code == 404
    assert [request.path for request in server.of("cdn")] == ["http://hub.example/owner/file"]


def test_certificates_that_are_none_are_told_and_not_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SSL_CERT_FILE names those of a company's proxy; it is used instead of the system's."""
    wrong = tmp_path / "no-certificate.pem"
    wrong.write_text("nothing")
    monkeypatch.setenv("SSL_CERT_FILE", str(wrong))
    with pytest.raises(HubUnreachable) as raised:
        make_client(HUB, TransferOptions())
    assert "hub.example" in raised.value.explain().message


def test_a_proxy_of_a_kind_that_cannot_be_used_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "gopher://127.0.0.1:70")
    with pytest.raises(HubUnreachable):
        make_client(HUB, TransferOptions())
