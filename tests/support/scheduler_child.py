"""Drives the scheduler with requests of chance and checks its books after each step, in a process of its own.

`python -m tests.support.scheduler_child MODEL SEED STEPS` prints what was done as JSON, or fails with what is wrong:
whether sequences hold what libllama says they hold, whether each cell is counted once per user, whether every request
ends, and whether the same prompt is always answered with the same words.
"""

import json
import os
import random
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from desktop.runtime.batching.roster import Work

CACHE_BYTES = 400_000
MOST_ASKED_AGAIN = 15
TIME_SLICE = 20
"""Steps: the clock of the turns counts them, so that a seed always does the same."""
WORDS = ["time", "people", "said", "water", "the", "when", "how", "there", "would", "make", "these", "could"]


def main() -> int:
    """Run; the imports that load libllama are here, so that nobody else gets it by accident."""
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    campaign = _Campaign(Path(sys.argv[1]), random.Random(int(sys.argv[2])))
    for _ in range(int(sys.argv[3])):
        campaign.step()
    campaign.finish()
    campaign.ask_again()
    print(json.dumps(campaign.seen), file=out, flush=True)
    return 0


class _Campaign:
    def __init__(self, path: Path, chance: random.Random) -> None:
        import llama_cpp.llama_cpp as llama

        from desktop.engine.protocol import CacheLimits
        from desktop.runtime.batching.pace import Pace
        from desktop.runtime.batching.turns import Turns
        from tests.support.bare_scheduler import BareScheduler

        self.llama, self.chance = llama, chance
        # A machine on which guessing always seems to pay, so that many a wrong guess has to be taken back.
        setattr(Pace, "step_seconds", lambda _, rows: 0.01 + 0.0001 * rows if rows else 0.0)  # noqa: B010
        # And one of a speed that nobody measures: a seed always reads its prompts in the same pieces.
        setattr(Pace, "learn_prefill", lambda *_, **__: None)  # noqa: B010
        self.number = self.steps = 0
        self.bare = BareScheduler(
            path,
            n_ctx=512,
            n_batch=64,
            n_ubatch=64,
            n_parallel=4,
            n_seq_max=6,
            n_outputs_max=6,
            speculation="auto",
            cache=CacheLimits(ram_bytes=CACHE_BYTES),
            turns=Turns(time_slice=TIME_SLICE, clock=lambda: self.steps),
        )
        self.scheduler, self.cancelled = self.bare.scheduler, self.bare.cancelled
        self.asked: dict[str, tuple[str, bool]] = {}
        self.texts: dict[str, str] = {}
        self.words: dict[str, str] = {}
        self.seen: Counter[str] = Counter()

        end_turn = self.scheduler._roster.end_turn

        def counted(one: "Work") -> None:
            self.seen["turns ended"] += 1
            end_turn(one)

        setattr(self.scheduler._roster, "end_turn", counted)  # noqa: B010

    def step(self) -> None:
        self.steps += 1
        crowd = 12 if self.steps % 200 < 100 else 1  # now and then one is alone, and may guess
        if self.chance.random() < 0.15 and len(self.asked) < crowd:
            self.ask()
        if self.asked and self.chance.random() < 0.03:
            self.cancelled.add(self.chance.choice(list(self.asked)))
        if self.scheduler.busy:
            self.scheduler.step()
        self.hear()
        self.check()

    def finish(self) -> None:
        for _ in range(5000):
            if not self.scheduler.busy:
                break
            self.steps += 1
            self.scheduler.step()
            self.hear()
            self.check()
        self.scheduler.status(1)
        assert not self.asked, f"without an end: {sorted(self.asked)}"
        pool = self.scheduler._pool
        assert pool.ledger.used == len({cell for one in pool.idle for cell in one.strand.cells})

    def ask_again(self) -> None:
        """What was answered in the crowd is answered the same alone, with nothing in any cache and without guesses."""
        from desktop.engine.protocol import CacheLimits, Generate, Sampling
        from desktop.runtime.cache.tiers import Tiers

        self.scheduler._admission._step_seconds = None
        self.scheduler._pool._tiers = Tiers(CacheLimits(ram_bytes=0), model_key="x", engine="1")
        for prompt in list(self.texts)[:MOST_ASKED_AGAIN]:
            self.bare.forget()
            self.number += 1
            request_id = f"r{self.number}"
            self.asked[request_id], self.words[request_id] = (prompt, True), ""
            sampling = Sampling(temperature=0.0, max_length=60, ignore_end=True)
            self.scheduler.submit(Generate(request_id=request_id, prompt=prompt, sampling=sampling))
            while self.scheduler.busy:
                self.steps += 1
                self.scheduler.step()
                self.hear()
            self.seen["asked again"] += 1

    def ask(self) -> None:
        from desktop.engine.protocol import Generate, Priority, Sampling

        self.number += 1
        chance, request_id = self.chance, f"r{self.number}"
        begin = " ".join(WORDS[: chance.choice((3, 12))]) * chance.choice((1, 2, 6))
        known = chance.choice([prompt + text for prompt, text in self.texts.items()] or [""])
        goes_on = len(known) > 0 and chance.random() < 0.4
        prompt = known if goes_on else f"{begin} {chance.randrange(8)}"
        beams = chance.choice((1, 1, 1, 1, 2, 3))
        shifts = beams == 1 and chance.random() < 0.15
        sampling = Sampling(
            temperature=0.0,
            max_length=600 if shifts else chance.choice((3, 20, 60, 0 if beams == 1 else 40, 150)),
            ignore_end=beams == 1,
            beams=beams,
            grammar="root ::= (" if chance.random() < 0.03 else "",
        )
        priority: Priority = "batch" if chance.random() < 0.5 else "interactive"
        # A reply that shifts, and one of beams, says something else than a greedy one. A conversation that goes on is
        # read in the tokens that the reply was made of, where they are there still.
        self.asked[request_id] = (prompt, beams == 1 and not shifts and not goes_on)
        self.words[request_id] = ""
        self.scheduler.submit(
            Generate(request_id=request_id, prompt=prompt, sampling=sampling, priority=priority, context_shift=shifts)
        )

    def hear(self) -> None:
        from desktop.engine.protocol import Done, RequestFailed, TextDelta

        for event in self.bare.hear():
            if isinstance(event, TextDelta):
                self.words[event.request_id] += event.text
            elif isinstance(event, Done | RequestFailed):
                self.end(event)
            else:
                self.seen[type(event).__name__] += 1

    def end(self, event: object) -> None:
        from desktop.engine.protocol import Done, RequestFailed

        assert isinstance(event, Done | RequestFailed)
        prompt, greedy = self.asked.pop(event.request_id)
        if isinstance(event, RequestFailed):
            self.seen[event.failure.kind] += 1
            assert event.failure.kind in ("bad_grammar", "context_full", "bad_request"), event.failure
            return
        self.seen[event.finish_reason] += 1
        self.seen["cached in " + event.stats.cached_in] += 1
        self.seen["accepted"] += event.stats.accepted
        self.seen["drafted"] += event.stats.drafted
        if greedy:
            text, before = self.words[event.request_id], self.texts.get(prompt, "")
            assert text.startswith(before) or before.startswith(text), (prompt, before, text)
            self.texts[prompt] = max(text, before, key=len)

    def check(self) -> None:
        """The books of the cache against libllama's own."""
        pool, roster = self.scheduler._pool, self.scheduler._roster
        users = np.zeros(pool.ledger.total, np.int32)
        for one in pool._all:
            assert len(one.strand) == len(one.tokens)
            end = int(self.llama.llama_memory_seq_pos_max(pool.memory, one.id)) + 1
            assert end == len(one.tokens), f"sequence {one.id} ends at {end}, not at {len(one.tokens)}"
            np.add.at(users, one.strand.cells, 1)
        assert (users == pool.ledger.users).all()
        assert pool.ledger.free == int((users == 0).sum())
        busy = sum(one.busy for one in pool._all)
        assert busy == sum(one.rows if one.width > 1 else 1 for one in roster.active)
        assert busy + len(pool.idle) + len(pool._unused) == len(pool._all)
        self.seen["paused"] += len(roster.paused) > 0


if __name__ == "__main__":
    sys.exit(main())
