"""Runs sources of facts side by side, each with a time-out: one that hangs or fails costs only its own facts.

A driver call that hangs cannot be cancelled. The threads are daemons, so they never keep the process from ending;
that is enough in a throw-away child, which leaves with os._exit.
"""

import threading
import time
from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

import msgspec

from desktop.errors import QT_TRANSLATE_NOOP, Phrase
from desktop.hardware.believable import escaped
from desktop.hardware.types import Gpu, LostCard, Outcome, SourceAnswer, SourceProblem

Answer = TypeVar("Answer")


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What one source of graphics cards knows."""

    gpus: tuple[Gpu, ...] = ()
    problems: tuple[SourceProblem, ...] = ()
    lost: tuple[LostCard, ...] = ()


class Asked(Generic[Answer]):
    """A question put to a source on a daemon thread of its own.

    The question yields answers, each in place of the one before and with more in it. So a source that hangs half-way
    has told what it knew by then.
    """

    def __init__(self, source: str, question: Callable[[], Iterable[Answer]]) -> None:
        self.source = source
        self._question = question
        self._done = threading.Event()
        self._answer: Answer | None = None
        self._problem: SourceProblem | None = None
        self._began = time.monotonic()
        self._seconds = 0.0
        threading.Thread(target=self._run, name=f"source {source}", daemon=True).start()

    def _run(self) -> None:
        try:
            for answer in self._question():
                msgspec.json.encode(answer)  # one that cannot cross to the owner costs this source, not the profile
                self._answer = answer
        except Exception as error:  # noqa: BLE001 - whatever a driver's binding raises is reported in the profile
            self._problem = failed_source(self.source, error, self._asked_for())
        finally:
            self._seconds = self._asked_for()
            self._done.set()

    def wait(self, timeout: float) -> tuple[Answer | None, SourceProblem | None, SourceAnswer]:
        """Wait at most `timeout` seconds; return the last answer, what went wrong, and how it went."""
        if not self._done.wait(timeout):
            seconds = self._asked_for()
            return self._answer, slow_source(self.source, seconds), self._report("slow", seconds)
        return self._answer, self._problem, self._report("failed" if self._problem else "answered", self._seconds)

    def _asked_for(self) -> float:
        """Seconds since the question was put."""
        return round(time.monotonic() - self._began, 3)

    def _report(self, outcome: Outcome, seconds: float) -> SourceAnswer:
        return SourceAnswer(source=self.source, outcome=outcome, seconds=seconds)


def once(question: Callable[[], Answer]) -> Callable[[], Iterable[Answer]]:
    """A question with one answer."""
    return lambda: iter((question(),))


def slow_source(source: str, seconds: float | None = None) -> SourceProblem:
    """The source did not answer in time; it had been asked for `seconds`."""
    what = Phrase.of(QT_TRANSLATE_NOOP("core", "{source} did not answer in time."), source=source)
    return SourceProblem(source=source, what=what, seconds=seconds)


def failed_source(source: str, error: Exception, seconds: float | None = None) -> SourceProblem:
    """The source failed with `error` after `seconds`."""
    reason = escaped(f"{type(error).__name__}: {error}" if str(error) else type(error).__name__)
    return SourceProblem(
        source=source,
        what=Phrase.of(QT_TRANSLATE_NOOP("core", "{source} failed: {reason}"), source=source, reason=reason),
        seconds=seconds,
    )


def impossible_memory(source: str, name: str, told: str, free: int, total: int) -> SourceProblem:
    """The driver tells of a card's memory what cannot be; `free` of `total` bytes is counted on, 0 for nothing."""
    if not total:
        what = QT_TRANSLATE_NOOP(
            "core", "The driver of {name} tells no size of its memory that can be true ({told} bytes). It is left out."
        )
        return SourceProblem(source=source, what=Phrase.of(what, name=name, told=told))
    what = QT_TRANSLATE_NOOP(
        "core",
        "The driver of {name} tells of its memory what cannot be ({told}). Snug counts on {free} of {total} bytes.",
    )
    return SourceProblem(source=source, what=Phrase.of(what, name=name, told=told, free=free, total=total))
