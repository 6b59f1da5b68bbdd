"""What a server's answer to "these bytes, please" means, and which answers are not believed."""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from desktop.catalog.file_names import SHA256
from desktop.catalog.hub import HubFile
from desktop.catalog.hub_client import content_range, is_page, origin
from desktop.catalog.hub_errors import PageInstead, retry_after
from desktop.download.ranges import Range
from desktop.errors import QT_TRANSLATE_NOOP, Phrase

if TYPE_CHECKING:
    import httpx2

Verdict = Literal["range", "whole"]
"""What the body is: the bytes that were asked for, or the file from its beginning."""


CUT = QT_TRANSLATE_NOOP("core", "the connection broke")
STALLED = QT_TRANSLATE_NOOP("core", "nothing came for {seconds} s")
SLOW_HEAD = QT_TRANSLATE_NOOP("core", "no whole answer to the request came within {seconds} s")
ENDED_EARLY = QT_TRANSLATE_NOOP("core", "the connection ended too early")
BUSY = QT_TRANSLATE_NOOP("core", "the server is busy (HTTP {status})")
ODD = QT_TRANSLATE_NOOP("core", "the server gave an odd answer ({what})")

AGAIN = {
    CUT: QT_TRANSLATE_NOOP("core", "The connection broke. Trying again in {wait} s (attempt {attempt} of {attempts})."),
    STALLED: QT_TRANSLATE_NOOP(
        "core", "Nothing came for {seconds} s. Trying again in {wait} s (attempt {attempt} of {attempts})."
    ),
    SLOW_HEAD: QT_TRANSLATE_NOOP(
        "core",
        "No whole answer to the request came within {seconds} s. "
        "Trying again in {wait} s (attempt {attempt} of {attempts}).",
    ),
    ENDED_EARLY: QT_TRANSLATE_NOOP(
        "core", "The connection ended too early. Trying again in {wait} s (attempt {attempt} of {attempts})."
    ),
    BUSY: QT_TRANSLATE_NOOP(
        "core", "The server is busy (HTTP {status}). Trying again in {wait} s (attempt {attempt} of {attempts})."
    ),
    ODD: QT_TRANSLATE_NOOP(
        "core", "The server gave an odd answer ({what}). Trying again in {wait} s (attempt {attempt} of {attempts})."
    ),
}
"""What is shown while the next attempt waits, whole sentences so that each can be translated."""


STRONG_ETAG = re.compile(r'"[\x21\x23-\x7e]{1,200}"')
"""A validator that If-Range may carry, and that no server finds too long."""


class TryAgain(Exception):
    """The attempt failed in a way that may pass.

    wait: seconds the server asks for. restart: the bytes so far are of no use. busy: fewer connections would help.
    """

    def __init__(self, reason: Phrase, *, wait: float | None = None, restart: bool = False, busy: bool = False) -> None:
        super().__init__(reason.render())
        self.reason = reason
        self.wait = wait
        self.restart = restart
        self.busy = busy

    def announce(self, *, wait: float, attempt: int, attempts: int) -> Phrase:
        """Return what to say while the next attempt waits; `wait` in seconds."""
        more = {"wait": round(wait), "attempt": attempt, "attempts": attempts}
        return Phrase(AGAIN[self.reason.template], self.reason.arguments | more)


def odd(what: str, *, restart: bool = False) -> TryAgain:
    """Return the failure for an answer that cannot be right."""
    return TryAgain(Phrase.of(ODD, what=what), restart=restart)


def judge(status: int, headers: Mapping[str, str], *, asked: Range | None, size: int) -> Verdict:
    """Say what the body is of an answer to "the bytes `asked` of a file of `size`" (None: all); else TryAgain."""
    if status in (200, 206) and headers.get("Content-Encoding", "identity") != "identity":
        raise odd("Content-Encoding")
    if status == 206:
        return _judge_range(headers, asked, size)
    if status == 200:
        if _length(headers) not in (None, size):
            raise odd("Content-Length")
        return "whole"
    if status == 416:
        raise odd("416", restart=True)
    if status in (408, 425, 429) or status >= 500:
        raise TryAgain(
            Phrase.of(BUSY, status=status),
            wait=retry_after(headers.get("Retry-After")),
            busy=status in (429, 503),
        )
    raise odd(f"HTTP {status}")


def check_promise(headers: Mapping[str, str], file: HubFile) -> None:
    """Raise TryAgain when a redirect of the Hub promises another file than the one that was asked for."""
    size, etag = headers.get("X-Linked-Size"), headers.get("X-Linked-Etag", "").strip('"')
    if size is not None and size != str(file.size):
        raise odd("X-Linked-Size")
    if SHA256.fullmatch(etag) and etag != file.sha256:
        raise odd("X-Linked-Etag")


def is_page_instead(status: int, headers: Mapping[str, str], *, size: int) -> bool:
    """Whether the answer is a page of the web instead of a file of `size`; that very length speaks for the file."""
    return status == 200 and is_page(headers) and _length(headers) != size


def check_beginning(data: bytes, file: HubFile, address: "httpx2.URL") -> None:
    """Raise PageInstead where a model begins like a page, also when the answer says nothing of its length or kind."""
    if data[:1] == b"<" and file.file.lower().endswith(".gguf"):
        raise PageInstead(endpoint=origin(address), detail=data[:200])


def strong_etag(headers: Mapping[str, str]) -> str:
    """Return a validator that If-Range may carry (RFC 9110, 13.1.5), "" without one."""
    etag = headers.get("ETag", "")
    return etag if STRONG_ETAG.fullmatch(etag) else ""


def _judge_range(headers: Mapping[str, str], asked: Range | None, size: int) -> Verdict:
    found = content_range(headers)
    if found is None or asked is None:
        raise odd("206")
    first, last, total = found
    if first != asked[0] or not first <= last < asked[1] or total not in (None, size):
        raise odd("Content-Range")
    if _length(headers) not in (None, last - first + 1):
        raise odd("Content-Length")
    return "range"


def _length(headers: Mapping[str, str]) -> int | None:
    text = headers.get("Content-Length", "")
    return int(text) if text.isascii() and text.isdigit() else None
