"""The network is switched off while an answer is waited for that does not come: it ends then, and says why."""

import asyncio
import socket
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from desktop.catalog import token_in_force
from desktop.catalog.hub import Hub
from desktop.catalog.hub_errors import OfflineSwitchOn
from desktop.catalog.hub_files import files
from desktop.catalog.remote_header import RemoteHeaders
from desktop.catalog.search import search
from tests.support.hub_server import DEFAULT_COMMIT, Fault, HubServer
from tests.support.hubs import FILE, NOTHING, REPO

STALL = Fault("stall", seconds=60)
"""Longer than any answer is waited for, so that only the switch can have ended it with these words."""

Question = Callable[[Hub], Coroutine[Any, Any, object]]


async def header(hub: Hub) -> object:
    async with RemoteHeaders(hub) as headers:
        return await headers.read(repo=REPO, commit=DEFAULT_COMMIT, file=FILE)


async def switched_off(server: HubServer, question: Question, *, at: Callable[[], object]) -> None:
    """Ask; switch the network off once `at` says so."""
    switch = threading.Event()
    asked = asyncio.ensure_future(question(Hub(server.endpoint, offline=switch.is_set, environment=NOTHING)))
    while not at():
        assert not asked.done()
        await asyncio.sleep(0.02)
    switch.set()
    with pytest.raises(OfflineSwitchOn):
        await asked


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "question",
    [
        lambda hub: hub.files(repo=REPO, file=FILE),
        lambda hub: search(hub, "tiny"),
        lambda hub: files(hub, REPO),
        header,
    ],
    ids=["file", "search", "list", "header"],
)
async def test_what_waits_for_the_hub_ends_with_the_switch(server: HubServer, question: Question) -> None:
    """That nothing is left at the connection either, no thread, is seen by what every test is followed by."""
    server.hub_faults.append(STALL)
    await switched_off(server, question, at=lambda: server.requests)
    assert len(server.requests) == 1


@pytest.mark.asyncio
async def test_a_header_of_which_nothing_more_comes_ends_with_the_switch(server: HubServer) -> None:
    server.faults.append(Fault("stall", at=2, seconds=60))
    await switched_off(server, header, at=lambda: server.bytes_sent)


@pytest.mark.asyncio
async def test_a_host_whose_name_becomes_known_after_the_switch_is_sent_nothing(
    server: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, asked, answered = socket.create_connection, threading.Event(), threading.Event()

    def slowly(*arguments: Any, **options: Any) -> socket.socket:
        asked.set()
        assert answered.wait(60)
        return real(*arguments, **options)

    monkeypatch.setattr(socket, "create_connection", slowly)
    await switched_off(server, lambda hub: search(hub, "tiny"), at=asked.is_set)
    [thread] = [thread for thread in threading.enumerate() if thread.name == "hub"]
    answered.set()
    await asyncio.to_thread(thread.join, 60)
    assert server.requests == []


@pytest.mark.asyncio
async def test_the_next_question_after_the_switch_is_answered(server: HubServer) -> None:
    server.hub_faults.append(STALL)
    await switched_off(server, lambda hub: search(hub, "tiny"), at=lambda: server.requests)
    page = await search(Hub(server.endpoint, environment=NOTHING), "tiny")
    assert [repo.repo for repo in page.repos] == [REPO]


@pytest.mark.asyncio
async def test_a_keyring_that_is_waited_for_is_not_waited_for_without_a_network(
    server: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(token_in_force, "KEYRING_TIMEOUT", 60.0)
    switch, asked, answered = threading.Event(), threading.Event(), threading.Event()

    def token() -> None:
        asked.set()
        assert answered.wait(60)

    hub = Hub(server.endpoint, offline=switch.is_set, kept_token=token, environment=NOTHING)
    waiting = asyncio.ensure_future(search(hub, "tiny"))
    await asyncio.to_thread(asked.wait, 60)
    switch.set()
    with pytest.raises(OfflineSwitchOn):
        await waiting
    answered.set()
    assert server.requests == []
