"""The Hugging Face Hub, or a mirror of it: what a repository holds, and where its files are.

Of huggingface_hub only the client is used (hub_session.py). The questions are ours (hub_answers.py), because its own
believe whatever answers; so is the transfer (desktop/download), because it neither verifies nor resumes across
attempts. It takes 0.3 s to import, so it is imported in the thread that asks first, never before the window is painted.

A token goes to the configured endpoint only, and never in clear text to another machine.
"""

import asyncio
import logging
import os
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote, urlsplit

import msgspec

from desktop.catalog.addresses import origin_of, same_origin, without_user
from desktop.catalog.file_names import SHA256, check_file, printable
from desktop.catalog.hub_answers import ANSWER_TIMEOUT, ask_repository
from desktop.catalog.hub_client import unreachable
from desktop.catalog.hub_errors import (
    BadEndpoint,
    HubAccessDenied,
    HubFileMissing,
    HubFileMissingWithoutToken,
    HubFileUnverifiable,
    OfflineSwitchOn,
    TokenNotEncrypted,
    TokenNotTold,
    TokenWithheld,
    explain_status,
)
from desktop.catalog.hub_session import cut_connections, hub_session
from desktop.catalog.meant_files import meant_files
from desktop.catalog.token_in_force import TokenInForce
from desktop.errors import AppError
from desktop.threads import in_daemon_thread

if TYPE_CHECKING:
    import httpx2

DEFAULT_ENDPOINT = "https://huggingface.co"
LOOK_AT_SWITCH = 0.25
"""Seconds between two looks whether the network was switched off while an answer is waited for."""

T = TypeVar("T")

_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_MOST_BYTES = 1 << 45
"""Of a file: 35 TB; SQLite can still count those of 99,999 shards."""

_TRUE = ("1", "ON", "YES", "TRUE")  # as huggingface_hub reads its own variables
_log = logging.getLogger(__name__)

# huggingface_hub reads this once, when it is imported: without it, it asks the Hub for a list of programs that may have
# started this one, and tells the Hub of them and of installed libraries. Nobody asked for that.
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
# This too, and with a space at its end it cannot be imported.
if "HF_ENDPOINT" in os.environ:
    os.environ["HF_ENDPOINT"] = os.environ["HF_ENDPOINT"].strip()


class _Lfs(msgspec.Struct):
    sha256: str
    size: int


class _Sibling(msgspec.Struct):
    rfilename: str
    size: int | None = None
    lfs: _Lfs | None = None


class _Contents(msgspec.Struct):
    """What is used of a repository, of which one strange value is enough: nothing is fetched by it."""

    id: str
    sha: str
    siblings: list[_Sibling] | None = None


_contents = msgspec.json.Decoder(_Contents)


class HubFile(msgspec.Struct, frozen=True, kw_only=True):
    """One file of a repository, pinned.

    revision: the commit (40 hexadecimal digits) that everything else belongs to.
    size: bytes.
    sha256: of the content, 64 hexadecimal digits; from Git LFS, because the Hub's 40-digit etags are git's SHA-1.
    url: where the transfer begins; the answer is a redirect.
    """

    repo: str
    file: str
    revision: str
    size: int
    sha256: str
    url: str


class HubModel(msgspec.Struct, frozen=True, kw_only=True):
    """A model of a repository, pinned. file: of a split model the first shard."""

    repo: str
    commit: str
    file: str


