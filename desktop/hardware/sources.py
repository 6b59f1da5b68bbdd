"""Runs sources of facts side by side, each with a time-out: one that hangs or fails costs only its own facts.

A driver call that hangs cannot be cancelled. The threads are daemons, so they never keep the process from ending;
that is enough in a throw-away child, which leaves with os._exit.
"""

import threading
from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

import msgspec

from desktop.errors import QT_TRANSLATE_NOOP, Phrase
from desktop.hardware.types import Gpu, SourceProblem

Answer = TypeVar("Answer")


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What one source of graphics cards knows."""

    gpus: tuple[Gpu, ...] = ()
    problems: tuple[SourceProblem, ...] = ()


class Asked(Generic[Answer]):
    """A question put to a source on a daemon thread of its own."""

    def __init__(self, source: str, question: Callable[[], Answer]) -> None:
        self.source = source
        self._question = question
        self._done = threading.Event()
        self._answer: Answer | None = None
        self._problem: SourceProblem | None = None
        threading.Thread(target=self._run, name=f"source {source}", daemon=True).start()

    def _run(self) -> None:
        try:
            self._answer = self._question()
        except Exception as error:  # noqa: BLE001 - whatever a driver's binding raises is reported in the profile
            self._problem = failed_source(self.source, error)
        finally:
            self._done.set()

    def wait(self, timeout: float) -> tuple[Answer | None, SourceProblem | None]:
        """Wait at most `timeout` seconds; exactly one of answer and problem is given."""
        if not self._done.wait(timeout):
            return None, slow_source(self.source)
        return self._answer, self._problem


def ask_all(questions: Mapping[str, Callable[[], Answer]]) -> dict[str, Asked[Answer]]:
    """Start every question at once."""
    return {source: Asked(source, question) for source, question in questions.items()}


def slow_source(source: str) -> SourceProblem:
    """The source did not answer in time."""
    return SourceProblem(
        source=source, what=Phrase.of(QT_TRANSLATE_NOOP("core", "{source} did not answer in time."), source=source)
    )


def failed_source(source: str, error: Exception) -> SourceProblem:
    """The source failed with `error`."""
    reason = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return SourceProblem(
        source=source,
        what=Phrase.of(QT_TRANSLATE_NOOP("core", "{source} failed: {reason}"), source=source, reason=reason),
    )
