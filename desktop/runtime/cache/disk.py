"""The second tier: what is in the files of this model, and what of it may be used."""

import os
import time
from collections.abc import Callable
from operator import attrgetter
from pathlib import Path

from desktop.runtime.cache.entries import CacheMiss, Forgotten, HeldEntry, StoredEntry, Whose
from desktop.runtime.cache.entry_file import Damaged, make_head, open_entry, read_any_head, read_head, read_state
from desktop.runtime.cache.folder import CacheFile, CacheFolder, remove, say
from desktop.runtime.cache.writer import Writer

MOST_INDEXED = 256
"""Entries that are looked at, the most recently used first: reading the head of one takes about 0.1 ms."""

LOOK_EVERY = 1.0
"""Seconds between two looks at what other processes have done to the folder."""

FORGET_WITHIN = 2.0
"""Seconds that the disk has to leave a file that is being written and is to be forgotten."""

_LARGEST_SHARE = 4
"""A state larger than the limit over this is not written: it would push out everything else."""


class DiskTier:
    """Files of one model in `root`. limit: bytes over all models' files. engine: the engine's version."""

    def __init__(
        self, root: Path, limit: int, *, model_key: str, engine: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._model_key = model_key
        self._engine = engine
        self._largest = limit // _LARGEST_SHARE
        self._folder = CacheFolder(root, model_key)
        self._clock = clock
        self._writer = Writer(self._folder, limit, head=self._head, clock=clock)
        self._index: dict[str, StoredEntry] = {}
        self._refused: set[str] = set()
        self._marked: set[str] = set()
        self._looked = float("-inf")
        self._seen_change = -1
        self._complaint = ""
        self.lost = 0
        """Entries that were to be written and could not be."""

    def entries(self) -> list[StoredEntry]:
        """Return what can be read, the most recently used first."""
        self._collect()
        if self._clock() - self._looked >= LOOK_EVERY:
            self._look()
            self._looked = self._clock()
        return sorted(self._index.values(), key=attrgetter("used"), reverse=True)

    @property
    def pending(self) -> tuple[HeldEntry, ...]:
        """Entries on their way: their states are still in memory."""
        return self._writer.pending

    def write(self, entry: HeldEntry) -> bool:
        """Have a state written, where it is worth it; returns whether it is, or will be, on the disk."""
        if entry.held_bytes > self._largest:
            return False
        stored_entries = self.entries()
        for old in (*self.pending, *stored_entries):
            if entry.covers(old, whole=entry.whole):
                entry.inherit(old)
        stored = next((old for old in stored_entries if old.stands_for(entry, whole=entry.whole)), None)
        if stored is not None and self._touch(stored):
            return True
        return self._writer.submit(entry)

    def read(self, entry: StoredEntry) -> bytes:
        """Read a state and mark it as being loaded. Raises CacheMiss."""
        try:
            with open_entry(self._folder.entry(entry.name)) as stream:
                head = read_head(stream, model_key=self._model_key, engine=self._engine)
                if (head.key, head.description.adapters) != (entry.key, entry.adapters):
                    raise Damaged("it holds something else than before")
                state = read_state(stream, head)
            self._folder.mark(entry.name)
        except Damaged as error:
            self._put_aside(entry.name, str(error))
            raise CacheMiss(str(error)) from error
        except OSError as error:
            self._index.pop(entry.name, None)
            raise CacheMiss(error.strerror or str(error)) from error
        self._marked.add(entry.name)
        self._touch(entry)
        return state

    def confirm(self, entry: StoredEntry) -> None:
        """Remove the mark that `read` left: native code took the state and has decoded with it."""
        if entry.name in self._marked:
            self._marked.discard(entry.name)
            self._folder.unmark(entry.name)

    def reject(self, entry: StoredEntry, reason: str) -> None:
        """Put a state aside that native code did not take."""
        self._put_aside(entry.name, reason)
        self.confirm(entry)

    def forget(self, whose: Whose) -> Forgotten:
        """Remove what is kept of these conversations, whatever model it is of, and what was put aside. Raises OSError.

        What cannot be read goes as well: nobody can tell whose it is.
        """
        given_up, done = self._writer.forget(whose, FORGET_WITHIN)
        self._collect()
        gone, left = self._folder.forget(lambda file: _is_of(file, whose))
        for file in gone:
            self._index.pop(file.stem, None)
        size = sum(entry.held_bytes for entry in given_up) + sum(file.size for file in gone)
        return Forgotten(len(given_up) + len(gone), size, left + (not done))

    def wait_for_place(self, seconds: float) -> bool:
        """Wait until a state can be written; returns whether it can."""
        return self._writer.wait_for_place(seconds)

    def flush(self, seconds: float) -> bool:
        """Wait until everything is on the disk; returns whether it is."""
        ended = self._clock() + seconds
        return self._writer.flush(seconds) and self._settle(ended - self._clock())

    def close(self, seconds: float) -> bool:
        """Write what waits, for at most `seconds`; returns whether all was written."""
        ended = self._clock() + seconds
        self.flush(seconds)
        complete = self._writer.close(ended - self._clock())
        for stem in sorted(self._marked):  # the program ends in good order, so nothing crashed on these
            self._folder.unmark(stem)
        self._marked.clear()
        return complete

    # --- what is there ---------------------------------------------------------------------------------------------

    def _settle(self, seconds: float) -> bool:
        self._collect()
        return self._writer.flush(seconds)

    def _collect(self) -> None:
        """Learn what the writer has done."""
        for outcome in self._writer.outcomes():
            for stem in outcome.removed:
                self._index.pop(stem, None)
            if outcome.stem:
                self._add(outcome.entry, outcome.stem)
            else:
                self.lost += 1

    def _add(self, held: HeldEntry, stem: str) -> None:
        # A longer one without a name goes as well: it was not enough, and would keep what is to be forgotten.
        needless = [
            old.name
            for old in self._index.values()
            if held.covers(old, whole=held.whole)
            or (old.covers(held, whole=held.whole) and not old.stands_for(held, whole=held.whole))
        ]
        for name in needless:
            del self._index[name]
        if needless:
            self._writer.discard(needless)
        self._index[stem] = StoredEntry(
            held.key, held.adapters, held.size, held.used, name=stem, conversation=held.conversation
        )

    def _look(self) -> None:
        """Bring the index to what the folder holds, where that has changed."""
        try:
            changed = self._folder.changed()
            if changed == self._seen_change:
                return
            # The clock of files ticks some milliseconds apart: a change within the same tick would not be seen.
            settled = time.time_ns() - changed > 1_000_000_000
            self._list(self._folder.files())
        except OSError as error:
            self._complain(f"the folder cannot be read: {error.strerror}")
            self._index.clear()
        else:
            self._seen_change = changed if settled else -1
            self._complaint = ""

    def _complain(self, line: str) -> None:
        """Say what does not go away by itself, once."""
        if line != self._complaint:
            say(line)
        self._complaint = line

    def _list(self, files: list[CacheFile]) -> None:
        suspects = {file.stem for file in files if file.abandoned}
        for file in files:
            if file.kind == "kv" and file.stem in suspects:
                self._put_aside(file.stem, "the engine ended while it was loading it")
        if suspects:
            self._sweep(files)
        newest = sorted((f for f in files if f.kind == "kv"), key=attrgetter("modified"), reverse=True)
        newest = [file for file in newest if file.stem not in self._refused][:MOST_INDEXED]
        present = {file.stem for file in newest}
        self._index = {stem: entry for stem, entry in self._index.items() if stem in present}
        for file in newest:
            known = self._index.get(file.stem)
            if known is not None:
                known.used = file.modified
            elif (entry := self._read_entry(file)) is not None:
                self._index[file.stem] = entry

    def _read_entry(self, file: CacheFile) -> StoredEntry | None:
        try:
            with open_entry(file.path) as stream:
                head = read_head(stream, model_key=self._model_key, engine=self._engine)
        except Damaged as error:
            self._put_aside(file.stem, str(error))
        except FileNotFoundError:
            pass  # another process needed the room
        except OSError as error:
            say(f"{file.name} cannot be read: {error.strerror}")
        else:
            about = head.description
            return StoredEntry(
                head.key,
                about.adapters,
                about.state_bytes,
                file.modified,
                name=file.stem,
                conversation=about.conversation,
            )
        return None

    def _sweep(self, files: list[CacheFile]) -> None:
        for file in files:
            if file.abandoned:
                remove(file.path)

    def _put_aside(self, stem: str, reason: str) -> None:
        self._index.pop(stem, None)
        self._refused.add(stem)
        self._folder.quarantine(stem, reason)

    def _touch(self, entry: StoredEntry) -> bool:
        """Note on the disk that an entry was used, for whoever makes room there; returns whether it is there still."""
        entry.used = time.time()
        try:
            os.utime(self._folder.entry(entry.name), (entry.used, entry.used))
        except FileNotFoundError:
            self._index.pop(entry.name, None)  # another process needed the room
            return False
        except OSError as error:
            say(f"{entry.name} could not be touched: {error.strerror}")
        return True

    def _head(self, entry: HeldEntry) -> bytes:
        return make_head(
            model_key=self._model_key,
            engine=self._engine,
            adapters=entry.adapters,
            key=entry.key,
            state=entry.state,
            conversation=entry.conversation,
        )


def _is_of(file: CacheFile, whose: Whose) -> bool:
    try:
        with open_entry(file.path) as stream:
            return whose(read_any_head(stream).description.conversation)
    except FileNotFoundError:
        return False
    except (Damaged, OSError):
        return True
