"""Headers of model files that lie on the Hub: what a model needs is known before a byte of its weights came.

The first file of a repository, and each that is not like it: one open-ended Range request, read piece by piece and
closed as soon as the header has been understood; that is quicker than asking for more and more. Of the others two
ranges, before and behind the words, where these are the first's (same_words.py); else they are read whole as well.

The redirect to the host that has the bytes is followed by hand, so that the token stays with the Hub. No failure is
tried again, but for an address that has expired, which is asked for once more.
"""

import asyncio
import contextlib
import io
import logging
import socket
import urllib.request
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import PurePosixPath
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple, Self, TypeVar
from urllib.parse import quote

import msgspec

from desktop.catalog.addresses import same_origin
from desktop.catalog.file_names import check_file, check_repo, check_revision
from desktop.catalog.hub import Hub
from desktop.catalog.hub_client import (
    MOST_REDIRECTS,
    is_page,
    make_client,
    next_address,
    origin,
    total_size,
    unreachable,
)
from desktop.catalog.hub_errors import REFUSALS, AddressExpired, OddAnswer, PageInstead, RangesNotServed
from desktop.catalog.meant_files import MOST_SHARDS
from desktop.catalog.same_words import Layouts, layout_of
from desktop.errors import QT_TRANSLATE_NOOP, Phrase
from desktop.gguf.errors import CorruptGguf
from desktop.gguf.header import GgufHeader, HeaderParser
from desktop.gguf.shards import all_shards, parse_shard_name
from desktop.gguf.stub import Stub, make_stub
from desktop.threads import in_daemon_thread

if TYPE_CHECKING:
    import httpx2

AT_ONCE = 4
"""Files whose headers are fetched at the same time, of all models that one RemoteHeaders is asked about: a split model
has many. How many models are asked about at once is the caller's (FETCHED_AT_ONCE of actions/exact.py)."""

STALL = 20.0
"""Seconds with hardly a byte after which a connection is given up."""

LEAST = 16 << 10
"""Bytes that must come in these seconds, an answer's head within them: else one byte a second would do for ever."""

_CONNECT = 10.0
# What a system takes in beforehand costs the person's line although nobody reads it. It also bounds the speed: 512 KiB
# in the time of a way there and back, 10 MB/s at 50 ms.
_RECEIVE_BUFFER = 512 << 10
_PROXIES = frozenset({"http", "https", "all"})  # of the kinds that Python knows; "no" names what goes without one
_log = logging.getLogger(__name__)

Progress = Callable[[int], None]
"""Told how many bytes came so far, over all files."""

T = TypeVar("T")


class RemoteHeader(NamedTuple):
    """The header of one file; head: its bytes; fetched: bytes received for it, also in vain."""

    header: GgufHeader
    head: bytes
    fetched: int


class RemoteModel(msgspec.Struct, frozen=True, kw_only=True):
    """What was learned of a model from its headers alone.

    file: of a split model the first shard. size: bytes of all its files. stub: header without the words, of all shards.
    fetched: bytes received.
    """

    repo: str
    commit: str
    file: str
    size: int
    stub: Stub
    fetched: int


@dataclass
class _Wanted:
    """One file. name: owner/repo/file. fetched: bytes that came of it so far, over all attempts.

    limit: of the attempt that is under way. since: bytes that came since it was put off.
    """

    repo: str
    name: str
    url: str
    fetched: int = 0
    limit: asyncio.Timeout | None = None
    since: int = 0

    def be_patient(self) -> None:
        """Give the host STALL seconds from now."""
        self.since = 0
        if self.limit is not None:
            self.limit.reschedule(asyncio.get_running_loop().time() + STALL)

    def count(self, size: int) -> None:
        """Note bytes that came; enough of them are a reason to wait for more."""
        self.fetched += size
        self.since += size
        if self.since >= LEAST:
            self.be_patient()


class _Expired(Exception):
    """Another host than the Hub does not know the address that the Hub gave."""

    def __init__(self, status: int) -> None:
        super().__init__(f"HTTP {status}")


