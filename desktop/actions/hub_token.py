"""The person's token for the Hub: given, forgotten, and where it is. The token itself is never told."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from desktop.catalog.hub_errors import KeyringSilent
from desktop.errors import QT_TRANSLATE_NOOP, Phrase
from desktop.services import Services
from desktop.threads import in_daemon_thread

if TYPE_CHECKING:
    from desktop.catalog.hub_token import TokenPlace

IN_A_FILE = QT_TRANSLATE_NOOP(
    "core",
    "This computer has no keyring that Snug can use, so the token is in the file {path}, which only you can read.",
)
_FROM_ENVIRONMENT = QT_TRANSLATE_NOOP(
    "core", "The token is that of the variable HF_TOKEN, which goes before any other."
)
NOT_TO_MIRROR = QT_TRANSLATE_NOOP(
    "core", "The token is not sent to {endpoint}, which is not huggingface.co, unless the settings allow it."
)
_NOT_TOLD = QT_TRANSLATE_NOOP(
    "core",
    "The keyring did not tell the token, so the Hub is asked without it. Unlock the keyring, then start Snug again.",
)
_PATIENCE = 120.0  # seconds; the person may have to type the password of the keyring


class HubTokenState(msgspec.Struct, frozen=True, kw_only=True):
    """Where the token is. place: "none" without one. notices: what a person should see beside it."""

    place: "TokenPlace"
    notices: tuple[Phrase, ...] = ()


def hub_token_state(services: Services) -> HubTokenState:
    """Tell where the token is kept, without asking the keyring. Blocking: reads a small file."""
    place, notices = services.hub_token.place(), list[Phrase]()
    if place == "file":
        notices.append(Phrase.of(IN_A_FILE, path=str(services.hub_token.file)))
    elif place == "environment":
        notices.append(Phrase.of(_FROM_ENVIRONMENT))
    elif place == "keyring" and services.hub.is_token_untold:
        notices.append(Phrase(_NOT_TOLD))
    if place != "none" and not services.hub.may_send_token:
        notices.append(Phrase.of(NOT_TO_MIRROR, endpoint=services.hub.shown_endpoint))
    return HubTokenState(place=place, notices=tuple(notices))


async def set_hub_token(services: Services, token: str) -> HubTokenState:
    """Keep a token and use it from now on; HF_TOKEN, where it is set, stays in force.

    Raises NotAToken, KeyringSilent, DiskFull, FileNotSaved.
    """
    return await _change(services, lambda: services.hub_token.keep(token))


async def forget_hub_token(services: Services) -> HubTokenState:
    """Remove the token from where it is kept. Raises TokenNotForgotten, KeyringSilent, DiskFull, FileNotSaved."""
    return await _change(services, services.hub_token.forget)


async def _change(services: Services, change: Callable[[], str | None]) -> HubTokenState:
    """Change the token and use it; a keyring that answers when nobody waits any more is taken at its word all the same.

    Changes follow each other: a second one waits for the first, and no longer than for a keyring.
    """

    def work() -> HubTokenState:
        with services.hub_token.changing:
            services.hub.use_token(change())
            return hub_token_state(services)

    try:
        return await in_daemon_thread(work, name="hub token", timeout=_PATIENCE)
    except TimeoutError as error:
        raise KeyringSilent(detail=error) from error
