"""The person's token for the Hub: given, forgotten, and where it is. The token itself is never told."""

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import msgspec

from desktop.daemon_thread import in_daemon_thread
from desktop.errors import QT_TRANSLATE_NOOP, AppError, Phrase
from desktop.services import Services

if TYPE_CHECKING:
    from desktop.catalog.hub_token import TokenPlace

_IN_A_FILE = QT_TRANSLATE_NOOP(
    "core",
    "This computer has no keyring that Snug can use, so the token is in the file {path}, which only you can read.",
)
_FROM_ENVIRONMENT = QT_TRANSLATE_NOOP(
    "core", "The token is that of the variable HF_TOKEN, which goes before any other."
)
_NOT_TO_MIRROR = QT_TRANSLATE_NOOP(
    "core", "The token is not sent to {endpoint}, which is not huggingface.co, unless the settings allow it."
)
T = TypeVar("T")
_PATIENCE = 120.0  # seconds; the person may have to type the password of the keyring


class KeyringSilent(AppError):
    """The keyring did not answer."""

    message = QT_TRANSLATE_NOOP("core", "The keyring of this computer does not answer.")
    hint = QT_TRANSLATE_NOOP("core", "Look for a window that asks for its password, then try again.")


class HubTokenState(msgspec.Struct, frozen=True, kw_only=True):
    """Where the token is. place: "none" without one. notices: what a person should see beside it."""

    place: "TokenPlace"
    notices: tuple[Phrase, ...] = ()


def hub_token_state(services: Services) -> HubTokenState:
    """Tell where the token is kept, without asking the keyring. Blocking: reads a small file."""
    place, notices = services.hub_token.place(), list[Phrase]()
    if place == "file":
        notices.append(Phrase.of(_IN_A_FILE, path=str(services.hub_token.file)))
    elif place == "environment":
        notices.append(Phrase.of(_FROM_ENVIRONMENT))
    if place != "none" and not services.hub.may_send_token:
        notices.append(Phrase.of(_NOT_TO_MIRROR, endpoint=services.hub.endpoint))
    return HubTokenState(place=place, notices=tuple(notices))


async def set_hub_token(services: Services, token: str) -> HubTokenState:
    """Keep a token and use it from now on; HF_TOKEN, where it is set, stays in force.

    Raises NotAToken, KeyringSilent, DiskFull, FileNotSaved.
    """
    await _patiently(lambda: services.hub_token.keep(token))
    return await _used(services)


async def forget_hub_token(services: Services) -> HubTokenState:
    """Remove the token from where it is kept. Raises TokenNotForgotten, KeyringSilent, FileNotSaved."""
    await _patiently(services.hub_token.forget)
    return await _used(services)


async def _used(services: Services) -> HubTokenState:
    services.hub.use_token(await _patiently(services.hub_token.read))
    return await in_daemon_thread(lambda: hub_token_state(services), name="hub token")


async def _patiently(work: Callable[[], T]) -> T:
    try:
        return await in_daemon_thread(work, name="hub token", timeout=_PATIENCE)
    except TimeoutError as error:
        raise KeyringSilent(detail=error) from error
