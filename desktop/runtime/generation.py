"""One reply in the making: prefill in chunks, then a token per step."""

import time
from collections.abc import Callable

from desktop.engine.protocol import (
    Done,
    EngineMessage,
    FailureKind,
    FinishReason,
    Generate,
    GenerationStats,
    PromptProgress,
)
from desktop.runtime.deltas import DeltaWriter, ReplyText
from desktop.runtime.failures import EngineError
from desktop.runtime.model import Model
from desktop.runtime.sampling import SamplerChain
from desktop.runtime.sequence import KvSequence
from desktop.runtime.stops import ReasoningFilter

LARGEST_CHUNK, SMALLEST_CHUNK = 512, 64
CHUNK_SECONDS = 1.0
"""How long a chunk of prefill should take at most: a cancel waits for one chunk."""
_LARGE_MODEL = 2_000_000_000  # parameters; a machine of unknown speed starts with a small chunk from here on


class Chunks:
    """Sizes prefill chunks by the speed that was seen, in tokens."""

    def __init__(self, n_params: int, n_batch: int) -> None:
        self._limit = min(LARGEST_CHUNK, n_batch)
        self.size = self._limit if n_params < _LARGE_MODEL else min(SMALLEST_CHUNK, self._limit)

    def learn(self, tokens: int, seconds: float) -> None:
        """Take the time of one chunk into account."""
        if tokens >= min(SMALLEST_CHUNK, self._limit):
            wanted = int(tokens / max(seconds, 1e-6) * CHUNK_SECONDS)
            self.size = max(min(SMALLEST_CHUNK, self._limit), min(wanted, self._limit))


class Generation:
    """A request from its prompt to its Done. Raises EngineError where it cannot go on."""

    def __init__(
        self,
        request: Generate,
        *,
        model: Model,
        sequence: KvSequence,
        chunks: Chunks,
        send: Callable[[EngineMessage], None],
        received: float,
    ) -> None:
        self.request = request
        self._model, self._sequence, self._chunks, self._send = model, sequence, chunks, send
        self._received, self._begun, self._first = received, time.monotonic(), 0.0
        prompt, reasoning_open = build_prompt(model, request)
        self._prompt_tokens = len(prompt)
        check_room(len(prompt), model.n_ctx)
        self._cached = sequence.keep_prefix_of(prompt)
        self._waiting = prompt[self._cached :]
        self._sampler = SamplerChain(request.sampling, vocabulary_size=model.vocabulary.size)
        writer = DeltaWriter(request.request_id, send)
        self._text = ReplyText(writer, stops=request.sampling.stop, reasoning_open=reasoning_open)
        self._made = 0
        self._prefill_seconds = 0.0

    def step(self) -> bool:
        """Do a chunk of prefill or make one token; return whether there is more to do."""
        if self._waiting:
            self._prefill()
            return True
        reason = self._next_token()
        if reason is None:
            return True
        self.finish(reason)
        return False

    def finish(self, reason: FinishReason) -> None:
        """Send what is held back, and Done."""
        self._text.finish()
        self._send(Done(request_id=self.request.request_id, finish_reason=reason, stats=self._stats()))

    def close(self) -> None:
        """Free the native sampler."""
        self._sampler.close()

    def _prefill(self) -> None:
        chunk, self._waiting = self._waiting[: self._chunks.size], self._waiting[self._chunks.size :]
        started = time.monotonic()
        self._sequence.decode(chunk)
        if not self._waiting:
            self._choose()  # the logits are waited for here, so the chunk's time is known afterwards
        seconds = time.monotonic() - started
        self._prefill_seconds += seconds
        self._chunks.learn(len(chunk), seconds)
        done = self._prompt_tokens - len(self._waiting)
        self._send(PromptProgress(request_id=self.request.request_id, done=done, total=self._prompt_tokens))

    def _choose(self) -> None:
        self._token = self._sampler.sample(self._model.context)

    def _next_token(self) -> FinishReason | None:
        """Emit the token that was chosen and choose the next; return why the reply ends, or None."""
        token = self._token
        if not self._made:
            self._first = time.monotonic()
        if self._model.vocabulary.ends_generation(token):
            return "stop"
        self._made += 1
        self._text.feed(self._model.vocabulary.piece(token))
        if self._text.stopped:
            return "stop"
        if self._made == self.request.sampling.max_length:
            return "length"
        if len(self._sequence.tokens) >= self._model.n_ctx:
            return "context_full"
        self._sequence.decode((token,))
        self._choose()
        return None

    def _stats(self) -> GenerationStats:
        now = time.monotonic()
        decoding, read = now - self._first, self._prompt_tokens - self._cached - len(self._waiting)
        return GenerationStats(
            prompt_tokens=self._prompt_tokens,
            cached_tokens=self._cached,
            completion_tokens=self._made,
            ttft=self._first - self._received if self._first else 0.0,
            prefill_speed=read / self._prefill_seconds if self._prefill_seconds > 0 else 0.0,
            decode_speed=(self._made - 1) / decoding if self._made > 1 and decoding > 0 else 0.0,
            seconds=now - self._received,
            context_used=len(self._sequence.tokens),
            seed=self._sampler.seed,
        )


def build_prompt(model: Model, request: Generate) -> tuple[list[int], bool]:
    """Return the tokens of the prompt, and whether it ends inside a reasoning block.

    Raises EngineError(NO_CHAT_TEMPLATE | BAD_CHAT_TEMPLATE | BAD_REQUEST).
    """
    if not request.messages:
        raise EngineError(FailureKind.BAD_REQUEST, "a conversation needs at least one message")
    if model.template_failure is not None:
        raise EngineError(FailureKind.BAD_CHAT_TEMPLATE, model.template_failure.detail)
    if model.template is None:
        raise EngineError(FailureKind.NO_CHAT_TEMPLATE, model=model.plan.model_name)
    words = model.vocabulary
    stretches = model.template.render(request.messages, continue_last=request.continue_last)
    tokens: list[int] = []
    for index, stretch in enumerate(stretches):
        doubled = bool(words.bos_text) and stretch.text.startswith(words.bos_text)
        add_bos = index == 0 and words.adds_bos and not doubled
        tokens += words.tokenize(stretch.text, add_bos=add_bos, parse_special=not stretch.literal)
    if not tokens:
        raise EngineError(FailureKind.BAD_CHAT_TEMPLATE, "it makes an empty prompt")
    return tokens, stretches[-1].text.rstrip().endswith(ReasoningFilter.OPEN)


def check_room(prompt: int, n_ctx: int) -> None:
    """Raise EngineError(CONTEXT_FULL) unless the prompt and one new token fit; nothing is ever left out silently."""
    if prompt >= n_ctx:
        raise EngineError(FailureKind.CONTEXT_FULL, needed=str(prompt + 1), available=str(n_ctx))
