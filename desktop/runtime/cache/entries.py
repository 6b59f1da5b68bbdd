"""What the tiers hold: the state of one sequence, found by its tokens.

Tokens are kept as packed int32, so that prefixes are compared by memcmp and never by a loop over tokens.
"""

import hashlib
import struct
from array import array
from collections.abc import Callable, Iterable, Sequence
from typing import Literal, NamedTuple

import msgspec

TOKEN_BYTES = 4

Tier = Literal["ram", "disk"]
Whose = Callable[[str], bool]
"""Whether the conversation with this key is meant."""


class CacheMiss(Exception):
    """The state that was found cannot be had any more; the prompt is read instead. Carries why, for the log."""


class Entry:
    """Tokens of a sequence under one set of adapters.

    key: the tokens, packed; size: bytes of the state. conversation: the key of whose it is, see conversation_key.
    """

    __slots__ = ("adapters", "conversation", "key", "size", "used")

    def __init__(self, key: bytes, adapters: str, size: int, used: float, *, conversation: str) -> None:
        self.key = key
        self.adapters = adapters
        self.size = size
        self.used = used  # seconds since the epoch, as files have them
        self.conversation = conversation

    @property
    def tokens(self) -> int:
        """How many."""
        return len(self.key) // TOKEN_BYTES

    def covers(self, other: "Entry", *, whole: bool) -> bool:
        """Whether `other` is needless beside this one: a state can be cut to a prefix, unless it is used as a whole."""
        if self.adapters != other.adapters:
            return False
        return self.key == other.key if whole else self.key.startswith(other.key)

    def stands_for(self, other: "Entry", *, whole: bool) -> bool:
        """Whether this one covers `other`, and has a name if `other` has one."""
        return self.covers(other, whole=whole) and bool(self.conversation or not other.conversation)

    def inherit(self, other: "Entry") -> None:
        """Take over the name of `other`, where this one has none."""
        self.conversation = self.conversation or other.conversation


class HeldEntry(Entry):
    """An entry whose state is in memory. whole: it can only be used with all its tokens."""

    __slots__ = ("state", "whole")

    def __init__(
        self, key: bytes, adapters: str, state: bytes, used: float, *, whole: bool, conversation: str = ""
    ) -> None:
        super().__init__(key, adapters, len(state), used, conversation=conversation)
        self.state = state
        self.whole = whole

    @property
    def held_bytes(self) -> int:
        """What it takes of the memory."""
        return self.size + len(self.key)


class StoredEntry(Entry):
    """An entry whose state is in the file `name` of the model's folder."""

    __slots__ = ("name",)

    def __init__(self, key: bytes, adapters: str, size: int, used: float, *, name: str, conversation: str = "") -> None:
        super().__init__(key, adapters, size, used, conversation=conversation)
        self.name = name


class Hit(msgspec.Struct, frozen=True):
    """What `Tiers.find` found.

    common: tokens that the entry and the prompt begin with alike. size: bytes of the state.
    """

    entry: Entry
    common: int
    tier: Tier

    @property
    def size(self) -> int:
        """Bytes of the state."""
        return self.entry.size

    @property
    def tokens(self) -> "array[int]":
        """All tokens of the entry."""
        return array("i", self.entry.key)


class Forgotten(NamedTuple):
    """What went because it was to be forgotten. size: bytes; left: files that could not be removed."""

    entries: int = 0
    size: int = 0
    left: int = 0

    def plus(self, other: "Forgotten") -> "Forgotten":
        """Both together."""
        return Forgotten(self.entries + other.entries, self.size + other.size, self.left + other.left)


def conversation_key(name: str) -> str:
    """Return what is kept of a conversation's name beside its states: 32 hex, whatever the name is; "" for none.

    An entry belongs to the conversation that was answered last with it: all its tokens are of that one's prompt and
    reply, whoever had begun like this before. A request without a name leaves the name as it is, though: else what
    it went on with could not be forgotten any more.
    """
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:32] if name else ""


def whose(conversations: Iterable[str] | None) -> Whose:
    """Return what tells the conversations of these names from others; None means all, also those without a name."""
    if conversations is None:
        return lambda _key: True
    return frozenset(map(conversation_key, conversations)).__contains__


def pack_tokens(tokens: Sequence[int]) -> bytes:
    """Pack tokens as int32 of this machine's byte order (every machine the engine runs on is little-endian)."""
    if isinstance(tokens, array) and tokens.itemsize == TOKEN_BYTES:
        return tokens.tobytes()
    return struct.pack(f"{len(tokens)}i", *tokens)


def common_tokens(first: bytes, second: bytes, *, known: int = 0) -> int:
    """How many tokens two keys begin with alike, when `known` of them are known to be; O(length) memcmp."""
    most = min(len(first), len(second)) // TOKEN_BYTES
    low, step = known, 16
    while low < most:
        high = min(low + step, most)
        if not _alike(first, second, low, high):
            return _first_difference(first, second, low, high)
        low, step = high, step * 4
    return most


def find_longest(entries: Iterable[Entry], key: bytes, adapters: str, *, whole: bool) -> tuple[Entry, int] | None:
    """Return the entry that shares the most tokens with `key`, and how many; None when none shares any.

    Of equals the smallest state wins: it is the quickest to read. whole: only entries of which every token counts.
    """
    best: Entry | None = None
    common, shared = 0, b""
    for entry in entries:
        if entry.adapters != adapters or not entry.key.startswith(shared):
            continue
        found = _common_whole(entry.key, key) if whole else common_tokens(entry.key, key, known=common)
        if found > common:
            best, common, shared = entry, found, key[: found * TOKEN_BYTES]
        elif best is not None and found == common and entry.size < best.size:
            best = entry
    return (best, common) if best is not None else None


def _common_whole(entry: bytes, key: bytes) -> int:
    return len(entry) // TOKEN_BYTES if key.startswith(entry) else 0


def _alike(first: bytes, second: bytes, low: int, high: int) -> bool:
    return first.startswith(second[low * TOKEN_BYTES : high * TOKEN_BYTES], low * TOKEN_BYTES)


def _first_difference(first: bytes, second: bytes, low: int, high: int) -> int:
    """Bisect: the keys are alike up to `low` and differ before `high`."""
    while high - low > 1:
        middle = (low + high) // 2
        if _alike(first, second, low, middle):
            low = middle
        else:
            high = middle
    return low
