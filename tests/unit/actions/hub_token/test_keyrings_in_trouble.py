"""Keyrings that are locked, that hang, that fail in the middle; changes of the token at the same time."""

import asyncio
import threading

import keyring
import pytest

from desktop.actions import hub_token
from desktop.actions.hub import list_files, search_hub
from desktop.actions.hub_token import forget_hub_token, hub_token_state, set_hub_token
from desktop.catalog import token_in_force
from desktop.catalog.hub_errors import HubAccessDenied, KeyringSilent, TokenNotTold
from desktop.catalog.hub_token import TokenNotForgotten
from desktop.catalog.remote_header import RemoteHeaders
from desktop.errors import AppError
from desktop.files import FileNotSaved
from desktop.paths import user_paths
from desktop.services import Services, create_services
from desktop.settings import OFFLINE
from tests.support.hub_server import HubServer
from tests.support.hub_tokens import TOKEN, sent_to, services_at
from tests.support.keyrings import (
    HangingKeyring,
    LockedKeyring,
    MemoryKeyring,
    PlainKeyring,
    TakesButDoesNotTell,
)
from tests.support.tiny_hub import REPO

pytestmark = pytest.mark.asyncio


@pytest.fixture
def silent(services: Services, monkeypatch: pytest.MonkeyPatch) -> HangingKeyring:
    """A keyring that has the token, and waits for a password."""
    made = HangingKeyring()
    made.kept["Snug", "huggingface.co"] = TOKEN
    keyring.set_keyring(made)
    services.hub_token.file.write_text("in the keyring")
    monkeypatch.setattr(token_in_force, "KEYRING_TIMEOUT", 0.2)
    return made


@pytest.mark.allow_log("the keyring does not answer")
async def test_a_keyring_that_waits_for_a_password_keeps_nobody_from_searching(
    server: HubServer, services: Services, silent: HangingKeyring
) -> None:
    found = await asyncio.gather(search_hub(services, "tiny"), search_hub(services, "tiny"))
    assert all(page.repos for page in found)
    assert {request.authorization for request in server.requests} == {None}
    silent.answers.set()
    async with asyncio.timeout(30):
        while services.hub.token_for(server.endpoint) is None:
            await asyncio.sleep(0.01)
    assert await sent_to(server, services) == {f"Bearer {TOKEN}"}


@pytest.mark.allow_log("the keyring does not answer")
async def test_a_token_that_was_given_meanwhile_is_not_replaced_by_an_old_one(
    services: Services, silent: HangingKeyring
) -> None:
    await search_hub(services, "tiny")
    services.hub.use_token("hf_givenMeanwhile")
    silent.answers.set()
    await services.hub.prepare()
    async with asyncio.timeout(30):
        while any(thread.name == "hub token" for thread in threading.enumerate()):
            await asyncio.sleep(0.01)
    assert services.hub.token_for(services.hub.endpoint) == "hf_givenMeanwhile"


