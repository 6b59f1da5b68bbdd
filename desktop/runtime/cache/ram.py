"""The first tier: states in memory, the least recently used leave first."""

from collections import OrderedDict
from collections.abc import Iterator

from desktop.runtime.cache.entries import Entry, Forgotten, HeldEntry, Whose


class RamTier:
    """At most `limit` bytes of states, tokens counted."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.bytes = 0
        self._entries: OrderedDict[int, HeldEntry] = OrderedDict()  # by id, least recently used first

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[HeldEntry]:
        """Most recently used first."""
        return reversed(self._entries.values())

    def use(self, entry: Entry, now: float) -> None:
        """Note that `entry` was used; one that has left in between is let go."""
        if id(entry) in self._entries:
            entry.used = now
            self._entries.move_to_end(id(entry))

    def covering(self, wanted: HeldEntry) -> HeldEntry | None:
        """Return the entry beside which `wanted` is needless."""
        return next((entry for entry in self if entry.covers(wanted, whole=wanted.whole)), None)

    def add(self, entry: HeldEntry) -> list[HeldEntry]:
        """Keep an entry instead of those it covers; returns what had to leave for it, itself where it is too large."""
        for old in [old for old in self if entry.covers(old, whole=entry.whole)]:
            entry.inherit(old)
            self.remove(old)
        self._entries[id(entry)] = entry
        self.bytes += entry.held_bytes
        if entry.held_bytes > self.limit:
            self.remove(entry)
            return [entry]
        return list(self._make_room())

    def remove(self, entry: Entry) -> None:
        """Let go of an entry; one that has left already is let go."""
        held = self._entries.pop(id(entry), None)
        if held is not None:
            self.bytes -= held.held_bytes

    def forget(self, whose: Whose) -> Forgotten:
        """Let go of what is kept of these conversations."""
        gone = [entry for entry in self if whose(entry.conversation)]
        for entry in gone:
            self.remove(entry)
        return Forgotten(len(gone), sum(entry.held_bytes for entry in gone))

    def _make_room(self) -> Iterator[HeldEntry]:
        while self.bytes > self.limit:
            oldest = next(iter(self._entries.values()))
            self.remove(oldest)
            yield oldest
