"""The person's token for the Hub: where it is kept, who gets it, and that nobody else does.

A keyring is one that the library `keyring` has loaded: ours, in memory, or a broken one. A computer without any is the
library's own null keyring, which tests/conftest.py sets for every test.
"""

import asyncio
import logging
import stat
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import keyring
import keyring.backend
import keyring.errors
import pytest
import pytest_asyncio

from desktop.actions import hub_token
from desktop.actions.hub import list_files, search_hub
from desktop.actions.hub_token import forget_hub_token, hub_token_state, set_hub_token
from desktop.catalog import hub as hub_module
from desktop.catalog.hub_errors import HubAccessDenied, HubFileMissing, KeyringSilent, TokenNotTold
from desktop.catalog.hub_token import NotAToken, TokenNotForgotten
from desktop.catalog.remote_header import RemoteHeaders
from desktop.errors import AppError
from desktop.files import FileNotSaved
from desktop.log import configure_logging
from desktop.paths import user_paths
from desktop.services import Services, create_services
from desktop.settings import HF_ENDPOINT, OFFLINE, TOKEN_TO_MIRROR
from tests.support.hub_server import HubServer
from tests.support.tiny_hub import REPO, tiny_hub

pytestmark = pytest.mark.asyncio
TOKEN = "hf_aVeryPrivateToken123"


class MemoryKeyring(keyring.backend.KeyringBackend):
    """A keyring in memory."""

    priority: float = 5

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.kept: dict[tuple[str, str], str] = {}
        self.asked = 0

    def get_password(self, service: str, username: str) -> str | None:
        self.asked += 1
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        if (service, username) not in self.kept:
            raise keyring.errors.PasswordDeleteError("not there")
        del self.kept[service, username]


class LockedKeyring(MemoryKeyring):
    """Every question is refused."""

    def get_password(self, service: str, username: str) -> str | None:
        raise keyring.errors.KeyringLocked("dismissed by the person")

    def set_password(self, service: str, username: str, password: str) -> None:
        raise keyring.errors.KeyringLocked("dismissed by the person")


class ForgetfulKeyring(MemoryKeyring):
    """Accepts and keeps nothing."""

    def set_password(self, service: str, username: str, password: str) -> None:
        pass


class TakesButDoesNotTell(MemoryKeyring):
    """Keeps what it is given, and is locked when it is asked for it or to let go of it."""

    is_locked = True

    def get_password(self, service: str, username: str) -> str | None:
        if self.is_locked:
            raise keyring.errors.KeyringLocked("dismissed by the person")
        return super().get_password(service, username)


