"""The figures of a request that a reply and a beam search have in common."""

import time

from desktop.engine.protocol import GenerationStats
from desktop.runtime.batching.sequences import Lease


def measure(
    lease: Lease, *, received: float, begun: float, first: float, left: int, prefill_seconds: float, steps: int
) -> GenerationStats:
    """Return what is known of a request by its times, in seconds of the monotonic clock; completion_tokens is `steps`.

    received: by the child; begun: its turn came; first: its first token was chosen, 0 before that. left: tokens of the
    prompt that were not read. steps: tokens that were chosen one after the other; the first comes with the prompt, so
    that the speed of decoding is that of the others.
    """
    now = time.monotonic()
    read, decoding = len(lease.prompt) - lease.cached - left, now - first
    return GenerationStats(
        prompt_tokens=len(lease.prompt),
        cached_tokens=lease.cached,
        cached_in=lease.cached_in if lease.cached else "none",
        completion_tokens=steps,
        queued=begun - received,
        ttft=first - received if first else 0.0,
        prefill_speed=read / prefill_seconds if prefill_seconds > 0 else 0.0,
        decode_speed=(steps - 1) / decoding if first and steps > 1 and decoding > 0 else 0.0,
        seconds=now - received,
    )
