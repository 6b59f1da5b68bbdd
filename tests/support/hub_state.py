"""What the two servers of the Hub of our tests share: what they serve, how they misbehave, what they were asked."""

import contextlib
import threading
from collections import deque
from collections.abc import Iterator
from typing import Self

from tests.support.hub_search import SearchDesk
from tests.support.hub_values import Fault, Recorded, Repository


class HubState:
    """`bytes_per_second` limits each connection to the CDN; `hub_faults` are for API and /resolve/.

    ranges: whether the CDN answers them. send_buffer: bytes that the system may hold for a connection to the CDN: with
    few of them, what was handed out is nearly what went over the line. uses_of_an_address: then a signed one expires.
    held_from: the place in a file from which on its bytes come one by one, so slowly that no transfer ends before this
    is None again. cdn: where the bytes come from.
    """

    cdn: str

    def __init__(self) -> None:
        self.repositories: dict[str, Repository] = {}
        self.requests: list[Recorded] = []
        self.faults: deque[Fault] = deque()
        self.hub_faults: deque[Fault] = deque()
        self.bytes_per_second: float | None = None
        self.held_from: int | None = None
        self.etag_prefix = ""
        self.ranges = True
        self.search = SearchDesk()
        self.send_buffer: int | None = None
        self.uses_of_an_address: int | None = None
        self.stopping = threading.Event()
        self._lock = threading.Lock()
        self._answering = 0
        self._idle = threading.Condition(self._lock)

    def of(self, host: str) -> list[Recorded]:
        """The requests that reached "hub" or "cdn"."""
        with self._lock:
            return [request for request in self.requests if request.host == host]

    @property
    def bytes_sent(self) -> int:
        """Bytes of bodies that the CDN handed out, faults included."""
        return sum(request.sent for request in self.of("cdn"))

    def settled(self) -> Self:
        """The same once the CDN is at no answer: the last bytes are counted after the client has them."""
        with self._idle:
            if not self._idle.wait_for(lambda: self._answering == 0, timeout=60):
                raise TimeoutError("an answer of the CDN does not end")
        return self

    @contextlib.contextmanager
    def answering(self) -> Iterator[None]:
        """While the CDN is at an answer."""
        with self._idle:
            self._answering += 1
        try:
            yield
        finally:
            with self._idle:
                self._answering -= 1
                self._idle.notify_all()

    def record(self, request: Recorded) -> None:
        """Keep a request."""
        with self._lock:
            self.requests.append(request)

    def next_fault(self, faults: "deque[Fault]") -> Fault | None:
        """Take the next fault, if one is left."""
        with self._lock:
            return faults.popleft() if faults else None
