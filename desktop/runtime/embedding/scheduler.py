"""Embedding and reranking: texts of all requests are read together, each as a sequence of one batch."""

import math
import time
from collections.abc import Iterable, Iterator
from itertools import islice, zip_longest
from typing import Any

import llama_cpp.llama_cpp as llama
import numpy as np

from desktop.engine.protocol import (
    LONGEST_LINE,
    CountTokens,
    Done,
    Embed,
    Embedded,
    EngineMessage,
    FailureKind,
    ForgetConversations,
    Generate,
    GenerationStats,
    RequestFailed,
    Rerank,
    Reranked,
    Status,
)
from desktop.runtime.batching.batch import Batch
from desktop.runtime.batching.outbox import Outbox
from desktop.runtime.batching.request_queue import LIMIT
from desktop.runtime.batching.turns import PATIENCE
from desktop.runtime.devices.threads import ThreadGovernor
from desktop.runtime.embedding.texts import TextReader
from desktop.runtime.engine_log import EngineLog
from desktop.runtime.failures import EngineError, decode_failure
from desktop.runtime.loading.model import Model
from desktop.runtime.loading.pooling import reads_in_pieces

NUMBER_BYTES = 25
"""The longest that a number of a vector is in JSON."""
Request = Generate | CountTokens | Embed | Rerank | ForgetConversations
Vector = tuple[float, ...]


class _Job:
    """A request with the tokens of its texts, and what is known of them."""

    def __init__(self, request: Embed | Rerank, texts: list[list[int]]) -> None:
        self.request, self.texts, self.received = request, texts, time.monotonic()
        self.vectors: dict[int, Vector] = {}
        self._first = 0  # all texts before it were read

    def comes_first(self) -> bool:
        """Whether it is a person's, or has waited as long as nobody should."""
        return self.request.priority == "interactive" or time.monotonic() - self.received > PATIENCE

    @property
    def done(self) -> bool:
        return len(self.vectors) == len(self.texts)

    def waiting(self) -> Iterator["_Text"]:
        while self._first in self.vectors:
            self._first += 1
        return (_Text(self, index) for index in range(self._first, len(self.texts)) if index not in self.vectors)

    def answer(self) -> EngineMessage:
        vectors = tuple(self.vectors[index] for index in range(len(self.texts)))
        request_id, tokens = self.request.request_id, sum(map(len, self.texts))
        if isinstance(self.request, Rerank):
            scores = tuple(vector[0] for vector in vectors)
            return Reranked(request_id=request_id, scores=scores, prompt_tokens=tokens)
        return Embedded(request_id=request_id, vectors=vectors, prompt_tokens=tokens)


class _Text:
    """A text of a job that was not read yet."""

    def __init__(self, job: _Job, index: int) -> None:
        self.job, self.index, self.tokens = job, index, job.texts[index]