@pytest.mark.allow_log("the keyring does not answer")
async def test_a_token_that_was_given_while_the_keyring_was_asked_counts_as_told(
    services: Services, silent: HangingKeyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(token_in_force, "KEYRING_TIMEOUT", 0.5)
    searching = asyncio.create_task(search_hub(services, "tiny"))
    while not any(thread.name == "hub token" for thread in threading.enumerate()):
        await asyncio.sleep(0.01)
    services.hub.use_token("hf_givenMeanwhile")
    await searching
    assert not services.hub.is_token_untold
    assert type(services.hub.refusal(403, {}, what=REPO)) is HubAccessDenied
    silent.answers.set()


async def test_several_event_loops_may_ask_at_once(
    server: HubServer, services: Services, memory: MemoryKeyring
) -> None:
    await set_hub_token(services, TOKEN)
    later = services_at(server)
    hub, asked = later.hub, memory.asked
    await asyncio.gather(*(asyncio.to_thread(asyncio.run, hub.prepare()) for _ in range(6)))
    assert memory.asked == asked + 1
    assert hub.token_for(server.endpoint) == TOKEN
    await later.close()


@pytest.mark.allow_log("the keyring does not tell the Hub token")
async def test_a_keyring_that_is_locked_keeps_nobody_from_searching(server: HubServer, services: Services) -> None:
    keyring.set_keyring(LockedKeyring())
    services.hub_token.file.write_text("in the keyring")
    assert await sent_to(server, services) == {None}
    with pytest.raises(TokenNotForgotten):
        await forget_hub_token(services)
    assert hub_token_state(services).place == "keyring"


@pytest.mark.allow_log("the file with the Hub token cannot be read")
async def test_a_token_that_cannot_be_kept_is_not_used(server: HubServer, services: Services) -> None:
    services.hub_token.file.mkdir()
    with pytest.raises(FileNotSaved):
        await set_hub_token(services, TOKEN)
    services.hub_token.file.rmdir()
    assert await sent_to(server, services) == {None}


async def test_nothing_of_the_keyring_is_asked_while_the_network_is_switched_off(
    services: Services, memory: MemoryKeyring
) -> None:
    await set_hub_token(services, TOKEN)
    services.settings.set(OFFLINE, True)
    later = create_services(user_paths())
    before = memory.asked
    with pytest.raises(AppError):
        await search_hub(later, "tiny")
    assert memory.asked == before
    await later.close()


@pytest.mark.allow_log("the file with the Hub token cannot be read")
async def test_a_token_is_not_left_in_the_keyring_when_nobody_could_find_it_there(
    services: Services, memory: MemoryKeyring
) -> None:
    services.hub_token.file.mkdir()
    with pytest.raises(FileNotSaved):
        await set_hub_token(services, TOKEN)
    assert not memory.kept
    assert services.hub.token_for(services.hub.endpoint) is None


@pytest.mark.allow_log("the keyring does not take the Hub token|may be left in the keyring")
async def test_what_may_be_in_the_keyring_beside_the_file_is_forgotten_with_it(services: Services) -> None:
    odd = TakesButDoesNotTell()
    keyring.set_keyring(odd)
    assert (await set_hub_token(services, TOKEN)).place == "file"
    assert odd.kept, "it was taken all the same"
    assert services.hub_token.read() == TOKEN
    with pytest.raises(TokenNotForgotten):
        await forget_hub_token(services)
    assert TOKEN not in services.hub_token.file.read_text(), "gone from where it could be removed"
    assert hub_token_state(services).place == "keyring"
    odd.is_locked = False
    assert (await forget_hub_token(services)).place == "none"
    assert not odd.kept
    assert not services.hub_token.file.exists()


@pytest.mark.allow_log("the keyring does not take the Hub token|may be left in the keyring")
async def test_an_older_token_in_a_keyring_that_is_locked_now_is_not_lost_sight_of(
    services: Services, memory: MemoryKeyring
) -> None:
    await set_hub_token(services, TOKEN)
    keyring.set_keyring(LockedKeyring())
    assert (await set_hub_token(services, "hf_aNewerToken456")).place == "file"
    assert services.hub_token.read() == "hf_aNewerToken456"
    keyring.set_keyring(memory)
    await forget_hub_token(services)
    assert not memory.kept


async def test_a_token_is_not_said_to_be_forgotten_where_its_keyring_cannot_be_reached(
    services: Services, memory: MemoryKeyring
) -> None:
    await set_hub_token(services, TOKEN)
    keyring.set_keyring(PlainKeyring())
    with pytest.raises(KeyringSilent):
        await forget_hub_token(services)
    assert hub_token_state(services).place == "keyring"
    keyring.set_keyring(memory)
    assert (await forget_hub_token(services)).place == "none"
    assert not memory.kept


async def test_a_keyring_that_hangs_is_given_up_and_believed_when_it_answers_late(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    hanging = HangingKeyring()
    keyring.set_keyring(hanging)
    monkeypatch.setattr(hub_token, "_PATIENCE", 0.2)
    with pytest.raises(KeyringSilent) as raised:
        await set_hub_token(services, TOKEN)
    assert "then try again" in raised.value.explain().hint
    with pytest.raises(KeyringSilent):
        await forget_hub_token(services)
    assert hub_token_state(services).place == "none"
    hanging.answers.set()
    async with asyncio.timeout(30):
        while any(thread.name == "hub token" for thread in threading.enumerate()):
            await asyncio.sleep(0.01)
    assert (hub_token_state(services).place, services.hub_token.file.exists()) == ("none", False)
    assert not hanging.kept, "it was kept, and then forgotten, in the order of the person's wishes"
    assert services.hub.token_for(services.hub.endpoint) is None


async def test_changes_at_the_same_time_follow_each_other(services: Services, memory: MemoryKeyring) -> None:
    for _ in range(10):
        await asyncio.gather(*(set_hub_token(services, f"hf_token{index:08}") for index in range(4)))
        [kept] = memory.kept.values()
        assert services.hub.token_for(f"{services.hub.endpoint}/") == kept == services.hub_token.read()
        await asyncio.gather(set_hub_token(services, TOKEN), forget_hub_token(services))
        assert services.hub.token_for(f"{services.hub.endpoint}/") == services.hub_token.read()
        assert (hub_token_state(services).place == "none") == (not memory.kept)


@pytest.mark.allow_log("the keyring does not answer")
async def test_who_signs_out_while_the_keyring_is_being_asked_stays_signed_out(
    server: HubServer, services: Services
) -> None:
    hanging = HangingKeyring()
    hanging.kept["Snug", "huggingface.co"] = TOKEN
    keyring.set_keyring(hanging)
    services.hub_token.file.write_text("in the keyring")
    searching = asyncio.create_task(search_hub(services, "tiny"))
    while not any(thread.name == "hub token" for thread in threading.enumerate()):
        await asyncio.sleep(0.01)
    leaving = asyncio.create_task(forget_hub_token(services))
    await asyncio.sleep(0.05)
    hanging.answers.set()
    assert (await leaving).place == "none"
    await searching
    assert not hanging.kept
    assert services.hub.token_for(f"{server.endpoint}/") is None
    assert await sent_to(server, services) == {None}


@pytest.mark.allow_log("the keyring does not tell the Hub token")
async def test_a_refusal_says_that_the_keyring_did_not_tell_the_token_and_it_can_be_asked_again(
    server: HubServer, services: Services, memory: MemoryKeyring
) -> None:
    await set_hub_token(services, TOKEN)
    later = services_at(server)
    keyring.set_keyring(LockedKeyring())
    server.gate(REPO, TOKEN)
    listing = await list_files(later, REPO)
    async with RemoteHeaders(later.hub) as headers:
        with pytest.raises(TokenNotTold) as raised:
            await headers.read(repo=REPO, commit=listing.commit, file=listing.models[0].file)
    assert "Unlock the keyring" in raised.value.explain().hint
    assert "Unlock the keyring" in hub_token_state(later).notices[0].render()
    keyring.set_keyring(memory)
    later.hub.ask_keyring_again()
    assert await sent_to(server, later) == {f"Bearer {TOKEN}"}
    assert not hub_token_state(later).notices
    await later.close()
