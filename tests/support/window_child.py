"""Takes back a step that was decoded in part, in a process of its own.

`python -m tests.support.window_child MODEL ROWS` reads a text into a sequence, lets libllama decode ROWS more, and
takes them back as if the rest of the step had failed. It prints whether that was possible, and how much is left.
"""

import json
import os
import sys
from pathlib import Path

from desktop.engine.protocol import CacheLimits

TEXT = 300
"""Tokens, more than the cells of the window: from there on older ones are used again."""


def main() -> int:
    """Run; the imports that load libllama are here, so that nobody else gets it by accident."""
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    from desktop.runtime.batching.batch import Batch
    from desktop.runtime.batching.turns import Turns
    from tests.support.bare_scheduler import BareScheduler

    path, rows = Path(sys.argv[1]), int(sys.argv[2])
    limits = CacheLimits(ram_bytes=0)
    bare = BareScheduler(
        path, cache=limits, turns=Turns(), n_ctx=1024, n_batch=256, n_ubatch=64, n_parallel=1, n_seq_max=2
    )
    tokens = [300 + place % 7 for place in range(TEXT + rows)]
    lease = bare.scheduler._pool.lease(tokens[:TEXT], "")
    assert lease is not None
    sequence, batch = lease.sequence, Batch(256)
    for start in range(0, TEXT, 50):
        batch.clear()
        batch.add(tokens[start : start + 50], start, sequence.id)
        assert batch.decode(bare.model.context) == 0
        sequence.extend(tokens[start : start + 50])
    batch.clear()
    batch.add(tokens[TEXT:], TEXT, sequence.id)
    assert batch.decode(bare.model.context) == 0
    undone = sequence.undo()
    print(json.dumps({"undone": undone, "left": len(sequence.tokens)}), file=out, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
