"""The prompt of a request as far as it was read, and the times of the request: what a reply and a beam search share."""

import time
from collections.abc import Callable, Sequence

from desktop.engine.protocol import GenerationStats, PromptProgress
from desktop.runtime.batching.batch import Batch
from desktop.runtime.batching.outbox import Outbox
from desktop.runtime.batching.prompt import Prompt
from desktop.runtime.batching.sequences import KvSequence, Lease, SequencePool
from desktop.runtime.loading.model import Model
from desktop.runtime.loading.projector import MediaChunk
from desktop.runtime.media.places import count_text


class Reading:
    """What is left of a prompt. It is read into one sequence, which may be another one after a pause.

    prefill_seconds: of the steps that read it; the scheduler adds them.
    """

    def __init__(
        self,
        request_id: str,
        prompt: Prompt,
        lease: Lease,
        *,
        model: Model,
        pool: SequencePool,
        outbox: Outbox,
        received: float,
    ) -> None:
        self._request_id, self._lease, self._media = request_id, lease, prompt.media
        self._model, self._pool, self._outbox = model, pool, outbox
        self._received, self._begun, self._first = received, time.monotonic(), 0.0
        self._waiting: Sequence[int] = lease.prompt[lease.cached :]
        self._chunk: list[int] = []
        self.prefill_seconds = 0.0

    @property
    def left(self) -> int:
        """Tokens that are still to be read."""
        return len(self._waiting)

    @property
    def medium(self) -> MediaChunk | None:
        """The image or recording that is next; None where text is."""
        return self._media.get(self._waiting[0]) if self._waiting else None

    def fill(self, batch: Batch, budget: int, sequence: KvSequence) -> range:
        """Add the rows of the next piece of text, at most `budget`; return them."""
        count = count_text(self._waiting, min(budget, batch.room))
        self._chunk = list(self._waiting[:count])
        logits = None if count == len(self._waiting) else False
        row = batch.add(self._chunk, len(sequence.tokens), sequence.id, logits=logits)
        return range(row, row + count)

    def take(self, sequence: KvSequence) -> bool:
        """The rows were decoded; return whether the prompt is read."""
        self._advance(sequence, self._chunk)
        return not self._waiting

    def end(self) -> None:
        """Note that the first token is chosen now."""
        self._first = time.monotonic()

    def perceive(self, medium: MediaChunk, go_on: Callable[[], bool], sequence: KvSequence) -> int:
        """Read the image or recording that is next; returns what Projector.encode_into returns. Raises EngineError."""
        result = self._model.perceive(medium, position=len(sequence.tokens), sequence=sequence.id, go_on=go_on)
        if result == 0:
            self._pool.learn_cells(medium)
            self._advance(sequence, medium.tokens)
        return result

    def stats(self, steps: int) -> GenerationStats:
        """What is known by times; completion_tokens is `steps`.

        steps: tokens that were chosen one after the other; the first comes with the prompt, so that the speed of
        decoding is that of the others.
        """
        now, first, lease = time.monotonic(), self._first, self._lease
        read, decoding = len(lease.prompt) - lease.cached - len(self._waiting), now - first
        return GenerationStats(
            prompt_tokens=len(lease.prompt),
            cached_tokens=lease.cached,
            cached_in=lease.cached_in if lease.cached else "none",
            completion_tokens=steps,
            queued=self._begun - self._received,
            ttft=first - self._received if first else 0.0,
            prefill_speed=read / self.prefill_seconds if self.prefill_seconds > 0 else 0.0,
            decode_speed=(steps - 1) / decoding if first and steps > 1 and decoding > 0 else 0.0,
            seconds=now - self._received,
        )

    def tell(self) -> None:
        """Say how far it came."""
        total = len(self._lease.prompt)
        progress = PromptProgress(request_id=self._request_id, done=total - len(self._waiting), total=total)
        self._outbox.add(progress, request_id=self._request_id)

    def _advance(self, sequence: KvSequence, tokens: Sequence[int]) -> None:
        sequence.extend(tokens)
        self._waiting = self._waiting[len(tokens) :]
        self.tell()
