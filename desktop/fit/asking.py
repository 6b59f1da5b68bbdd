"""Asking the engine about a plan: its model's stub is written once, under a name that tells what is in it."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import msgspec

from desktop.catalog.stubs import write_stub
from desktop.engine.protocol import ImaginedDevice, LoadPlan
from desktop.fit.exact import DryRuns, ExactFit, exact_fit
from desktop.gguf.header import GgufHeader
from desktop.gguf.stub import Stub, stub_of_file

_ANY = 1 << 40  # bytes: a plan states its split, so that a device's memory decides nothing


async def ask_engine(
    dry_runs: DryRuns,
    plan: LoadPlan,
    header: GgufHeader,
    shards: Sequence[GgufHeader],
    *,
    folder: Path,
    stub: Stub | None = None,
    imagined: Sequence[ImaginedDevice] = (),
) -> ExactFit:
    """Return what the engine says `plan` would need. Raises what DryRuns.ask raises.

    folder: where stubs lie. stub: that of the model, where its file is not on this disk or was looked at before.
    Devices of other machines are imagined, which comes to the same and asks nothing of the network.
    """
    if stub is None:
        path = await asyncio.to_thread(_write_stub, Path(plan.model_path), header, shards, folder)
    else:
        path = await asyncio.to_thread(write_stub, stub, folder)
    asked = msgspec.structs.replace(plan, model_path=str(path), rpc_endpoints=())
    answer = await dry_runs.ask(asked, stub_key=path.stem, imagined=(*imagined, *_remote(plan, imagined)))
    return exact_fit(header, answer, plan, shards=shards)


def _remote(plan: LoadPlan, imagined: Sequence[ImaginedDevice]) -> list[ImaginedDevice]:
    known = {device.name for device in imagined}
    others = [name for name in plan.devices if name.startswith("RPC") and name not in known]
    return [ImaginedDevice(name=name, memory_total=_ANY, memory_free=_ANY, remote=True) for name in others]


def _write_stub(model: Path, header: GgufHeader, shards: Sequence[GgufHeader], folder: Path) -> Path:
    return write_stub(stub_of_file(model, header, shards=shards), folder)
