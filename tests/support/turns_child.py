"""Requests beside one that never ends, in a process of its own; the clock of the turns counts steps.

`python -m tests.support.turns_child MODEL LORA REQUESTS N_PARALLEL` (LORA: a file, or nothing; REQUESTS: as JSON) asks
the first of the requests, and the others when it has begun to speak. It prints for each what was said, what is said
when it is asked alone, how often it was paused and why it ended. Those without a length are stopped when the others
have ended and they have said enough.
"""

import json
import os
import sys
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

from desktop.engine.protocol import CacheLimits, Done, Generate, LoraAdapter, RequestFailed, Sampling, TextDelta

TIME_SLICE = 40
ENOUGH = 2500
"""Characters: some contexts long, so that it forgot before and after its pauses."""
MOST_STEPS = 20_000


def main() -> int:
    """Run; the import that loads libllama is here, so that nobody else gets it by accident."""
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    path, lora, requests, n_parallel = sys.argv[1:]
    crowd = _Crowd(Path(path), lora, json.loads(requests), int(n_parallel))
    crowd.run()
    print(json.dumps(crowd.told()), file=out, flush=True)
    return 0


class _Crowd:
    def __init__(self, path: Path, lora: str, requests: dict[str, dict[str, Any]], n_parallel: int) -> None:
        from desktop.runtime.batching.turns import Turns
        from tests.support.bare_scheduler import BareScheduler

        self.steps = 0
        self.bare = BareScheduler(
            path,
            cache=CacheLimits(ram_bytes=0),
            turns=Turns(time_slice=TIME_SLICE, clock=lambda: self.steps),
            n_ctx=256,
            n_parallel=n_parallel,
            lora=(LoraAdapter(path=lora),) if lora else (),
        )
        self.requests = requests
        self.texts: dict[str, str] = defaultdict(str)
        self.ends: dict[str, str] = {}
        self.pauses: Counter[str] = Counter()
        roster = self.bare.scheduler._roster
        end_turn = roster.end_turn

        def counted(one: Any) -> None:
            self.pauses[one.request_id] += 1
            end_turn(one)

        setattr(roster, "end_turn", counted)  # noqa: B010

    def run(self) -> None:
        first, *others = self.requests
        self.ask(first, self.requests[first])
        while not self.texts[first]:
            self.step()
        for name in others:
            self.ask(name, self.requests[name])
        endless = [name for name, asked in self.requests.items() if not asked["length"]]
        while any(
            len(self.texts[name]) < ENOUGH if name in endless else name not in self.ends for name in self.requests
        ):
            self.step()
        self.stop(endless)
        for name, asked in self.requests.items():
            self.bare.forget()
            self.ask(f"{name} alone", asked)
            while len(self.texts[f"{name} alone"]) < len(self.texts[name]):
                self.step()
            self.stop([f"{name} alone"])

    def ask(self, name: str, asked: dict[str, Any]) -> None:
        sampling = Sampling(temperature=0.0, ignore_end=True, max_length=asked["length"])
        request = Generate(
            request_id=name,
            prompt=asked["prompt"],
            sampling=sampling,
            context_shift=not asked["length"],
            priority=asked.get("priority", "interactive"),
            adapter_scales=tuple(asked["scales"]) if "scales" in asked else None,
        )
        self.bare.scheduler.submit(request)

    def step(self) -> None:
        self.steps += 1
        assert self.steps < MOST_STEPS, f"somebody waits for ever: {self.ends}, {self.pauses}"
        self.bare.scheduler.step()
        for event in self.bare.hear():
            if isinstance(event, TextDelta):
                self.texts[event.request_id] += event.text
            elif isinstance(event, Done):
                self.ends[event.request_id] = event.finish_reason
            assert not isinstance(event, RequestFailed), event

    def stop(self, names: list[str]) -> None:
        self.bare.cancelled |= {name for name in names if name not in self.ends}
        while self.bare.scheduler.busy:
            self.step()

    def told(self) -> dict[str, dict[str, Any]]:
        return {
            name: {
                "text": self.texts[name],
                "alone": self.texts[f"{name} alone"][: len(self.texts[name])],
                "pauses": self.pauses[name],
                "end": self.ends[name],
            }
            for name in self.requests
        }


if __name__ == "__main__":
    sys.exit(main())
