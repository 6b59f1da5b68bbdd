"""Shows layers really split over two devices: `python -m benchmarks.split [--share 2:1]`.

Starts two RPC workers on loopback, loads the starter model over them as a plan says, prints where the engine's own log
put each layer and its buffers, and compares the greedy reply with that of the CPU alone. Exit code 1 when the split
is not the planned one.
"""

import argparse
import asyncio
import sys
from itertools import groupby
from pathlib import Path

from desktop.engine.client import EngineClient
from desktop.engine.protocol import LoadedModel, LoadPlan
from desktop.library.starter import starter_model
from tests.support.engine_replies import Reply, plan_for, reply_of, user
from tests.support.engine_workers import rpc_worker

MIB = 1024 * 1024
LAYERS = 31  # of the starter model, the output head among them
QUESTION = "Why is the sky blue?"


async def answer(plan: LoadPlan) -> tuple[LoadedModel, Reply]:
    """Load, ask, and end the child."""
    client = EngineClient()
    try:
        model = await client.load(plan)
        return model, await reply_of(client, user(QUESTION))
    finally:
        await client.stop()


def describe(model: LoadedModel) -> None:
    """Print layers and memory per device, from the engine's log."""
    start = 0
    for device, group in groupby(model.layers):
        count = len(list(group))
        print(f"  layers {start:2d} to {start + count - 1:2d} on {device} ({count})")
        start += count
    for part in model.memory:
        sizes = f"weights {part.weights / MIB:7.2f}  KV {part.kv / MIB:6.2f}  compute {part.compute / MIB:6.2f} MiB"
        print(f"  {part.device:6} {sizes}")


def main() -> int:
    """Split, print, and judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--share", default="2:1", help="layers of the first device to those of the second")
    left, right = map(int, parser.parse_args().share.split(":"))
    first = round(LAYERS * left / (left + right))
    path = Path(starter_model().path)
    with rpc_worker() as one, rpc_worker() as other:
        plan = plan_for(
            path,
            rpc_endpoints=(one, other),
            devices=("RPC0", "RPC1"),
            n_gpu_layers=LAYERS,
            tensor_split=(first, LAYERS - first),
        )
        split, spread = asyncio.run(answer(plan))
    _, alone = asyncio.run(answer(plan_for(path)))
    print(f"planned: {first} layers on RPC0, {LAYERS - first} on RPC1; the engine's log says:")
    describe(split)
    same_text = spread.text == alone.text
    planned = split.layers == ("RPC0",) * first + ("RPC1",) * (LAYERS - first)
    print(f"split as planned: {'yes' if planned else 'NO'}")
    print(f"same greedy text as on the CPU: {'yes' if same_text else 'no'}")
    figures = [reply.done.stats.decode_speed for reply in (spread, alone)]
    print(f"decode {figures[0]:.0f} tokens/s over two workers, {figures[1]:.0f} on the CPU alone (one thread each)")
    return 0 if planned else 1


if __name__ == "__main__":
    sys.exit(main())