class EmbeddingScheduler:
    """The requests for one loaded embedding or reranking model. `cancelled` is filled by the reader thread."""

    def __init__(self, model: Model, *, log: EngineLog, outbox: Outbox, cancelled: set[str]) -> None:
        self._model, self._log, self._outbox, self._cancelled = model, log, outbox, cancelled
        self._memory = llama.llama_get_memory(model.context)
        # Beyond what it was trained for, a model with learnt positions would read past its table of them.
        of_a_sequence = llama.llama_n_ctx_seq(model.context)
        longest = min(of_a_sequence, model.loaded.n_ctx_train or of_a_sequence)
        if not reads_in_pieces(model.context):
            longest = min(longest, model.n_batch)
        self._texts = TextReader(model.native, model.vocabulary, longest=longest)
        self._batch = Batch(model.n_batch)
        self._governor = ThreadGovernor(model.loaded.n_threads) if model.plan.adapt_threads else None
        self._jobs: list[_Job] = []
        self._alone = 0  # texts that are read one by one, because one of a batch could not be read
        self._long: _Text | None = None
        self._read = 0  # tokens of the long text that are in the memory

    # --- what the main loop asks -----------------------------------------------------------------------------------

    @property
    def busy(self) -> bool:
        """Whether `step` has something to do."""
        return bool(self._jobs)

    def submit(self, request: Request) -> None:
        """Take a request; what cannot be answered fails at once."""
        try:
            job = self._job(request)
        except EngineError as error:
            self._fail(request.request_id, error)
        else:
            self._jobs.append(job)
        self._outbox.flush()

    def knows(self, request_id: str) -> bool:
        """Whether a request waits or is being answered."""
        return any(job.request.request_id == request_id for job in self._jobs)

    def step(self) -> None:
        """Read one batch of texts, or a piece of a long one."""
        for job in [job for job in self._jobs if job.request.request_id in self._cancelled]:
            self._end(job, _cancelled(job))
        if self._governor and (threads := self._governor.look(time.monotonic())):
            self._model.set_threads(threads)
        texts = [self._long] if self._long else self._gather()
        if texts:
            self._read_texts(texts)
        for job in [job for job in self._jobs if job.done]:
            self._end(job, job.answer())
        self._outbox.flush(now=True)

    def rest(self) -> float | None:
        """Nothing is done between requests."""
        return None

    def drain(self, _seconds: float) -> None:
        """End everything as cancelled: the model is going away."""
        for job in list(self._jobs):
            self._end(job, _cancelled(job))
        self._outbox.flush(now=True)

    def status(self, nonce: int) -> Status:
        """What is going on."""
        active = min(len(self._jobs), 1)
        waiting = len(self._jobs) - active
        return Status(nonce=nonce, active=active, waiting=waiting, threads=self._model.threads[0])

    # --- requests --------------------------------------------------------------------------------------------------

    def _job(self, request: Request) -> _Job:
        if len(self._jobs) >= LIMIT:
            raise EngineError(FailureKind.QUEUE_FULL, waiting=str(len(self._jobs)))
        purpose = self._model.plan.purpose
        if isinstance(request, Embed) and purpose == "embedding":
            most = LONGEST_LINE // (NUMBER_BYTES * self._model.loaded.n_embd_out)
            if len(request.texts) > most:
                detail = f"{len(request.texts)} texts are too many for one answer; {most} are the most"
                raise EngineError(FailureKind.BAD_REQUEST, detail)
            return _Job(request, self._texts.to_embed(request.texts))
        if isinstance(request, Rerank) and purpose == "rerank":
            return _Job(request, self._texts.to_rank(request.query, request.documents))
        made_for = "embeds texts" if purpose == "embedding" else "ranks documents"
        raise EngineError(FailureKind.WRONG_PURPOSE, f"it {made_for} and does nothing else")

    def _fail(self, request_id: str, error: EngineError) -> None:
        self._cancelled.discard(request_id)
        failure = RequestFailed(request_id=request_id, failure=error.failure)
        self._outbox.add(failure, request_id=request_id, last=True)

    def _end(self, job: _Job, message: EngineMessage) -> None:
        self._forget(job)
        self._outbox.add(message, request_id=job.request.request_id, last=True)

    def _forget(self, job: _Job) -> None:
        self._jobs.remove(job)
        self._cancelled.discard(job.request.request_id)
        if self._long and self._long.job is job:
            self._long = None

    # --- batches ---------------------------------------------------------------------------------------------------

    def _gather(self) -> list[_Text]:
        """Choose the texts of the next batch: a person's before a batch client's, one of each request in turn."""
        people = [job.waiting() for job in self._jobs if job.comes_first()]
        others = [job.waiting() for job in self._jobs if not job.comes_first()]
        most = 1 if self._alone else self._model.n_seq_max
        self._alone = max(0, self._alone - 1)
        texts: list[_Text] = []
        room = self._batch.capacity
        for text in islice((*_in_turn(people), *_in_turn(others)), most):
            if texts and len(text.tokens) > room:
                break
            texts.append(text)
            room -= len(text.tokens)
        return texts

    def _read_texts(self, texts: list[_Text]) -> None:
        try:
            if len(texts[0].tokens) > self._batch.capacity:
                self._read_piece(texts[0])
            else:
                self._read_whole(texts)
        except EngineError as error:
            self._long = None
            if len(texts) > 1:
                self._alone = len(texts)  # to see which of them it is
                return
            self._forget(texts[0].job)
            self._fail(texts[0].job.request.request_id, error)

    def _read_whole(self, texts: list[_Text]) -> None:
        self._clear()
        self._batch.clear()
        for sequence, text in enumerate(texts):
            self._batch.add(text.tokens, 0, sequence, logits=True)
        self._decode()
        vectors = [self._vector(sequence, text) for sequence, text in enumerate(texts)]
        for text, vector in zip(texts, vectors, strict=True):
            text.job.vectors[text.index] = vector

    def _read_piece(self, text: _Text) -> None:
        if self._long is None:
            self._long, self._read = text, 0
            self._clear()
        piece = text.tokens[self._read : self._read + self._batch.capacity]
        self._batch.clear()
        self._batch.add(piece, self._read, 0, logits=True)
        self._decode()
        self._read += len(piece)
        if self._read == len(text.tokens):
            self._long = None
            text.job.vectors[text.index] = self._vector(0, text)

    def _clear(self) -> None:
        if self._memory:
            llama.llama_memory_clear(self._memory, False)

    def _decode(self) -> None:
        mark = self._log.mark()
        # A model without a memory is an encoder; llama_decode hands its batch on to llama_encode.
        result = self._batch.decode(self._model.context)
        if result != 0:
            raise decode_failure(result, self._log.problems_since(mark))

    def _vector(self, sequence: int, text: _Text) -> Vector:
        """Read what the sequence was pooled to. Raises EngineError(INTERNAL) for what is no number."""
        pooled: Any = llama.llama_get_embeddings_seq(self._model.context, sequence)
        if not pooled:
            raise EngineError(FailureKind.INTERNAL, "the engine made no embedding")
        vector = np.ctypeslib.as_array(pooled, (self._model.loaded.n_embd_out,)).astype(np.float64)
        length = math.sqrt(float(vector @ vector))
        if not math.isfinite(length):
            raise EngineError(FailureKind.INTERNAL, "the model's answer holds values that are no numbers")
        if isinstance(text.job.request, Embed) and text.job.request.normalize and length > 0:
            vector /= length
        return tuple(vector.tolist())


def _in_turn(jobs: Iterable[Iterator[_Text]]) -> Iterator[_Text]:
    """The first text of each, then the second of each."""
    for row in zip_longest(*jobs):
        yield from (text for text in row if text is not None)


def _cancelled(job: _Job) -> Done:
    return Done(request_id=job.request.request_id, finish_reason="cancelled", stats=GenerationStats())
