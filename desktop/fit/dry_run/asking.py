"""Asking the engine about a plan: its model's stub is written once, under a name that tells what is in it."""

import asyncio
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from desktop.catalog.stubs import write_stub
from desktop.engine.failure import EngineError, explain_failure
from desktop.engine.protocol import DeviceMemory, EngineDevice, EngineFailure, ImaginedDevice, LoadPlan
from desktop.fit.dry_run.dry_runs import DryRuns, hardware_key
from desktop.fit.dry_run.exact import ExactFit, exact_fit
from desktop.fit.memory.placement import REMOTE
from desktop.fit.subject import FitSubject
from desktop.gguf.header import GgufHeader
from desktop.gguf.stub import Stub, stub_of_file
from desktop.hardware.types import HardwareProfile

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
    hardware: str = "",
) -> ExactFit:
    """Return what the engine says `plan` would need. Raises what DryRuns.ask raises, about the model's own file.

    folder: where stubs lie. stub: that of the model, where its file is not on this disk or was looked at before.
    hardware: `key_of_machine`, so that answers about its cards are kept beyond this session.
    Devices of other machines are imagined, which comes to the same and asks nothing of the network.
    """
    if stub is None:
        path = await asyncio.to_thread(_write_stub, Path(plan.model_path), header, shards, folder)
    else:
        path = await asyncio.to_thread(write_stub, stub, folder)
    asked = msgspec.structs.replace(plan, model_path=str(path), rpc_endpoints=())
    others = (*imagined, *_remote(plan, imagined))
    try:
        answer = await dry_runs.ask(asked, stub_key=path.stem, imagined=others, hardware=hardware)
    except EngineError as error:
        if error.failure is None:
            raise
        raise explain_failure(_about_the_model(error.failure, stub=path, model=plan.model_path)) from error
    return exact_fit(header, answer, plan, shards=shards)


class ModelDryRuns:
    """Asks the engine about one model. kv_by_arithmetic: whether all that it said of the KV cache was exact."""

    def __init__(
        self,
        dry_runs: DryRuns,
        subject: FitSubject,
        *,
        folder: Path,
        imagined: Sequence[ImaginedDevice] = (),
        hardware: str = "",
    ) -> None:
        self._dry_runs = dry_runs
        self._subject = subject
        self._folder = folder
        self._imagined = imagined
        self._hardware = hardware
        self.kv_by_arithmetic = True

    async def ask(self, plan: LoadPlan) -> tuple[DeviceMemory, ...]:
        """Bytes per device, overheads left out. Raises what DryRuns.ask raises."""
        subject = self._subject
        answer = await ask_engine(
            self._dry_runs,
            plan,
            subject.header,
            subject.shards,
            folder=self._folder,
            stub=subject.stub,
            imagined=self._imagined,
            hardware=self._hardware,
        )
        self.kv_by_arithmetic &= answer.by_arithmetic
        return answer.memory


def key_of_machine(profile: HardwareProfile, devices: Iterable[EngineDevice]) -> str:
    """Identify the devices that the engine sees together with the drivers of this machine's cards."""
    return hardware_key(devices, ", ".join(sorted({gpu.driver or "" for gpu in profile.gpus})))


def _remote(plan: LoadPlan, imagined: Sequence[ImaginedDevice]) -> list[ImaginedDevice]:
    known = {device.name for device in imagined}
    others = [name for name in plan.devices if name.startswith(REMOTE) and name not in known]
    return [ImaginedDevice(name=name, memory_total=_ANY, memory_free=_ANY, remote=True) for name in others]


def _about_the_model(failure: EngineFailure, *, stub: Path, model: str) -> EngineFailure:
    """The same failure with the model's file in place of the stub, of which the person knows nothing."""

    def named(text: str) -> str:
        return text.replace(str(stub), model).replace(stub.name, Path(model).name)

    arguments = {name: named(value) for name, value in failure.arguments.items()}
    return msgspec.structs.replace(failure, detail=named(failure.detail), arguments=arguments)


def _write_stub(model: Path, header: GgufHeader, shards: Sequence[GgufHeader], folder: Path) -> Path:
    return write_stub(stub_of_file(model, header, shards=shards), folder)
