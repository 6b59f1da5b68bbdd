"""Writes states to the disk in a thread of its own, so that the engine never waits for it."""

import threading
import time
from collections import deque
from collections.abc import Callable

import msgspec

from desktop.runtime.cache import entry_file
from desktop.runtime.cache.entries import HeldEntry, Whose
from desktop.runtime.cache.folder import CacheFolder, remove, say

MOST_IN_FLIGHT = 2
"""States that wait or are being written; more are refused, so that memory stays bounded."""

QUIET_SECONDS = 60.0
"""How long nothing is tried after the disk refused."""

_END_GRACE = 0.2
"""Seconds for the thread to end after it was told to; on a disk that hangs it ends with the process."""


class Outcome(msgspec.Struct, frozen=True):
    """What became of an entry. stem: its file, "" where it was not written; removed: what went for it."""

    entry: HeldEntry
    stem: str
    removed: list[str]


class Writer:
    """Used by one thread; its own thread begins with the first work and ends with `close`."""

    def __init__(
        self,
        folder: CacheFolder,
        limit: int,
        *,
        head: Callable[[HeldEntry], bytes],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folder = folder
        self._limit = limit
        self._head = head
        self._clock = clock
        self._changed = threading.Condition()
        self._jobs: deque[HeldEntry] = deque()  # the first is being written
        self._doomed: list[str] = []
        self._given_up: HeldEntry | None = None  # in the middle of its file
        self._outcomes: list[Outcome] = []
        self._thread: threading.Thread | None = None
        self._quiet_until = float("-inf")
        self._ending = False  # once nothing is left to do
        self._stopping = False  # in the middle of a file

    @property
    def pending(self) -> tuple[HeldEntry, ...]:
        """Entries that are not on the disk yet."""
        with self._changed:
            return tuple(self._jobs)

    def submit(self, entry: HeldEntry) -> bool:
        """Have `entry` written; False where that will not happen: too much waits already, or the disk refused."""
        with self._changed:
            if self._ending or self._clock() < self._quiet_until:
                return False
            if any(job.stands_for(entry, whole=entry.whole) for job in self._jobs):
                return True
            for job in [job for job in list(self._jobs)[1:] if entry.covers(job, whole=entry.whole)]:
                self._jobs.remove(job)
            if len(self._jobs) >= MOST_IN_FLIGHT:
                return False
            self._jobs.append(entry)
            self._wake()
        return True

    def discard(self, stems: list[str]) -> None:
        """Have files removed: of a large one that takes milliseconds."""
        with self._changed:
            self._doomed += stems
            self._wake()

    def forget(self, whose: Whose, seconds: float) -> tuple[list[HeldEntry], bool]:
        """Write nothing of these conversations. Returns what was to be written, and whether nothing of it is left.

        Waits at most `seconds` for the one that is being written; a disk that hangs is rid of it as soon as it goes on.
        """
        with self._changed:
            gone = [job for job in self._jobs if whose(job.conversation)]
            writing = self._jobs[0] if gone and self._jobs[0] is gone[0] else None
            self._given_up = writing or self._given_up
            for job in gone[1:] if writing else gone:
                self._jobs.remove(job)
            self._changed.notify_all()
            done = self._changed.wait_for(lambda: not writing or writing not in self._jobs, max(seconds, 0))
        return gone, done

    def outcomes(self) -> list[Outcome]:
        """Return what has become of entries since the last call."""
        with self._changed:
            outcomes, self._outcomes = self._outcomes, []
        return outcomes

    def wait_for_place(self, seconds: float) -> bool:
        """Wait until `submit` has room; returns whether it has."""
        with self._changed:
            return self._changed.wait_for(lambda: len(self._jobs) < MOST_IN_FLIGHT, max(seconds, 0))

    def flush(self, seconds: float) -> bool:
        """Wait until everything is written; returns whether it is."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._jobs and not self._doomed, max(seconds, 0))

    def close(self, seconds: float) -> bool:
        """Write what waits, for at most `seconds`; what is not written then is given up. Returns whether all was."""
        with self._changed:
            self._ending = True
            self._changed.notify_all()
        complete = self.flush(seconds)
        self._stopping = True
        if self._thread is not None:
            self._thread.join(_END_GRACE)
        return complete

    # --- the thread ------------------------------------------------------------------------------------------------

    def _wake(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="cache-writer", daemon=True)
            self._thread.start()
        self._changed.notify_all()

    def _run(self) -> None:
        while self._wait_for_work():
            if self._doomed:
                self._remove(self._doomed[0])
            else:
                self._write_next(self._jobs[0])

    def _wait_for_work(self) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: self._jobs or self._doomed or self._ending)
            return bool(self._jobs or self._doomed) and not self._stopping

    def _remove(self, stem: str) -> None:
        remove(self._folder.entry(stem))
        with self._changed:
            self._doomed.pop(0)
            self._changed.notify_all()

    def _write_next(self, entry: HeldEntry) -> None:
        outcome = self._write(entry)
        with self._changed:
            forgotten = entry is self._given_up
        if forgotten and outcome.stem:
            remove(self._folder.entry(outcome.stem))
        with self._changed:
            self._jobs.popleft()
            if not forgotten:
                self._outcomes.append(outcome)
            self._changed.notify_all()

    def _write(self, entry: HeldEntry) -> Outcome:
        refused = Outcome(entry, "", [])
        if self._clock() < self._quiet_until:
            return refused
        try:
            return self._write_file(entry)
        except entry_file.Stopped:
            return refused
        except OSError as error:
            self._quiet_until = self._clock() + QUIET_SECONDS
            say(
                f"a conversation could not be put on the disk ({error.strerror}); "
                f"nothing is put there for {QUIET_SECONDS:.0f} seconds"
            )
            return refused

    def _is_needless(self, entry: HeldEntry) -> bool:
        return self._stopping or entry is self._given_up

    def _write_file(self, entry: HeldEntry) -> Outcome:
        stem = entry_file.new_stem()
        self._folder.prepare()
        head = self._head(entry)
        path = self._folder.unfinished(stem)
        try:
            # The file has its size from the beginning, so that two processes that make room see each other.
            with entry_file.create(path, len(head) + entry.size) as stream:
                fits, removed = self._folder.keep_to(self._limit)
                if not fits:
                    say("a conversation could not be put on the disk: other programs are using all of the limit")
                    return Outcome(entry, "", removed)
                entry_file.write(stream, head, entry.state, stopping=lambda: self._is_needless(entry))
            entry_file.finish(path, self._folder.entry(stem), used=entry.used)
        finally:
            path.unlink(missing_ok=True)
        return Outcome(entry, stem, removed)
