"""What one model file needs on the devices at hand or imagined, and whether it fits: the answer of `snug fit`."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from desktop.engine.protocol import DeviceKind, DeviceMemory, EngineDevice, ImaginedDevice, KvType, LoadPlan
from desktop.errors import Phrase
from desktop.fit.asking import ask_engine
from desktop.fit.budget import MARGIN, budgets_of_devices
from desktop.fit.cards import free_of_card
from desktop.fit.exact import DryRuns
from desktop.fit.header_shape import shape_of_header
from desktop.fit.placement import Costs, request_of, spans_of
from desktop.fit.plan import DEFAULT_CONTEXT, ESTIMATE, make_plan, other_headers
from desktop.fit.quality import quant_figures
from desktop.fit.speed import SpeedModel
from desktop.fit.split import headroom
from desktop.fit.types import DeviceBudget, Speed
from desktop.gguf.header import GgufHeader
from desktop.hardware.types import HardwareProfile

if TYPE_CHECKING:
    from desktop.library.types import InstalledModel


class FitWish(msgspec.Struct, frozen=True, kw_only=True):
    """What the person fixed. None leaves it to the plan; imagined: cards to think of instead of those at hand."""

    context: int | None = None
    kv: KvType | None = None
    gpu_layers: int | None = None
    tensor_split: tuple[int, ...] | None = None
    imagined: tuple[ImaginedDevice, ...] | None = None


class FitDefaults(msgspec.Struct, frozen=True, kw_only=True):
    """What a load takes where nothing is fixed. context: tokens; margin: bytes; parallel: replies at once."""

    kv: KvType = "f16"
    parallel: int = 1
    margin: int = MARGIN
    context: int = DEFAULT_CONTEXT


class FitDevice(msgspec.Struct, frozen=True, kw_only=True):
    """One device: what the model needs on it, in bytes, and what it has. free: before the model comes."""

    name: str
    label: str
    weights: int
    kv: int
    compute: int
    overhead: int
    total: int
    free: int
    fits: bool


class FitReport(msgspec.Struct, frozen=True, kw_only=True):
    """exact: the engine itself answered; else weights and KV cache are exact, compute buffers estimated."""

    devices: tuple[FitDevice, ...]
    exact: bool
    plan: LoadPlan
    speed: Speed

    @property
    def fits(self) -> bool:
        """Whether every device has room, its margin kept."""
        return all(device.fits for device in self.devices)


async def report_fit(
    model: "InstalledModel",
    header: GgufHeader,
    *,
    profile: HardwareProfile,
    devices: Sequence[EngineDevice],
    wish: FitWish,
    defaults: FitDefaults,
    dry_runs: DryRuns | None,
    folder: Path,
) -> FitReport:
    """Answer for a file whose header was read.

    dry_runs: who asks the engine; None keeps to arithmetic. folder: where a stub may lie meanwhile.
    Raises WrongUsage for a split that the devices cannot follow, and what DryRuns.ask raises.
    """
    if wish.imagined is not None:
        devices = [_as_engine_device(card) for card in wish.imagined]
    plan = _plan(model, header, profile=profile, devices=devices, wish=wish, defaults=defaults)
    shards = await asyncio.to_thread(other_headers, Path(model.path))
    budgets = budgets_of_devices(profile, devices, margin=defaults.margin)
    memory = plan.predicted
    if dry_runs is not None:
        exact = await ask_engine(dry_runs, plan, header, shards, imagined=wish.imagined or (), folder=folder)
        memory = _with_overheads(exact.memory, plan.predicted)
        reasons = tuple(reason for reason in plan.reasons if reason != Phrase.of(ESTIMATE))
        plan = msgspec.structs.replace(plan, predicted=memory, exact=True, reasons=reasons)
    shape = shape_of_header(header, shards=shards)
    costs = Costs(shape, request_of(plan))
    spans = spans_of(plan.placement.layers if plan.placement else ())
    return FitReport(
        devices=_rows(memory, budgets),
        exact=dry_runs is not None,
        plan=plan,
        speed=SpeedModel(profile, budgets).decode(costs, spans, quant_figures(model.quantization)),
    )


def _plan(
    model: "InstalledModel",
    header: GgufHeader,
    *,
    profile: HardwareProfile,
    devices: Sequence[EngineDevice],
    wish: FitWish,
    defaults: FitDefaults,
) -> LoadPlan:
    kv = wish.kv or defaults.kv
    return make_plan(
        path=Path(model.path),
        name=model.name,
        header=header,
        profile=profile,
        devices=devices,
        context=wish.context,
        wanted_context=defaults.context,
        type_k=kv,
        type_v=kv,
        gpu_layers=wish.gpu_layers,
        tensor_split=wish.tensor_split,
        parallel=defaults.parallel,
        margin=defaults.margin,
        refuse=False,
    )


def _with_overheads(memory: Sequence[DeviceMemory], planned: Sequence[DeviceMemory]) -> tuple[DeviceMemory, ...]:
    overheads = {part.device: part.overhead for part in planned}
    return tuple(msgspec.structs.replace(part, overhead=overheads.get(part.device, 0)) for part in memory)


def _rows(memory: Sequence[DeviceMemory], budgets: Sequence[DeviceBudget]) -> tuple[FitDevice, ...]:
    known = {part.device: part for part in memory}
    parts = [known.get(budget.name, DeviceMemory(device=budget.name)) for budget in budgets]
    left = headroom(parts, budgets)
    return tuple(_row(budget, part, fits=left[budget.name] >= 0) for budget, part in zip(budgets, parts, strict=True))


def _row(budget: DeviceBudget, part: DeviceMemory, *, fits: bool) -> FitDevice:
    return FitDevice(
        name=budget.name,
        label=budget.label,
        weights=part.weights,
        kv=part.kv,
        compute=part.compute,
        overhead=part.overhead,
        total=budget.total,
        free=budget.free,
        fits=fits,
    )


def _as_engine_device(card: ImaginedDevice) -> EngineDevice:
    return EngineDevice(
        name=card.name,
        description=card.name,
        kind=DeviceKind.GPU,
        backend="imagined",
        memory_total=card.memory_total,
        memory_free=card.memory_free,
    )


def imagine_card(name: str, size: int) -> ImaginedDevice:
    """An idle card of `size` bytes."""
    return ImaginedDevice(name=name, memory_total=size, memory_free=free_of_card(size))
