"""What the Hub of our tests is told to do, and what it remembers."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

DEFAULT_COMMIT = "c0ffee" + "0" * 34
FaultKind = Literal[
    "cut",  # the connection ends after `at` bytes of the body
    "reset",  # the same, with a TCP reset
    "stall",  # nothing more after `at` bytes, for `seconds`
    "truncate",  # a shorter body that is declared as whole
    "too_long",  # 1,000 bytes more than there are, declared so
    "flip",  # the byte at `at` (of the body) is another
    "wrong_range",  # 206 with the bytes of another place, declared so
    "full",  # 200 with everything although a range was asked for
    "drip",  # `at` bytes, a little every 10 ms, then the rest
    "status",  # an error status, with Retry-After: `seconds` when it is not None
    "loop",  # of the Hub: a redirect to the address that was asked for
    "redirect",  # of the Hub: a redirect to `location`
    "page",  # 200 with a page of HTML (a hotel's log-in)
]


@dataclass(frozen=True)
class Fault:
    """One misbehaviour of the CDN; `at` counts bytes of the body that is being sent."""

    kind: FaultKind
    at: int = 0
    seconds: float | None = None
    status: int = 503
    location: str = ""


@dataclass
class Recorded:
    """A request as the server saw it. `sent`: bytes of the body that were handed to the socket."""

    host: Literal["hub", "cdn"]
    method: str
    path: str
    authorization: str | None
    range: str | None
    if_range: str | None
    status: int = 0
    sent: int = 0
    fault: Fault | None = None


@dataclass
class ServedFile:
    """A file of a repository."""

    path: Path
    size: int
    sha256: str
    lfs: bool = True


@dataclass
class Repository:
    """What the Hub knows about one repository.

    private_token: who may know that it exists. facts: fields of its row in a search (tests.support.hub_search).
    """

    commit: str
    files: dict[str, ServedFile] = field(default_factory=dict)
    gated_token: str | None = None
    private_token: str | None = None
    facts: dict[str, object] = field(default_factory=dict)
