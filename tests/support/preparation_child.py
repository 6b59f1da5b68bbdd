"""What goes on while a large prompt is prepared, in a process of its own.

`python -m tests.support.preparation_child MODEL CASE` runs one of the functions below beside a reply that never ends,
and prints what it returns. A step that tokenized would not return before the answer is there.
"""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from desktop.engine.protocol import (
    AppMessage,
    CacheLimits,
    CountTokens,
    Done,
    EngineMessage,
    Generate,
    PromptMessage,
    PromptProgress,
    Queued,
    RequestFailed,
    Sampling,
    TextDelta,
    TokensCounted,
)

LARGE = ("The people said that there was no time for it, and water runs 12 times. " * 28_000)[:2_000_000]
SLOW = "x" * 101
"""For SLOW_TEMPLATE of the test: that long a message takes it long."""
MOST_STEPS = 100_000


class Engine:
    """said: tokens of the endless reply so far."""

    def __init__(self, path: Path, **plan: Any) -> None:
        from desktop.runtime.batching.turns import Turns
        from tests.support.bare_scheduler import BareScheduler

        fields: dict[str, Any] = {"n_ctx": 1024, "n_parallel": 3} | plan
        self.bare = BareScheduler(path, cache=CacheLimits(ram_bytes=0), turns=Turns(), **fields)
        self.scheduler = self.bare.scheduler
        self.said, self.steps = 0, 0
        self.submit(generate("endless", prompt="one and", length=0))
        self.until(lambda event: isinstance(event, TextDelta))

    @property
    def prepares(self) -> bool:
        thread = self.scheduler._preparation._thread
        return thread is not None and thread.is_alive()

    def submit(self, request: AppMessage) -> None:
        self.scheduler.submit(request)

    def until(self, is_it: Callable[[EngineMessage], bool]) -> EngineMessage:
        """Step until something is said; what the others said meanwhile is counted, or dropped."""
        while True:
            for place, event in enumerate(heard := self.bare.hear()):
                self.said += len(event.tokens) if isinstance(event, TextDelta) and event.request_id == "endless" else 0
                if is_it(event):
                    self.bare.events[:0] = heard[place + 1 :]
                    return event
            self.step()

    def step(self) -> None:
        self.steps += 1
        assert self.steps < MOST_STEPS
        self.scheduler.step()

    def ended(self, name: str) -> EngineMessage:
        """Wait for the end of a request."""
        return self.until(
            lambda event: isinstance(event, Done | RequestFailed | TokensCounted) and event.request_id == name
        )


def generate(name: str, *, text: str = "", prompt: str = "", length: int = 8) -> Generate:
    """A greedy reply; without a length it never ends."""
    return Generate(
        request_id=name,
        messages=(PromptMessage(role="user", content=text),) if text else (),
        prompt=prompt,
        sampling=Sampling(temperature=0.0, max_length=length, ignore_end=True, logprobs=0),
        context_shift=not length,
    )


def count(name: str, text: str) -> CountTokens:
    """How long is it?"""
    return CountTokens(request_id=name, messages=(PromptMessage(role="user", content=text),))


def counted(path: Path) -> Any:
    """A large conversation is counted."""
    engine = Engine(path)
    engine.submit(count("large", LARGE))
    before = engine.said
    answer = engine.ended("large")
    assert isinstance(answer, TokensCounted)
    return {"meanwhile": engine.said - before, "tokens": answer.tokens}


def slow_template(path: Path) -> Any:
    """A small conversation shows that the template is slow; the next one is prepared elsewhere."""
    engine = Engine(path)
    said = []
    for name in ("first", "second"):
        before = engine.said
        engine.submit(generate(name, text=SLOW))
        engine.until(lambda event, name=name: isinstance(event, PromptProgress) and event.request_id == name)  # type: ignore[misc]
        said.append(engine.said - before)
        engine.ended(name)
    return said


def refused(path: Path) -> Any:
    """What cannot fit is refused without its tokens."""
    engine = Engine(path)
    setattr(engine.bare.model.vocabulary, "tokenize", None)  # noqa: B010
    failures = []
    for request in (generate("raw", prompt=LARGE), generate("chat", text=LARGE)):
        engine.submit(request)
        answer = engine.ended(request.request_id)
        assert isinstance(answer, RequestFailed)
        failures.append([answer.failure.kind, dict(answer.failure.arguments)])
    return failures


def cancelled(path: Path) -> Any:
    """One is cancelled while it is counted, and one that waits behind it."""
    usual = sys.getswitchinterval()
    engine = Engine(path)
    for name in ("one", "two"):
        engine.submit(count(name, LARGE))
    while not engine.prepares:
        engine.step()
    engine.bare.cancelled |= {"one", "two"}
    engine.step()
    still = engine.prepares
    answers = [engine.ended(name) for name in ("one", "two")]
    while engine.scheduler._preparation.works:  # it is collected, though only the endless reply is left
        engine.step()
    reasons = [getattr(answer, "finish_reason", "") for answer in answers]
    return {"still": still, "reasons": reasons, "switches": sys.getswitchinterval() == usual}


def overtaken(path: Path) -> Any:
    """A small request behind a large one is answered meanwhile; the large one is never told to wait."""
    engine = Engine(path)
    engine.submit(generate("large", text=SLOW * 1000))
    order = []
    engine.submit(generate("small", prompt="two or"))
    told = []

    def heard(event: EngineMessage) -> bool:
        told.extend([event.request_id] if isinstance(event, Queued) else [])
        order.extend([event.request_id] if isinstance(event, Done | RequestFailed) else [])
        return len(order) == 2

    engine.until(heard)
    return {"order": order, "told": told}


def unloaded(path: Path) -> Any:
    """The model goes away while a large conversation is counted."""
    engine = Engine(path)
    engine.submit(count("large", LARGE))
    while not engine.prepares:
        engine.step()
    engine.scheduler.drain(1.0)
    prepares = engine.prepares
    engine.bare.model.close()
    ends = [event.finish_reason for event in engine.bare.hear() if isinstance(event, Done)]
    return {"prepares": prepares, "ends": ends}


def same(path: Path) -> Any:
    """What is prepared elsewhere is answered as if it had been prepared here."""
    from desktop.runtime.batching import preparation

    texts = []
    for large in (preparation.LARGE, 1):
        setattr(preparation, "LARGE", large)  # noqa: B010
        engine = Engine(path)
        for number, request in enumerate(
            (generate("raw", prompt="three of"), generate("chat", text="Who? <|im_end|>"))
        ):
            engine.submit(request)
            text = ""

            def heard(event: EngineMessage, name: str = request.request_id) -> bool:
                nonlocal text
                if isinstance(event, TextDelta) and event.request_id == name:
                    text += event.text
                return isinstance(event, Done) and event.request_id == name

            engine.until(heard)
            texts.append([number, text])
        engine.bare.model.close()
    return texts


def main() -> int:
    """Run the case."""
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    cases = {case.__name__: case for case in (counted, slow_template, refused, cancelled, overtaken, unloaded, same)}
    print(json.dumps(cases[sys.argv[2]](Path(sys.argv[1]))), file=out, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
