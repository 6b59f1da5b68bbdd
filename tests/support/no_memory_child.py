"""What happens where there is no memory for the copy of a state, in a process of its own.

`python -m tests.support.no_memory_child MODEL CASE` lets a request run, takes the memory away, and prints how all
requests ended and whether the scheduler is still there.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

from desktop.engine.protocol import CacheLimits, Done, Generate, Priority, RequestFailed, Sampling

LONG = "the people said that there was no time for it " * 3
OTHER = "one and two and other " * 6
MOST_STEPS = 2000


def main() -> int:
    """Run the case."""
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    print(json.dumps(_run(Path(sys.argv[1]), sys.argv[2])), file=out, flush=True)
    return 0


def _run(path: Path, case: str) -> dict[str, str]:
    from desktop.runtime.batching import sequences
    from desktop.runtime.batching.turns import Turns
    from tests.support.bare_scheduler import BareScheduler

    def no_memory(*_: Any) -> None:
        raise MemoryError("state")

    limits = CacheLimits(ram_bytes=10**8, disk_bytes=10**9, disk_folder=str(path.parent / "cache"))
    plan: dict[str, Any] = {"n_ctx": 256, "n_parallel": 1 if case == "person" else 2}
    bare = BareScheduler(path, cache=limits, turns=Turns(), **plan)
    scheduler = bare.scheduler
    endless = 0 if case == "full" else 80
    scheduler.submit(_generate("a", LONG, endless, "batch" if case == "person" else "interactive"))
    if case == "full":
        scheduler.submit(_generate("b", LONG, 0))
    for _ in range(20 if case in ("full", "person") else MOST_STEPS):
        if scheduler.busy:
            scheduler.step()
    setattr(sequences, "_new_bytes", no_memory)  # noqa: B010
    if case in ("idle", "person"):
        scheduler.submit(_generate("b", OTHER, 120 if case == "idle" else 5))
    for _ in range(MOST_STEPS):
        if scheduler.busy:
            scheduler.step()
    scheduler._persist_at = 0.0
    scheduler.rest()
    scheduler.drain(0.1)
    pool = scheduler._pool
    assert pool.ledger.used == len({cell for one in pool.idle for cell in one.strand.cells})
    assert len({one.id for one in pool._unused}) == len(pool._unused)
    ends = [event for event in bare.hear() if isinstance(event, Done | RequestFailed)]
    return {end.request_id: end.finish_reason if isinstance(end, Done) else str(end.failure.kind) for end in ends}


def _generate(name: str, prompt: str, length: int, priority: Priority = "interactive") -> Generate:
    sampling = Sampling(temperature=0.0, max_length=length, ignore_end=True)
    return Generate(request_id=name, prompt=prompt, sampling=sampling, priority=priority)


if __name__ == "__main__":
    sys.exit(main())
