"""Where conversations wait that are not in the KV cache: in RAM, then on the disk.

Used by the engine's thread only. Nothing here waits for the disk but `read`, `flush`, `forget`, `close` and the first
`find`, which reads the heads of the files there are.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec

from desktop.engine.protocol import CacheLimits
from desktop.runtime.cache.disk import DiskTier
from desktop.runtime.cache.entries import (
    CacheMiss,
    Entry,
    Forgotten,
    HeldEntry,
    Hit,
    StoredEntry,
    Whose,
    find_longest,
    pack_tokens,
)
from desktop.runtime.cache.folder import empty_folder
from desktop.runtime.cache.ram import RamTier

__all__ = ["CacheMiss", "Figures", "Hit", "Tiers"]


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """Entries and bytes per tier, of this model; those on their way to the disk are in memory still.

    dropped: states that were let go although the disk tier is on: it was too slow, full, or too small for them.
    """

    ram_entries: int = 0
    ram_bytes: int = 0
    writing_entries: int = 0
    writing_bytes: int = 0
    disk_entries: int = 0
    disk_bytes: int = 0
    dropped: int = 0


class Tiers:
    """States of one model. model_key: see identity.model_key. engine: its version, written into the files."""

    def __init__(
        self,
        limits: CacheLimits,
        *,
        model_key: str,
        engine: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._ram = RamTier(limits.ram_bytes)
        self._disk: DiskTier | None = None
        self._dropped = 0
        if limits.disk_folder and limits.disk_bytes > 0:
            self._disk = DiskTier(
                Path(limits.disk_folder), limits.disk_bytes, model_key=model_key, engine=engine, clock=clock
            )
        elif limits.disk_folder:
            empty_folder(Path(limits.disk_folder))

    def find(self, tokens: Sequence[int], adapters: str, *, whole: bool) -> Hit | None:
        """Return the entry that begins with the most of `tokens`, None where none shares one.

        adapters: must be equal. whole: only entries of which every token is used (a recurrent, hybrid or sliding-window
        state cannot be cut). Where a token must be decoded after a restore, ask without the prompt's last.
        An array("i") of tokens is compared quickest.
        """
        found = find_longest(self._entries(), pack_tokens(tokens), adapters, whole=whole)
        if found is None:
            return None
        entry, common = found
        return Hit(entry, common, "ram" if isinstance(entry, HeldEntry) else "disk")

    def read(self, hit: Hit) -> bytes:
        """Return the state that was found; raises CacheMiss where it is gone or damaged.

        After a hit on the disk call `confirm` when the first decode went well: until then the file is marked, and is
        put aside should this process die.
        """
        if isinstance(hit.entry, HeldEntry):
            self._ram.use(hit.entry, time.time())
            return hit.entry.state
        if self._disk is None or not isinstance(hit.entry, StoredEntry):
            raise CacheMiss("the cache is closed")
        return self._disk.read(hit.entry)

    def confirm(self, hit: Hit) -> None:
        """The engine took the state and has decoded with it."""
        if self._disk is not None and isinstance(hit.entry, StoredEntry):
            self._disk.confirm(hit.entry)

    def reject(self, hit: Hit, reason: str) -> None:
        """The engine did not take the state: it is not found again. reason: a few words for the log."""
        if isinstance(hit.entry, HeldEntry):
            self._ram.remove(hit.entry)
        elif self._disk is not None and isinstance(hit.entry, StoredEntry):
            self._disk.reject(hit.entry, reason)

    def keep(
        self, tokens: Sequence[int], adapters: str, state: bytes, *, whole: bool = False, conversation: str = ""
    ) -> None:
        """Keep a state in RAM; what was not used for the longest time goes to the disk for it.

        It takes the place of entries that are its beginnings, and is not needed beside one that it is a beginning of;
        whole: only of one with the same tokens. state: not changed afterwards. conversation: the key of whose it is.
        """
        entry = self._held(tokens, adapters, state, whole=whole, conversation=conversation)
        covering = self._ram.covering(entry)
        if covering is not None:
            covering.inherit(entry)
            self._ram.use(covering, entry.used)
            return
        for left in self._ram.add(entry):
            self._write(left)

    def persist(
        self, tokens: Sequence[int], adapters: str, state: bytes, *, whole: bool = False, conversation: str = ""
    ) -> bool:
        """Have a state written to the disk, without waiting; not kept in RAM. Returns whether it will be tried."""
        return self._write(self._held(tokens, adapters, state, whole=whole, conversation=conversation))

    def forget(self, whose: Whose) -> Forgotten:
        """Remove what is kept of these conversations, of any model on the disk. Raises OSError, after RAM."""
        gone = self._ram.forget(whose)
        return gone if self._disk is None else gone.plus(self._disk.forget(whose))

    def has_room(self, size: int) -> bool:
        """Whether so many bytes can be kept in RAM without anything else leaving it."""
        return self._ram.bytes + size <= self._ram.limit

    def wait_for_place(self, seconds: float) -> bool:
        """Wait until `persist` has room for a state; returns whether it has."""
        return self._disk is None or self._disk.wait_for_place(seconds)

    def flush(self, deadline_seconds: float) -> bool:
        """Wait until what is to be on the disk is; returns whether it is."""
        return self._disk is None or self._disk.flush(deadline_seconds)

    def close(self, deadline_seconds: float) -> bool:
        """Write what is in RAM to the disk too, for at most `deadline_seconds`, the most recently used first.

        Returns whether everything was written that has a place there. Safe to call twice.
        """
        ended = self._clock() + deadline_seconds
        entries, self._ram = list(self._ram), RamTier(0)
        disk, self._disk = self._disk, None
        if disk is None:
            return True
        complete = True
        for entry in entries:
            complete = complete and disk.wait_for_place(ended - self._clock())
            if complete:
                disk.write(entry)
        return disk.close(ended - self._clock()) and complete

    @property
    def figures(self) -> Figures:
        """Entries and bytes per tier."""
        stored: list[StoredEntry] = []
        pending: tuple[HeldEntry, ...] = ()
        dropped = self._dropped
        if self._disk is not None:
            pending, stored = self._disk.pending, self._disk.entries()
            dropped += self._disk.lost
        return Figures(
            ram_entries=len(self._ram),
            ram_bytes=self._ram.bytes,
            writing_entries=len(pending),
            writing_bytes=sum(entry.held_bytes for entry in pending),
            disk_entries=len(stored),
            disk_bytes=sum(entry.size + len(entry.key) for entry in stored),
            dropped=dropped,
        )

    def _entries(self) -> Iterator[Entry]:
        yield from self._ram
        if self._disk is not None:
            yield from self._disk.pending
            yield from self._disk.entries()

    def _write(self, entry: HeldEntry) -> bool:
        if self._disk is None:
            return False
        written = self._disk.write(entry)
        self._dropped += not written
        return written

    @staticmethod
    def _held(tokens: Sequence[int], adapters: str, state: bytes, *, whole: bool, conversation: str) -> HeldEntry:
        return HeldEntry(pack_tokens(tokens), adapters, state, time.time(), whole=whole, conversation=conversation)
