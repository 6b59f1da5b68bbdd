"""An engine with a queue of replies, for tests of what stands above the engine."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from typing import Any, NamedTuple

from desktop.engine.protocol import (
    ConversationsForgotten,
    Done,
    FinishReason,
    GenerationStats,
    LoadedModel,
    PromptMessage,
    PromptProgress,
    ReasoningDelta,
    ReplyPart,
    Sampling,
    TextDelta,
    ToolCallDelta,
)


class Thought(str):
    """A piece of reasoning."""

    __slots__ = ()


class Request(NamedTuple):
    """What the engine was asked."""

    messages: tuple[PromptMessage, ...]
    sampling: Sampling
    continue_last: bool
    options: dict[str, Any]
    """What else was said: priority, tools, prompt ... as EngineClient.generate takes them."""


class Call(NamedTuple):
    """A piece of a tool call."""

    name: str = ""
    arguments: str = ""
    withdrawn: bool = False


Step = str | Call | Exception | asyncio.Event
"""A word, a piece of a call, an error, or a gate that the test opens."""


class Finish(NamedTuple):
    """The end of a reply; drafted, accepted: of its figures."""

    reason: FinishReason = "stop"
    drafted: int = 0
    accepted: int = 0


class FakeEngine:
    """Plays one list of steps per request; `requests` holds what it was asked, `cancelled` how often it was closed."""

    def __init__(self, *replies: "Sequence[Step | Finish]", model: str = "Fake 1B") -> None:
        self.replies = deque(replies)
        self.requests: list[Request] = []
        self.cancelled = 0
        self.forgotten: list[Sequence[str] | None] = []
        self.forget_fails: Exception | None = None
        self.loaded: LoadedModel | None = _loaded(model)

    async def generate(
        self,
        *,
        messages: Sequence[PromptMessage] = (),
        sampling: Sampling,
        continue_last: bool = False,
        **options: Any,
    ) -> AsyncGenerator[ReplyPart, None]:
        """Play the next reply."""
        self.requests.append(Request(tuple(messages), sampling, continue_last, options))
        name = f"request-{len(self.requests)}"
        words = 0
        try:
            yield PromptProgress(request_id=name, done=1, total=1)
            for step in (*self.replies.popleft(), Finish()):
                if isinstance(step, asyncio.Event):
                    await step.wait()
                elif isinstance(step, Exception):
                    raise step
                elif isinstance(step, Finish):
                    stats = GenerationStats(
                        prompt_tokens=len(messages),
                        completion_tokens=words,
                        decode_speed=10.0,
                        drafted=step.drafted,
                        accepted=step.accepted,
                    )
                    yield Done(request_id=name, finish_reason=step.reason, stats=stats)
                    return
                elif isinstance(step, Call):
                    yield ToolCallDelta(request_id=name, index=0, **step._asdict())
                elif isinstance(step, Thought):
                    yield ReasoningDelta(request_id=name, text=str(step))
                else:
                    words += 1
                    yield TextDelta(request_id=name, text=step)
        except (asyncio.CancelledError, GeneratorExit):
            self.cancelled += 1
            raise

    async def forget_conversations(self, conversations: Sequence[str] | None) -> ConversationsForgotten:
        """Note what was to be forgotten."""
        if self.forget_fails is not None:
            raise self.forget_fails
        self.forgotten.append(conversations)
        return ConversationsForgotten(request_id="", entries=0, size=0)


def _loaded(name: str) -> LoadedModel:
    return LoadedModel(
        name=name,
        architecture="fake",
        n_layer=1,
        n_ctx=4096,
        n_ctx_train=4096,
        n_vocab=10,
        n_params=1,
        n_threads=1,
        has_chat_template=True,
        layers=("CPU", "CPU"),
        memory=(),
        load_seconds=0.0,
    )
