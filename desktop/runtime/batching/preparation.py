"""Prompts of large requests are made in a thread of their own: their templates and tokens take seconds.

Nothing of the context is touched there, so steps go on meanwhile. What both threads use changes nothing: the
vocabulary tokenizes as a constant (llama_tokenize), and a template renders with values of its own. Files are not read
there: the projector serves one at a time. The model may not be freed before `close` has returned.
"""

import sys
import threading
import time
from collections.abc import Callable

from desktop.engine.protocol import CountTokens, FailureKind, Generate
from desktop.runtime.batching.prompt import Prompt, build_prompt, text_size
from desktop.runtime.failures import EngineError, as_engine_error
from desktop.runtime.loading.model import Model

LARGE = 16_384
"""Characters; less is tokenized in some milliseconds, where a step takes as long."""
SLOW = 0.05
"""Seconds that a small conversation may take; from then on the model's template counts as slow."""
SWITCH = 0.0005
"""Seconds after which a template lets the steps go on, as sys.setswitchinterval has it. A step comes back from native
code several times, and with Python's 5 ms each time running text would be a fifth as fast as alone."""
MOMENT = 0.02
"""Seconds to wait for the thread where there is nothing else to do: so long a cancel may go unheard."""


class Job:
    """A prompt that is made in the thread. since: when it was asked for, in seconds of the monotonic clock."""

    def __init__(self, make: Callable[["Job"], Prompt]) -> None:
        self._make, self.since = make, time.monotonic()
        self.wanted = True
        """Whether somebody waits for it still; what makes it looks now and then."""
        self.began = self.done = False
        self._outcome: Prompt | EngineError | None = None

    def run(self) -> None:
        """Make it, whatever comes of it."""
        self.began = True
        try:
            self.check_wanted()
            self._outcome = self._make(self)
        except Exception as error:  # noqa: BLE001 - see as_engine_error
            self._outcome = as_engine_error(error)
        self.done = True

    def check_wanted(self) -> None:
        """Raise EngineError(CANCELLED) where nobody waits for it any more."""
        if not self.wanted:
            raise EngineError(FailureKind.CANCELLED)

    def fail(self, error: EngineError) -> None:
        """It cannot be made."""
        self._outcome, self.done = error, True

    def result(self) -> Prompt:
        """What was made, once it is done. Raises EngineError."""
        if isinstance(self._outcome, EngineError):
            raise self._outcome
        if self._outcome is None:
            raise EngineError(FailureKind.INTERNAL, "it is not made yet")
        return self._outcome


class Preparation:
    """Makes prompts: small ones at once, large ones one after the other in a thread that `advance` starts."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._asked: dict[str, Job] = {}
        self._running: Job | None = None
        self._thread: threading.Thread | None = None
        self._slow = False
        self._usual_switch = sys.getswitchinterval()

    @property
    def works(self) -> bool:
        """Whether the thread is there, if only to be collected by the next `advance`."""
        return self._running is not None

    def begin(self, request: Generate | CountTokens) -> Job | None:
        """What is to be made in the thread; None where `build` takes no time worth speaking of."""
        if not self._takes_long(request):
            return None
        return Job(lambda job: build_prompt(self._model, request, between=job.check_wanted))

    def build(self, request: Generate | CountTokens) -> Prompt:
        """Make a prompt here and now. Raises EngineError."""
        started = time.monotonic()
        try:
            return build_prompt(self._model, request)
        finally:
            if request.messages and not _has_files(request):  # files take their own time
                self._slow = self._slow or time.monotonic() - started > SLOW

    def ask(self, who: str, job: Job) -> None:
        """Let it be made when the thread is free; of each `who` the first that asks in a step comes first."""
        self._asked.setdefault(who, job)

    def advance(self) -> None:
        """Start what has waited longest, where the thread is free."""
        if self._running is not None and self._running.done:
            self.close()
        asked = [job for job in self._asked.values() if not job.done]  # one may have become so since it asked
        self._asked = {}
        if self._running is None and asked:
            self._start(min(asked, key=lambda job: job.since))

    def rest(self) -> None:
        """Leave the thread a moment, because there is nothing else to do."""
        if self._thread is not None:
            self._thread.join(MOMENT)

    def close(self) -> None:
        """Wait for the thread, which ends soon where its job is not wanted: native code cannot be stopped."""
        if self._thread is not None:
            self._thread.join()
        self._running = self._thread = None
        sys.setswitchinterval(self._usual_switch)

    def _start(self, job: Job) -> None:
        self._running, self._thread = job, threading.Thread(target=job.run, name="preparation", daemon=True)
        sys.setswitchinterval(SWITCH)
        try:
            self._thread.start()
        except RuntimeError as error:  # "can't start new thread", as Python words it
            self._thread = None
            self.close()
            job.fail(EngineError(FailureKind.OUT_OF_MEMORY, str(error)))

    def _takes_long(self, request: Generate | CountTokens) -> bool:
        if _has_files(request):
            return False
        return (bool(request.messages) and self._slow) or text_size(request) >= LARGE


def _has_files(request: Generate | CountTokens) -> bool:
    return any(message.attachments for message in request.messages)
