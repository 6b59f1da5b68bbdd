"""Asking the engine about a plan: its model's stub is written once, under a name that tells what is in it."""

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path

import msgspec

from desktop.engine.protocol import ImaginedDevice, LoadPlan
from desktop.fit.exact import DryRuns, ExactFit, exact_fit
from desktop.gguf.header import GgufHeader
from desktop.gguf.stub import stub_of_file


async def ask_engine(
    dry_runs: DryRuns,
    plan: LoadPlan,
    header: GgufHeader,
    shards: Sequence[GgufHeader],
    *,
    folder: Path,
    imagined: Sequence[ImaginedDevice] = (),
) -> ExactFit:
    """Return what the engine says `plan` would need. folder: where stubs lie. Raises what DryRuns.ask raises."""
    path = await asyncio.to_thread(_write_stub, Path(plan.model_path), header, shards, folder)
    asked = msgspec.structs.replace(plan, model_path=str(path))
    return exact_fit(header, await dry_runs.ask(asked, stub_key=path.stem, imagined=imagined), plan, shards=shards)


def _write_stub(model: Path, header: GgufHeader, shards: Sequence[GgufHeader], folder: Path) -> Path:
    """Its name is its key, so that what is there need not be written again."""
    stub = stub_of_file(model, header, shards=shards)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{stub.key}.gguf"
    if not path.exists() or path.stat().st_size != stub.size:
        unfinished = path.with_suffix(f".{os.getpid()}.tmp")
        stub.write(unfinished)
        unfinished.replace(path)
    return path
