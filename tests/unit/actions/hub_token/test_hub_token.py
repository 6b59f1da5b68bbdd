"""The person's token for the Hub: where it is kept, who gets it, and that nobody else does.

A keyring is one that the library `keyring` has loaded: ours, in memory, or a broken one. A computer without any is the
library's own null keyring, which tests/conftest.py sets for every test.
"""

import logging
import stat
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import keyring
import pytest

from desktop.actions.hub import list_files
from desktop.actions.hub_token import forget_hub_token, hub_token_state, set_hub_token
from desktop.catalog.hub_errors import HubAccessDenied, HubFileMissing, LedElsewhere
from desktop.catalog.hub_token import NotAToken
from desktop.catalog.remote_header import RemoteHeaders
from desktop.errors import AppError
from desktop.log import configure_logging
from desktop.paths import user_paths
from desktop.services import Services, create_services
from desktop.settings import HF_ENDPOINT, TOKEN_TO_MIRROR
from tests.support.hub_server import HubServer
from tests.support.hub_tokens import TOKEN, sent_to, services_at
from tests.support.keyrings import (
    ForgetfulKeyring,
    LockedKeyring,
    MemoryKeyring,
    PlainKeyring,
)
from tests.support.tiny_hub import REPO

pytestmark = pytest.mark.asyncio


async def test_a_token_is_kept_in_the_keyring_and_used_now_and_at_the_next_start(
    server: HubServer, services: Services, memory: MemoryKeyring
) -> None:
    assert hub_token_state(services).place == "none"
    state = await set_hub_token(services, f"  {TOKEN}\n")
    assert (state.place, state.notices) == ("keyring", ())
    assert list(memory.kept.values()) == [TOKEN]
    assert TOKEN not in services.hub_token.file.read_text()
    assert await sent_to(server, services) == {f"Bearer {TOKEN}"}
    later = services_at(server)
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
    later = services_at(server)
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
    services = services_at(server)
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
    other = services_at(server, to_mirror=False)
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
    commit = (await list_files(services, REPO)).commit
    server.requests.clear()
    _Elsewhere.target = server.endpoint
    with ThreadingHTTPServer(("127.0.0.1", 0), _Elsewhere) as elsewhere:
        serving = threading.Thread(target=elsewhere.serve_forever, args=(0.05,))
        serving.start()
        try:
            services.settings.set(HF_ENDPOINT, f"http://127.0.0.1:{elsewhere.server_port}")
            await set_hub_token(services, TOKEN)
            with pytest.raises(LedElsewhere):
                await list_files(services, REPO)
            async with RemoteHeaders(services.hub) as headers:  # a file may lie on another host
                await headers.read(repo=REPO, commit=commit, file="tiny-Q8_0.gguf")
        finally:
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
