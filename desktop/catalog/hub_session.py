"""The client of huggingface_hub, with our rules: which redirects it follows, what is no answer, and how it is cut off.

Its own rules follow a redirect to any host, out of encryption too. What a repository holds, and so the SHA-256 by which
everything else is checked, is believed of the configured endpoint alone.
"""

import contextlib
import logging
import socket
import threading
import weakref
from functools import partial
from typing import TYPE_CHECKING, Any

from desktop.catalog.addresses import same_origin, without_user
from desktop.catalog.file_names import printable
from desktop.catalog.hub_client import MOST_REDIRECTS, environment_explained, is_page, next_address, origin
from desktop.catalog.hub_errors import LedElsewhere, PageInstead

if TYPE_CHECKING:
    import httpx2

_log = logging.getLogger(__name__)
_STREAMS_BEGIN = (".connect_tcp.complete", ".start_tls.complete")  # of httpcore2's "trace" extension


class _Lines:
    """The connections of the client, so that they can be ended while a thread waits at one of them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._streams: weakref.WeakSet[Any] = weakref.WeakSet()
        self._cuts = 0

    def watch(self, request: "httpx2.Request") -> None:
        """Hear of the connections that are made for a request, and for what it is redirected to."""
        request.extensions.setdefault("trace", partial(self._on_event, self._cuts))

    def _on_event(self, cuts: int, event: str, info: dict[str, Any]) -> None:
        if not event.endswith(_STREAMS_BEGIN):
            return
        with self._lock:
            self._streams.add(info["return_value"])
            is_late = cuts != self._cuts
        if is_late:  # the name of the host was looked up, or the connection made, while the others were cut
            _end(info["return_value"])

    def cut(self) -> None:
        with self._lock:
            self._cuts += 1
            streams = list(self._streams)
        for stream in streams:
            _end(stream)


def _end(stream: Any) -> None:
    """Wakes a thread that reads from it, which closing does not."""
    with contextlib.suppress(OSError):  # it has ended already
        stream.get_extra_info("socket").shutdown(socket.SHUT_RDWR)


_lines = _Lines()


def cut_connections() -> None:
    """End every request that the client is at, in whichever thread; nothing more is sent for it."""
    _lines.cut()


def hub_session(endpoint: str) -> "httpx2.Client":
    """Return the one client of huggingface_hub, made at the first call. Blocking. Raises what make_client raises.

    A request of it raises LedElsewhere and PageInstead.
    """
    from huggingface_hub import get_session

    _take_over_log()
    with environment_explained(endpoint):
        session = get_session()
    hooks = session.event_hooks
    if check_answer not in hooks["response"]:
        session.max_redirects = MOST_REDIRECTS
        session.event_hooks = {
            "request": [*hooks["request"], _lines.watch],
            "response": [*hooks["response"], check_answer],
        }
    return session


class _IntoOurLog(logging.Handler):
    """What huggingface_hub says, in our log and made printable: it quotes headers of whoever answers."""

    def emit(self, record: logging.LogRecord) -> None:
        _log.log(record.levelno, "%s: %s", record.name, printable(record.getMessage()))


def _take_over_log() -> None:
    """Let nothing of huggingface_hub's loggers reach the terminal, where it would steer it; its own handler does."""
    theirs = logging.getLogger("huggingface_hub")
    if not any(isinstance(handler, _IntoOurLog) for handler in theirs.handlers):
        theirs.handlers[:] = [_IntoOurLog()]
        theirs.propagate = False


def check_answer(response: "httpx2.Response") -> None:
    """Raise LedElsewhere for an answer of the API that leads elsewhere, PageInstead for one that is a page."""
    url = response.request.url
    if response.has_redirect_location:
        location = response.headers["Location"]
        target = next_address(url, location)
        if target is None or not _is_same_host(url, target):
            other = without_user(location) if target is None else origin(target)
            raise LedElsewhere(endpoint=origin(url), other=printable(other), detail=location)
    elif response.is_success and is_page(response.headers):
        raise PageInstead(endpoint=origin(url), detail=dict(response.headers))


def _is_same_host(address: "httpx2.URL", target: "httpx2.URL") -> bool:
    """Whether it is the same server, also when the way to it becomes encrypted."""
    if same_origin(str(address), str(target)):
        return True
    encrypted = address.scheme == "http" and target.scheme == "https"
    return encrypted and address.port is None and target.port is None and address.host == target.host
