"""Where a connection gets its bytes: from the Hub's address over its redirects, which are followed by hand.

So the token stays with the Hub, and a signed address that has expired is simply asked for anew.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import httpx2
from httpcore2._async.http11 import AsyncHTTP11Connection

from desktop.catalog.addresses import same_origin
from desktop.catalog.hub import Hub, HubFile
from desktop.catalog.hub_client import MOST_REDIRECTS, next_address, origin, unreachable
from desktop.catalog.hub_client import make_client as hub_client
from desktop.catalog.hub_errors import LOG_IN_FIRST, REFUSALS, PageInstead
from desktop.download.answers import CUT, SLOW_HEAD, STALLED, TryAgain, check_promise, is_page_instead, odd
from desktop.download.ranges import Range
from desktop.download.types import TransferOptions
from desktop.errors import Phrase

READ = 256 << 10
"""Bytes that are taken from a connection at once: as many as asyncio reads ahead."""

# WORKAROUND(https://github.com/encode/httpcore/issues/135): 64 KiB were chosen there, without an option, and httpcore2
# reads so much still; reads of 256 KiB cost a fifth less processor time (docs/benchmarks.md).
# tests/unit/download/test_source.py notices when the name is gone.
AsyncHTTP11Connection.READ_NUM_BYTES = READ


def make_client(hub: Hub, options: TransferOptions) -> httpx2.AsyncClient:
    """Return a client as patient as the transfer. Blocking. Raises what catalog.hub_client.make_client raises."""
    return hub_client(hub.shown_endpoint, stall=options.stall, connect=options.connect)


class Source:
    """One connection's way to `file`. It remembers the address it was sent to until that is refused."""

    def __init__(self, file: HubFile, hub: Hub, client: httpx2.AsyncClient, options: TransferOptions) -> None:
        self._file = file
        self._hub = hub
        self._client = client
        self._stall = options.stall
        self._known: httpx2.URL | None = None

    @contextlib.asynccontextmanager
    async def answer(self, asked: Range | None, etag: str) -> AsyncIterator[httpx2.Response]:
        """Ask for the bytes `asked` (None: all) and give the answer of the host that has them.

        Raises TryAgain, also for what goes wrong while the body is read; what Hub.require_online raises,
        HubAccessDenied, HubFileMissing, HubUnreachable, and PageInstead, after which no attempt is better.
        """
        self._hub.require_online()
        try:
            response = await self._find(asked, etag)
            try:
                self._check_page(response)
                yield response
            finally:
                await response.aclose()
        except httpx2.TimeoutException as error:
            self._known = None
            raise TryAgain(Phrase.of(STALLED, seconds=round(self._stall))) from error
        except (httpx2.TransportError, httpx2.DecodingError) as error:
            self._known = None
            raise TryAgain(Phrase.of(CUT)) from error
        except httpx2.InvalidURL as error:
            raise unreachable(self._hub.shown_endpoint, error) from error

    async def _find(self, asked: Range | None, etag: str) -> httpx2.Response:
        if self._known is not None:
            response = await self._send(self._known, asked, etag)
            if response.status_code not in REFUSALS and not response.has_redirect_location:
                return response
            await response.aclose()
            self._known = None
        url = httpx2.URL(self._file.url)
        for _ in range(MOST_REDIRECTS):
            response = await self._send(url, asked, etag)
            try:
                if not response.has_redirect_location:
                    self._check_refusal(response)
                    if response.is_success:
                        self._known = url
                    return response
                check_promise(response.headers, self._file)
                target = next_address(url, response.headers["Location"])
                if target is None:
                    raise odd("redirect")
                url = target
            except BaseException:
                await response.aclose()
                raise
            await response.aclose()
        raise odd("too many redirects")

    async def _send(self, url: httpx2.URL, asked: Range | None, etag: str) -> httpx2.Response:
        headers = {}
        if token := self._hub.token_for(str(url)):
            headers["Authorization"] = f"Bearer {token}"
        if asked is not None:
            last = "" if asked[1] >= self._file.size else asked[1] - 1
            headers["Range"] = f"bytes={asked[0]}-{last}"
        if asked is not None and etag:
            headers["If-Range"] = etag
        request = self._client.build_request("GET", url, headers=headers)
        # The client's own patience is with each read, and a server may send "100 Continue" or header lines for ever.
        try:
            async with asyncio.timeout(self._stall):
                return await self._client.send(request, stream=True)
        except TimeoutError as error:
            raise TryAgain(Phrase.of(SLOW_HEAD, seconds=round(self._stall))) from error

    def _check_page(self, response: httpx2.Response) -> None:
        """Raise for what a network that wants a log-in sends: its bytes would be kept, and found out at the end."""
        status, headers = response.status_code, response.headers
        if status == LOG_IN_FIRST or is_page_instead(status, headers, size=self._file.size):
            self._known = None
            raise PageInstead(endpoint=origin(response.url), detail=dict(headers))

    def _check_refusal(self, response: httpx2.Response) -> None:
        """Raise for a refusal of the Hub itself; another host's is an expired address, which is asked for again."""
        status = response.status_code
        if status not in REFUSALS or not same_origin(str(response.url), self._hub.endpoint):
            return
        raise self._hub.refusal(status, response.headers, what=f"{self._file.repo}/{self._file.file}")