class HangingKeyring(MemoryKeyring):
    """A service that does not answer, whatever it is asked, until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.answers = threading.Event()

    def get_password(self, service: str, username: str) -> str | None:
        self.answers.wait(60)
        return super().get_password(service, username)

    def set_password(self, service: str, username: str, password: str) -> None:
        self.answers.wait(60)
        super().set_password(service, username, password)


class PlainKeyring(MemoryKeyring):
    """Below what the library recommends, as those that write plain text."""

    priority = 0.5


class SilentKeyring(MemoryKeyring):
    """Waits for a password that nobody types."""

    def __init__(self) -> None:
        super().__init__()
        self.typed = threading.Event()

    def get_password(self, service: str, username: str) -> str | None:
        self.typed.wait(60)
        return super().get_password(service, username)


@pytest.fixture(autouse=True)
def no_keyring() -> Iterator[None]:
    before = keyring.get_keyring()
    yield
    keyring.set_keyring(before)


@pytest.fixture
def memory() -> MemoryKeyring:
    made = MemoryKeyring()
    keyring.set_keyring(made)
    return made


@pytest.fixture
def server(tmp_path: Path) -> Iterator[HubServer]:
    with tiny_hub(tmp_path) as hub:
        yield hub


def made(server: HubServer, *, to_mirror: bool = True) -> Services:
    services = create_services(user_paths())
    services.settings.set(HF_ENDPOINT, server.endpoint)
    services.settings.set(TOKEN_TO_MIRROR, to_mirror)
    return services


@pytest_asyncio.fixture
async def services(server: HubServer) -> AsyncIterator[Services]:
    services = made(server)
    yield services
    await services.close()


async def sent_to(server: HubServer, services: Services) -> set[str | None]:
    """What a search, a listing and a header sent as authorization to the Hub."""
    server.requests.clear()
    await search_hub(services, "tiny")
    listing = await list_files(services, REPO)
    async with RemoteHeaders(services.hub) as headers:
        await headers.read(repo=REPO, commit=listing.commit, file=listing.models[0].file)
    assert {request.authorization for request in server.of("cdn")} == {None}
    return {request.authorization for request in server.of("hub")}


async def test_a_token_is_kept_in_the_keyring_and_used_now_and_at_the_next_start(
    server: HubServer, services: Services, memory: MemoryKeyring
) -> None:
    assert hub_token_state(services).place == "none"
    state = await set_hub_token(services, f"  {TOKEN}\n")
    assert (state.place, state.notices) == ("keyring", ())
    assert list(memory.kept.values()) == [TOKEN]
    assert TOKEN not in services.hub_token.file.read_text()
    assert await sent_to(server, services) == {f"Bearer {TOKEN}"}
    later = made(server)
    assert hub_token_state(later).place == "keyring"
    assert await sent_to(server, later) == {f"Bearer {TOKEN}"}
    await later.close()


async def test_a_forgotten_token_is_nowhere(server: HubServer, services: Services, memory: MemoryKeyring) -> None:
    await set_hub_token(services, TOKEN)
    assert (await forget_hub_token(services)).place == "none"
    assert not memory.kept
    assert not services.hub_token.file.exists()
    assert await sent_to(server, services) == {None}
    assert (await forget_hub_token(services)).place == "none"


@pytest.mark.allow_log("the keyring does not take the Hub token")
@pytest.mark.parametrize("kind", [None, LockedKeyring, ForgetfulKeyring, PlainKeyring])
async def test_without_a_keyring_it_is_a_file_of_the_persons_own_and_that_is_told(
    server: HubServer, services: Services, kind: type[MemoryKeyring] | None
) -> None:
    if kind is not None:
        keyring.set_keyring(kind())
    state = await set_hub_token(services, TOKEN)
    assert state.place == "file"
    file = services.hub_token.file
    assert str(file) in state.notices[0].render()
    assert file.read_text() == TOKEN
    if sys.platform != "win32":
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    later = made(server)
    assert await sent_to(server, later) == {f"Bearer {TOKEN}"}
    assert hub_token_state(later) == state
    assert (await forget_hub_token(later)).place == "none"
    assert not file.exists()
    await later.close()


async def test_nobody_is_asked_for_a_password_while_no_token_was_given(
    server: HubServer, services: Services, memory: MemoryKeyring
) -> None:
    assert await sent_to(server, services) == {None}
    assert memory.asked == 0


@pytest.mark.parametrize(
    "text", ["", "  ", "short", "hf_with space in it", "hf_línea_con_acento", "x" * 501, "in the keyring"]
)
async def test_what_is_no_token_is_refused_without_repeating_it(services: Services, text: str) -> None:
    with pytest.raises(NotAToken) as raised:
        await set_hub_token(services, text)
    assert not text.strip() or text not in str(raised.value)
    assert not services.hub_token.file.exists()


async def test_the_variable_goes_before_what_is_kept(
    server: HubServer, memory: MemoryKeyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_ofTheEnvironment")
    services = made(server)
    state = await set_hub_token(services, TOKEN)
    assert state.place == "environment"
    assert "HF_TOKEN" in state.notices[0].render()
    assert await sent_to(server, services) == {"Bearer hf_ofTheEnvironment"}
    await services.close()


async def test_a_mirror_gets_the_token_only_where_the_person_said_so(
    server: HubServer, services: Services, memory: MemoryKeyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    await set_hub_token(services, TOKEN)
    services.settings.set(TOKEN_TO_MIRROR, False)
    assert await sent_to(server, services) == {None}
    [notice] = hub_token_state(services).notices
    assert server.endpoint in notice.render()
    services.settings.set(TOKEN_TO_MIRROR, True)
    assert await sent_to(server, services) == {f"Bearer {TOKEN}"}
    assert not hub_token_state(services).notices
    monkeypatch.setenv("HF_TOKEN", "hf_ofTheEnvironment")
    other = made(server, to_mirror=False)
    assert await sent_to(server, other) == {None}
    await other.close()


async def test_the_hubs_own_address_is_no_mirror(memory: MemoryKeyring) -> None:
    services = create_services(user_paths())
    await set_hub_token(services, TOKEN)
    assert not hub_token_state(services).notices
    assert services.hub.token_for("https://huggingface.co/api/models") == TOKEN
    for url in ("https://huggingface.co.evil.example/", "https://evil.example/", "http://huggingface.co/"):
        assert services.hub.token_for(url) is None
    services.settings.set(HF_ENDPOINT, "https://mirror.example")
    assert services.hub.token_for("https://mirror.example/api/models") is None
    assert services.hub.token_for("https://huggingface.co/api/models") is None
    await services.close()


async def test_a_gated_and_a_private_repository_open_with_the_token(
    server: HubServer, services: Services, memory: MemoryKeyring
) -> None:
    server.gate(REPO, TOKEN)
    listing = await list_files(services, REPO)
    async with RemoteHeaders(services.hub) as headers:
        with pytest.raises(HubAccessDenied) as raised:
            await headers.read(repo=REPO, commit=listing.commit, file=listing.models[0].file)
    assert REPO in raised.value.explain().hint
    server.hide(REPO, TOKEN)
    with pytest.raises(HubFileMissing):
        await list_files(services, REPO)
    await set_hub_token(services, TOKEN)
    assert await sent_to(server, services) == {f"Bearer {TOKEN}"}


class _Elsewhere(BaseHTTPRequestHandler):
    """Sends everybody on to another host."""

    target = ""
    seen: ClassVar[list[str | None]] = []

    def do_GET(self) -> None:
        self.seen.append(self.headers.get("Authorization"))
        self.send_response(307)
        self.send_header("Location", f"{self.target}{self.path}")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name in the base class
        """Quiet."""


async def test_a_host_that_sends_us_elsewhere_does_not_take_the_token_along(
    server: HubServer, services: Services, memory: MemoryKeyring
) -> None:
    _Elsewhere.target = server.endpoint
    with ThreadingHTTPServer(("127.0.0.1", 0), _Elsewhere) as elsewhere:
        serving = threading.Thread(target=elsewhere.serve_forever, args=(0.05,))
        serving.start()
        services.settings.set(HF_ENDPOINT, f"http://127.0.0.1:{elsewhere.server_port}")
        await set_hub_token(services, TOKEN)
        assert await sent_to(server, services) == {None}
        assert await services.hub.files(repo=REPO, file="tiny-Q8_0.gguf")
        elsewhere.shutdown()
        serving.join()
    assert set(_Elsewhere.seen) == {f"Bearer {TOKEN}"}
    assert {request.authorization for request in server.requests} == {None}


@pytest.mark.allow_log("refused:")
async def test_the_token_is_in_no_log_and_no_error(
    server: HubServer, services: Services, memory: MemoryKeyring
) -> None:
    odd = "NotLikeOthers.0123456789"  # no prefix by which it could be known
    configure_logging(services.paths, debug=True)
    await set_hub_token(services, odd)
    server.gate(REPO, "hf_another")
    listing = await list_files(services, REPO)
    with pytest.raises(AppError) as raised:
        async with RemoteHeaders(services.hub) as headers:
            await headers.read(repo=REPO, commit=listing.commit, file=listing.models[0].file)
    logging.getLogger("desktop").warning("refused: %r %s", raised.value.detail, odd)
    log = services.paths.log_file.read_text()
    assert "refused:" in log
    assert odd not in log
    assert odd not in f"{raised.value} {raised.value.detail!r}"


@pytest.mark.allow_log("the keyring does not answer")
async def test_a_keyring_that_waits_for_a_password_keeps_nobody_from_searching(
    server: HubServer, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    silent = SilentKeyring()
    silent.kept["Snug", "huggingface.co"] = TOKEN
    keyring.set_keyring(silent)
    services.hub_token.file.write_text("in the keyring")
    monkeypatch.setattr(hub_module, "KEYRING_TIMEOUT", 0.2)
    found = await asyncio.gather(search_hub(services, "tiny"), search_hub(services, "tiny"))
    assert all(page.repos for page in found)
    assert {request.authorization for request in server.requests} == {None}
    silent.typed.set()
    async with asyncio.timeout(30):
        while services.hub.token_for(server.endpoint) is None:
            await asyncio.sleep(0.01)
    assert await sent_to(server, services) == {f"Bearer {TOKEN}"}


@pytest.mark.allow_log("the keyring does not answer")
async def test_a_token_that_was_given_meanwhile_is_not_replaced_by_an_old_one(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    silent = SilentKeyring()
    silent.kept["Snug", "huggingface.co"] = TOKEN
    keyring.set_keyring(silent)
    services.hub_token.file.write_text("in the keyring")
    monkeypatch.setattr(hub_module, "KEYRING_TIMEOUT", 0.2)
    await search_hub(services, "tiny")
    services.hub.use_token("hf_givenMeanwhile")
    silent.typed.set()
    await services.hub.prepare()
    async with asyncio.timeout(30):
        while any(thread.name == "hub token" for thread in threading.enumerate()):
            await asyncio.sleep(0.01)
    assert services.hub.token_for(services.hub.endpoint) == "hf_givenMeanwhile"


async def test_several_event_loops_may_ask_at_once(
    server: HubServer, services: Services, memory: MemoryKeyring
) -> None:
    await set_hub_token(services, TOKEN)
    later = made(server)
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
    later = made(server)
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
