"""Another process on the same folder: `python cache_process.py VERB ROOT LIMIT SEED`."""

import hashlib
import itertools
import os
import sys
from array import array

from desktop.engine.protocol import CacheLimits
from desktop.runtime.cache.tiers import CacheMiss, Tiers

SIZE = 300_000


def state_of(tokens: list[int], size: int) -> bytes:
    return hashlib.shake_128(array("i", tokens).tobytes()).digest(size)


def write_for_ever(tiers: Tiers, seed: int) -> None:
    for number in itertools.count():
        tokens = [seed, number, *range(50)]
        tiers.persist(tokens, "", state_of(tokens, SIZE))
        tiers.flush(30)


def write_and_read(tiers: Tiers, seed: int) -> None:
    """Both processes use the same 20 conversations, and read what the other may be throwing out."""
    for number in range(60):
        tokens = [(seed * 7 + number) % 20, *range(50)]
        hit = tiers.find(tokens, "", whole=True)
        if hit is None:
            tiers.persist(tokens, "", state_of(tokens, SIZE), whole=True)
            tiers.flush(30)
            continue
        try:
            right = tiers.read(hit) == state_of(tokens, SIZE)
        except CacheMiss:
            continue
        tiers.confirm(hit)
        if not right:
            os._exit(3)
    tiers.close(30)


def load(tiers: Tiers, seed: int) -> None:
    """Read a state, then wait: for a kill, or for the end of stdin."""
    hit = tiers.find([seed], "", whole=False)
    assert hit is not None
    tiers.read(hit)
    print("loading", flush=True)
    sys.stdin.read()


def main() -> None:
    verb, root, limit, seed = sys.argv[1:]
    tiers = Tiers(CacheLimits(ram_bytes=0, disk_folder=root, disk_bytes=int(limit)), model_key="model", engine="1")
    print("ready", flush=True)
    {"write": write_for_ever, "both": write_and_read, "load": load}[verb](tiers, int(seed))


if __name__ == "__main__":
    main()
