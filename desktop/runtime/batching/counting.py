"""Questions how long the prompt of a conversation is: answered at once, or when a large one is prepared."""

from desktop.engine.protocol import CountTokens, TokensCounted
from desktop.runtime.batching.preparation import Job, Preparation
from desktop.runtime.batching.prompt import Prompt
from desktop.runtime.batching.roster import Roster
from desktop.runtime.failures import EngineError


class Counting:
    """The questions that wait. context: tokens that the model can hold."""

    def __init__(self, preparation: Preparation, roster: Roster, *, context: int) -> None:
        self._preparation, self._roster, self._context = preparation, roster, context
        self._waiting: dict[str, Job] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def __contains__(self, request_id: str) -> bool:
        return request_id in self._waiting

    def submit(self, request: CountTokens) -> None:
        """Answer, or let it be prepared. Raises EngineError."""
        job = self._preparation.begin(request)
        if job is None:
            self._answer(request.request_id, self._preparation.build(request))
        else:
            self._waiting[request.request_id] = job

    def advance(self) -> None:
        """Answer what was prepared, ask for the next; end what was cancelled."""
        for request_id, job in list(self._waiting.items()):
            if request_id in self._roster.cancelled:
                self._end(request_id)
            elif not job.done:
                self._preparation.ask("count", job)
            else:
                del self._waiting[request_id]
                try:
                    self._answer(request_id, job.result())
                except EngineError as error:
                    self._roster.refuse(request_id, error)

    def drain(self) -> None:
        """End all as cancelled."""
        for request_id in list(self._waiting):
            self._end(request_id)

    def _answer(self, request_id: str, prompt: Prompt) -> None:
        answer = TokensCounted(request_id=request_id, tokens=len(prompt.tokens), context=self._context)
        self._roster.outbox.add(answer, request_id=request_id, last=True)

    def _end(self, request_id: str) -> None:
        self._waiting.pop(request_id).wanted = False
        self._roster.never_begun(request_id)