class Hub:
    """The Hub at one endpoint.

    endpoint: from the settings, or a function that reads it; the variable HF_ENDPOINT goes before it, the Hub's own
        address after it.
    offline: the person's "no network" switch, or a function that reads it; asked before every request, and while a
        transfer runs. HF_HUB_OFFLINE sets it for the whole process.
    kept_token: reads the token that the person keeps for the Hub (TokenInForce); `prepare` calls it.
    token_to_mirror: whether the person's token may go to another host than the Hub's own.
    """

    def __init__(
        self,
        endpoint: str | Callable[[], str] | None = None,
        offline: bool | Callable[[], bool] = False,
        *,
        kept_token: Callable[[], str | None] | None = None,
        token_to_mirror: bool | Callable[[], bool] = False,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        environment = os.environ if environment is None else environment
        self._forced_endpoint = environment.get("HF_ENDPOINT", "").strip()
        self._endpoint = endpoint
        self._forced_offline = environment.get("HF_HUB_OFFLINE", "").upper() in _TRUE
        self._offline = offline
        self._token = TokenInForce(environment, kept_token)
        self._token_to_mirror = token_to_mirror

    @property
    def endpoint(self) -> str:
        """Where the Hub is, without a slash at the end."""
        set_up = self._endpoint() if callable(self._endpoint) else self._endpoint
        return (self._forced_endpoint or (set_up or "").strip() or DEFAULT_ENDPOINT).rstrip("/")

    @property
    def shown_endpoint(self) -> str:
        """The endpoint as it may be shown: a password in it is not."""
        return printable(without_user(self.endpoint))

    @property
    def is_mirror(self) -> bool:
        """Whether the endpoint is another host than the Hub's own."""
        return not same_origin(self.endpoint, DEFAULT_ENDPOINT)

    @property
    def offline(self) -> bool:
        """Whether nothing may be sent now."""
        return self._forced_offline or (self._offline() if callable(self._offline) else self._offline)

    def require_online(self) -> None:
        """Raise OfflineSwitchOn while the network is switched off, BadEndpoint for an address that cannot work."""
        if self.offline:
            raise OfflineSwitchOn
        try:
            parts = urlsplit(self.endpoint)
            _ = parts.port  # raises for one that no computer has
        except ValueError as error:
            raise BadEndpoint(endpoint=self.shown_endpoint, detail=error) from error
        if parts.scheme not in ("http", "https") or not parts.hostname or "?" in self.endpoint or "#" in self.endpoint:
            raise BadEndpoint(endpoint=self.shown_endpoint)

    async def while_online(self, work: Coroutine[Any, Any, T]) -> T:
        """Do what asks the Hub, and end it when the network is switched off meanwhile: raises OfflineSwitchOn then."""
        task = asyncio.ensure_future(work)
        try:
            while not (await asyncio.wait([task], timeout=LOOK_AT_SWITCH))[0]:
                if self.offline:
                    cut_connections()
                    raise OfflineSwitchOn
            return task.result()
        finally:
            if not task.done():
                task.cancel()
                await asyncio.wait([task])
                if not task.cancelled():
                    task.exception()  # seen

    async def prepare(self) -> None:
        """Read the token that the person keeps, unless that was done (TokenInForce); call it before the first request.

        Raises BadTokenVariable, and OfflineSwitchOn when that comes about meanwhile.
        """
        if self.offline:
            return
        self._token.check()
        if self._token.is_unread:
            await self.while_online(self._token.read())

    def use_token(self, token: str | None) -> None:
        """Take another token of the person's from now on, or none."""
        self._token.use(token)

    @property
    def is_token_untold(self) -> bool:
        """Whether the keyring was asked for the person's token and did not tell it."""
        return self._token.is_untold

    def ask_keyring_again(self) -> None:
        """Let the next request ask the keyring once more, where it did not tell the token; the person wants it."""
        self._token.read_again()

    @property
    def may_send_token(self) -> bool:
        """Whether the token that the person keeps may go to the configured endpoint."""
        allowed = self._token_to_mirror() if callable(self._token_to_mirror) else self._token_to_mirror
        return allowed or not self.is_mirror

    def token_for(self, url: str) -> str | None:
        """Return the token if `url` is on the configured endpoint's host and the way there is encrypted or local."""
        token, wanted = self._token.value if self.may_send_token else None, origin_of(url)
        if token is None or wanted is None or not same_origin(url, self.endpoint):
            return None
        scheme, host, _ = wanted
        if scheme != "https" and host not in _LOOPBACK:
            _log.warning("The Hub token is not sent: %s is not encrypted", self.shown_endpoint)
            return None
        return token

    def refusal(self, status: int, headers: Mapping[str, str], *, what: str) -> AppError:
        """Return the error for a refusal of the endpoint itself; it says so when the person's token was not sent.

        what: as in explain_status.
        """
        error, why = explain_status(status, headers, what=what, endpoint=self.shown_endpoint), self._why_without_token()
        if why is None:
            return error
        if type(error) is HubFileMissing:
            return HubFileMissingWithoutToken(what=what, detail=error.detail)
        if isinstance(error, HubAccessDenied):
            return why(what=what, endpoint=self.shown_endpoint, detail=error.detail)
        return error

    def _why_without_token(self) -> type[HubAccessDenied] | None:
        """Why the person's token does not go to the endpoint; None where it does, or there is none."""
        if not (self._token.value or self._token.is_untold):
            return None
        if not self.may_send_token:
            return TokenWithheld
        if self._token.is_untold:
            return TokenNotTold
        return TokenNotEncrypted if self.token_for(f"{self.endpoint}/") is None else None

    async def files(
        self, *, repo: str, file: str = "", quantization: str = "", revision: str = "main"
    ) -> tuple[HubFile, ...]:
        """Ask for the files of a model that is to be kept: each shard of it in order, or the one file it is.

        It is named as for `model`. Raises what `model` raises, and HubFileUnverifiable.
        """
        found = await ask_repository(self, repo, revision, _contents)
        siblings = {sibling.rfilename: sibling for sibling in found.siblings or ()}
        meant = meant_files(repo, siblings, file=file, quantization=quantization)
        return tuple(self._pinned(found, repo, siblings[name]) for name in meant)

    async def model(self, *, repo: str, file: str = "", quantization: str = "", revision: str = "main") -> HubModel:
        """Ask which commit `revision` is, and which GGUF there is meant: `file`, or the one in `quantization`.

        Any shard of a split model means the model. Nothing needs a checksum, for nothing is to be kept.
        Raises OfflineSwitchOn, UnsafeName, HubAccessDenied, HubBusy, HubUnreachable; HubFileMissing,
        HubQuantizationMissing, HubFileMissingButSimilar and HubFileAmbiguous say what there is instead.
        """
        found = await ask_repository(self, repo, revision, _contents)
        names = {sibling.rfilename for sibling in found.siblings or ()}
        first = meant_files(repo, names, file=file, quantization=quantization)[0]
        return HubModel(repo=repo, commit=found.sha, file=first)

    async def ask(self, question: "Callable[[httpx2.Client], T]") -> T:
        """Put a question to the Hub: call `question`, which blocks, in a thread with the client to ask by.

        Raises what `prepare` and `require_online` raise; HubUnreachable; OfflineSwitchOn also when that comes about
        meanwhile; and what `question` raises.
        """
        await self.prepare()
        self.require_online()
        try:
            asking = in_daemon_thread(partial(self._answer_to, question), name="hub", timeout=ANSWER_TIMEOUT + 10)
            return await self.while_online(asking)
        except TimeoutError as error:
            raise unreachable(self.shown_endpoint, error) from error

    def _answer_to(self, question: "Callable[[httpx2.Client], T]") -> T:
        import httpx2
        from huggingface_hub.errors import OfflineModeIsEnabled

        try:
            return question(hub_session(self.shown_endpoint))
        except OfflineModeIsEnabled as error:
            raise OfflineSwitchOn(detail=error) from error
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError, ValueError) as error:
            raise unreachable(self.shown_endpoint, error) from error

    def _pinned(self, found: _Contents, repo: str, sibling: _Sibling) -> HubFile:
        file = check_file(sibling.rfilename)
        digest = sibling.lfs.sha256 if sibling.lfs else ""
        size = (sibling.lfs.size if sibling.lfs else sibling.size) or 0
        if not SHA256.fullmatch(digest) or not 0 < size < _MOST_BYTES:
            raise HubFileUnverifiable(file=f"{repo}/{file}", detail=sibling)
        url = f"{self.endpoint}/{repo}/resolve/{found.sha}/{quote(file)}"
        return HubFile(repo=repo, file=file, revision=found.sha, size=size, sha256=digest, url=url)
