"""One JSON answer of the Hub's API: bounded in bytes and in time, from the configured endpoint only.

The request goes through huggingface_hub's own session (hub_session.py). Its list_models and model_info are not used:
they follow a "next" link to whichever host an answer names, the token included, read an answer of any length, hand on
values of any type, and give up the whole of a list for one row.
"""

import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeVar
from urllib.parse import parse_qs, urlsplit

import msgspec

from desktop import __version__
from desktop.catalog.file_names import COMMIT, check_repo, check_revision
from desktop.catalog.hub_client import origin
from desktop.catalog.hub_errors import TIME_OUT, HubUnreachable, NotTheHubsAnswer, PageInstead
from desktop.errors import QT_TRANSLATE_NOOP, AppError, Phrase

if TYPE_CHECKING:
    import httpx2

ANSWER_TIMEOUT = 20.0
"""Seconds the Hub may take for one answer."""

LARGEST_ANSWER = 16 << 20
"""Bytes. A page of 100 repositories with their chat templates has about one megabyte."""

BAD_JSON = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What reading an answer that is not the Hub's raises."""

_TOO_LONG = QT_TRANSLATE_NOOP("core", "its answer is longer than {limit} bytes")
_LONGEST_CURSOR = 4096
Parameters = dict[str, str | int | bool | list[str]]
T = TypeVar("T")


class OfACommit(Protocol):
    """What is said of a repository. sha: at which commit."""

    sha: str


R = TypeVar("R", bound=OfACommit)


class AskedHub(Protocol):
    """What is needed of the Hub (hub.Hub, which says what each of them is)."""

    @property
    def endpoint(self) -> str:
        """Where it is."""

    @property
    def shown_endpoint(self) -> str:
        """The same as it may be shown."""

    def require_online(self) -> None:
        """Raise while nothing may be sent."""

    def token_for(self, url: str) -> str | None:
        """Return the token that may go there."""

    def refusal(self, status: int, headers: Mapping[str, str], *, what: str) -> AppError:
        """Return the error for a refusal."""

    async def ask(self, question: "Callable[[httpx2.Client], T]") -> T:
        """Put a question."""


class HubAnswer(NamedTuple):
    """What came. cursor: names the next page of a list, "" after the last."""

    body: bytes
    cursor: str = ""


async def ask_hub(hub: AskedHub, path: str, parameters: Parameters, *, what: str) -> HubAnswer:
    """Ask `path` ("api/models") of the Hub.

    what: a repository, or "models" for the list of them; for the words of an error, and of what page it speaks.
    Raises OfflineSwitchOn, BadEndpoint, HubFileMissing, HubAccessDenied, HubBusy, HubUnreachable.
    """
    return await hub.ask(partial(_answer, hub, path, parameters, what))


async def ask_repository(hub: AskedHub, repo: str, revision: str, decoder: "msgspec.json.Decoder[R]") -> R:
    """Ask what `repo` is and holds at `revision`, each file with its size and checksum.

    Raises UnsafeName; NotTheHubsAnswer for what cannot be read, or is of no commit; and what ask_hub raises.
    """
    path = f"api/models/{check_repo(repo)}/revision/{check_revision(revision).replace('/', '%2F')}"
    answer = await ask_hub(hub, path, {"blobs": True}, what=repo)
    try:
        found = decoder.decode(answer.body)
    except BAD_JSON as error:
        raise NotTheHubsAnswer(endpoint=hub.shown_endpoint, detail=error) from error
    if not COMMIT.fullmatch(found.sha):
        raise NotTheHubsAnswer(endpoint=hub.shown_endpoint, detail=("commit", found.sha))
    return found


def _answer(hub: AskedHub, path: str, parameters: Parameters, what: str, client: "httpx2.Client") -> HubAnswer:
    """Blocking; a question for Hub.ask."""
    url = f"{hub.endpoint}/{path}"
    headers = {"User-Agent": f"snug/{__version__}"}
    if token := hub.token_for(url):
        headers["Authorization"] = f"Bearer {token}"
    with client.stream("GET", url, params=parameters, headers=headers, timeout=ANSWER_TIMEOUT) as response:
        if response.status_code != 200:
            raise hub.refusal(response.status_code, response.headers, what=what)
        body = _body(hub, response)
        if body.lstrip()[:1] == b"<":  # also where it does not call itself a page; JSON does not begin so
            raise PageInstead(endpoint=origin(response.url), detail=body[:200])
        return HubAnswer(body, _cursor(response))


def _body(hub: AskedHub, response: "httpx2.Response") -> bytes:
    """All of it; raises HubUnreachable for one that is too long or comes too slowly."""
    body, deadline = bytearray(), time.monotonic() + ANSWER_TIMEOUT
    for piece in response.iter_bytes():
        hub.require_online()
        body += piece
        if len(body) > LARGEST_ANSWER:
            raise HubUnreachable(endpoint=hub.shown_endpoint, reason=Phrase.of(_TOO_LONG, limit=f"{LARGEST_ANSWER:,}"))
        if time.monotonic() > deadline:
            raise HubUnreachable(endpoint=hub.shown_endpoint, reason=TIME_OUT)
    return bytes(body)


def _cursor(response: "httpx2.Response") -> str:
    """Only the cursor of the "next" link is taken: a mirror's link may lead to the Hub itself, or anywhere."""
    link = response.links.get("next", {}).get("url", "")
    try:
        cursor = parse_qs(urlsplit(link).query).get("cursor", [""])[0]
    except ValueError:
        return ""
    return cursor if len(cursor) <= _LONGEST_CURSOR and cursor.isprintable() else ""