class RemoteHeaders:
    """Reads headers over connections of its own; use it as a context manager, from one event loop."""

    def __init__(self, hub: Hub, *, on_progress: Progress | None = None) -> None:
        self._hub = hub
        self._on_progress = on_progress
        self._received = 0
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._client: httpx2.AsyncClient | None = None
        self._looked_up: set[str] = set()
        self._layouts = Layouts()
        self._first_of: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def __aenter__(self) -> Self:
        self._client = await asyncio.to_thread(
            partial(make_client, self._hub.shown_endpoint, stall=STALL, connect=_CONNECT)
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._client is not None:
            await self._client.aclose()

    async def read_model(self, *, repo: str, commit: str, file: str) -> RemoteModel:
        """Read the headers of a model in one file or in several; `file` is then the first.

        Raises what `read` raises, and CorruptGguf where the shards do not belong together.
        """
        shards = all_shards(PurePosixPath(check_file(file)))
        if len(shards) > MOST_SHARDS:
            raise CorruptGguf(path=f"{repo}/{file}", reason=f"it comes in {len(shards)} shards")
        headers = await _gather([self.read(repo=repo, commit=commit, file=str(shard)) for shard in shards])
        _check_shards(headers, f"{repo}/{file}")
        first, *others = headers
        return RemoteModel(
            repo=repo,
            commit=commit,
            file=str(shards[0]),
            size=sum(shard.header.file_size for shard in headers),
            stub=make_stub(io.BytesIO(first.head), first.header, shards=[shard.header for shard in others]),
            fetched=sum(shard.fetched for shard in headers),
        )

    async def read(self, *, repo: str, commit: str, file: str) -> RemoteHeader:
        """Read the header of one file; commit: also a branch, but then nobody knows what was read.

        Raises UnsafeName, OfflineSwitchOn, BadEndpoint, HubFileMissing, HubAccessDenied, HubBusy, HubUnreachable,
        RangesNotServed, OddAnswer, AddressExpired, and the errors of gguf.header but FileUnreadable.
        """
        url = f"{self._hub.endpoint}/{check_repo(repo)}/resolve/{check_revision(commit)}/{quote(check_file(file))}"
        wanted = _Wanted(repo, f"{repo}/{file}", url)
        shard = parse_shard_name(PurePosixPath(file).name)
        if shard is not None and shard.index > 1:  # has no words
            return await self._with_slot(partial(self._receive, wanted=wanted), wanted)
        async with self._first_of[repo]:  # the others of a repository may need little, once one of it is known
            if not self._layouts.of(repo):
                return await self._read_whole(wanted)
        try:
            like = await self._read_like(wanted)
        except (OddAnswer, RangesNotServed) as error:  # by a host that only knows the usual way
            _log.info("a piece of %s cannot be had alone: %s", wanted.name, error)
            like = None
        return like or await self._read_whole(wanted)

    async def _read_whole(self, wanted: _Wanted) -> RemoteHeader:
        whole = await self._with_slot(partial(self._receive, wanted=wanted), wanted)
        if (layout := layout_of(whole.header, whole.head)) is not None:
            self._layouts.keep(wanted.repo, layout)
        return whole

    async def _read_like(self, wanted: _Wanted) -> RemoteHeader | None:
        """The header of a file whose words are those of another file of its repository; None where they are not."""
        layouts = self._layouts.of(wanted.repo)
        if not layouts:
            return None
        front, size = await self._read_piece(0, max(layout.front for layout in layouts), wanted)
        for layout in layouts:
            if not layout.begins_like(front):
                continue
            start, end = layout.back
            if end > size:
                continue
            back, size_again = await self._read_piece(start, end, wanted)
            # 0.05 s for 6 MB of words, in which a window would not move.
            completed = await asyncio.to_thread(layout.completed, front, back, size=size, name=wanted.name)
            if completed is not None and size_again == size:
                return RemoteHeader(*completed, fetched=wanted.fetched)
        return None

    async def _read_piece(self, start: int, end: int, wanted: _Wanted) -> tuple[bytes, int]:
        """Bytes from `start` to before `end`, and the size of the file."""
        receive = partial(self._receive_piece, start=start, end=end, wanted=wanted)
        return await self._with_slot(receive, wanted, asked=f"bytes={start}-{end - 1}")

    async def _with_slot(
        self, receive: "Callable[[httpx2.Response], Awaitable[T]]", wanted: _Wanted, *, asked: str = "bytes=0-"
    ) -> T:
        async with self._slots:
            try:
                return await self._hub.while_online(self._attempt(receive, wanted, asked))
            except _Expired as expired:
                _log.info("the address of %s has expired (%s) and is asked for again", wanted.name, expired)
            try:
                return await self._hub.while_online(self._attempt(receive, wanted, asked))
            except _Expired as expired:
                raise AddressExpired(file=wanted.name, detail=expired) from expired

    async def _attempt(self, receive: "Callable[[httpx2.Response], Awaitable[T]]", wanted: _Wanted, asked: str) -> T:
        import httpx2

        try:
            async with asyncio.timeout(None) as wanted.limit, self._answer(wanted, asked) as response:
                return await receive(response)
        except (TimeoutError, httpx2.TransportError, httpx2.DecodingError, httpx2.InvalidURL) as error:
            raise unreachable(self._hub.shown_endpoint, error) from error

    @contextlib.asynccontextmanager
    async def _answer(self, wanted: _Wanted, asked: str) -> "AsyncIterator[httpx2.Response]":
        """The answer of the host that has the bytes; the token goes along only while that is the Hub itself."""
        import httpx2

        if self._client is None:
            raise RuntimeError("RemoteHeaders is used outside of its context")
        address = httpx2.URL(wanted.url)
        await self._hub.prepare()
        for _ in range(MOST_REDIRECTS):
            self._hub.require_online()
            wanted.be_patient()
            await self._look_up(address)
            request = self._client.build_request("GET", address, headers=self._request_headers(str(address), asked))
            wanted.be_patient()  # with the whole head: the client's own patience is with each read
            response = await self._client.send(request, stream=True)
            try:
                if not response.has_redirect_location:
                    self._check_status(response, wanted.name)
                    wanted.be_patient()
                    yield response
                    return
                address = _next_address(address, response.headers["Location"], wanted.name)
            finally:
                await response.aclose()
        raise OddAnswer(
            file=wanted.name,
            what=Phrase(QT_TRANSLATE_NOOP("core", "it leads from one address to the next without end")),
        )

    async def _look_up(self, address: "httpx2.URL") -> None:
        """Ask for the name of a host once, before the client does.

        asyncio looks names up in threads that it waits for at its end, and a name server that is silent takes minutes.
        Where there is a proxy, that one knows the names. Raises HubUnreachable.
        """
        host, port = address.host, address.port or address.scheme
        if host in self._looked_up or not _PROXIES.isdisjoint(urllib.request.getproxies()):
            return
        look = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
        try:
            await in_daemon_thread(look, name=f"look-up of {host}", timeout=_CONNECT)
        except (OSError, UnicodeError) as error:
            raise unreachable(self._hub.shown_endpoint, error) from error
        self._looked_up.add(host)

    def _request_headers(self, url: str, asked: str) -> dict[str, str]:
        headers = {"Range": asked}
        if token := self._hub.token_for(url):
            headers["Authorization"] = f"Bearer {token}"
        return headers

    def _check_status(self, response: "httpx2.Response", name: str) -> None:
        status, headers = response.status_code, response.headers
        if status == 206:
            return
        if status == 200:
            if is_page(headers):
                raise PageInstead(endpoint=origin(response.url), detail=name)
            raise RangesNotServed(host=response.url.host, file=name)
        if status in REFUSALS and not same_origin(str(response.url), self._hub.endpoint):
            raise _Expired(status)
        raise self._hub.refusal(status, headers, what=name)

    async def _receive(self, response: "httpx2.Response", wanted: _Wanted) -> RemoteHeader:
        """Read until the header is whole; what may still be under way is cut off."""
        size = total_size(response.headers, wanted.name)
        _limit_what_is_taken_in(response)
        parser, head = HeaderParser(size=size, name=wanted.name), bytearray()
        header = None
        # Closed here, for qasync does not finish a generator that is left early.
        async with contextlib.aclosing(response.aiter_raw()) as pieces:
            async for piece in pieces:
                head += piece
                self._count(piece, wanted)
                if (header := parser.feed(piece)) is not None:
                    break
        if header is None:
            parser.end()
        return RemoteHeader(header, bytes(head), wanted.fetched)

    async def _receive_piece(
        self, response: "httpx2.Response", *, start: int, end: int, wanted: _Wanted
    ) -> tuple[bytes, int]:
        size = total_size(response.headers, wanted.name, start=start)
        _limit_what_is_taken_in(response)
        found, most = bytearray(), min(end, size) - start
        async with contextlib.aclosing(response.aiter_raw()) as pieces:
            async for piece in pieces:
                found += piece
                self._count(piece, wanted)
                if len(found) >= most:
                    break
        return bytes(found[:most]), size

    def _count(self, piece: bytes, wanted: _Wanted) -> None:
        self._hub.require_online()
        wanted.count(len(piece))
        self._received += len(piece)
        if self._on_progress is not None:
            self._on_progress(self._received)


def _limit_what_is_taken_in(response: "httpx2.Response") -> None:
    stream = response.extensions.get("network_stream")
    connection = stream.get_extra_info("socket") if stream is not None else None
    if connection is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)


def _next_address(address: "httpx2.URL", location: str, name: str) -> "httpx2.URL":
    """Resolve a redirect; one that must not be followed is refused."""
    target = next_address(address, location)
    if target is None:
        raise OddAnswer(
            file=name, what=Phrase(QT_TRANSLATE_NOOP("core", "it leads out of encryption, or to no web address"))
        )
    return target


def _check_shards(headers: Sequence[RemoteHeader], name: str) -> None:
    stated = headers[0].header.metadata.get("split.count", 1)
    if isinstance(stated, int) and stated > 1 and stated != len(headers):
        raise CorruptGguf(path=name, reason=f"it states {stated} shards, and by its name it has {len(headers)}")


async def _gather(work: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
    """Run side by side; when one fails or this is cancelled, the others have ended before it is raised."""
    tasks = [asyncio.ensure_future(each) for each in work]
    try:
        return await asyncio.gather(*tasks)
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        raise
