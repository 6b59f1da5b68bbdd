"""What one model file needs on the devices at hand or imagined, and whether it fits: the answer of `snug fit`."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import msgspec

from desktop.engine.protocol import DeviceKind, DeviceMemory, EngineDevice, ImaginedDevice, KvType, LoadPlan
from desktop.errors import Phrase
from desktop.fit.asking import ask_engine, key_of_machine
from desktop.fit.budget import MARGIN
from desktop.fit.cards import free_of_card
from desktop.fit.exact import DryRuns
from desktop.fit.measured import Probes
from desktop.fit.plan import DEFAULT_CONTEXT, Decision, PlanTask, decide, plan_of, problem_of
from desktop.fit.quality import KvQuality, kv_loss, quality_of_header
from desktop.fit.search import Problem
from desktop.fit.split import headroom
from desktop.fit.types import DeviceBudget, Quality, Speed
from desktop.fit.verified import verify
from desktop.gguf.header import GgufHeader
from desktop.gguf.stub import Stub
from desktop.hardware.types import HardwareProfile


class FitWish(msgspec.Struct, frozen=True, kw_only=True):
    """What the person fixed. None leaves it to the plan; imagined: cards to think of instead of those at hand."""

    context: int | None = None
    kv: KvType | None = None
    gpu_layers: int | None = None
    tensor_split: tuple[int, ...] | None = None
    imagined: tuple[ImaginedDevice, ...] | None = None


class FitDefaults(msgspec.Struct, frozen=True, kw_only=True):
    """What a load takes where nothing is fixed.

    context: tokens; margin: bytes; parallel: replies at once; overheads: what drivers were seen to take, in bytes.
    probes: how fast the devices were measured to be.
    """

    kv: KvType = "f16"
    parallel: int = 1
    margin: int = MARGIN
    context: int = DEFAULT_CONTEXT
    overheads: dict[str, int] = {}
    probes: Probes | None = None


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


class FitSubject(msgspec.Struct, frozen=True, kw_only=True):
    """The model that is asked about.

    path: of its file, or its name on the Hub. shards: headers of its other parts. stub: where its file is not on this
    disk. fetched: bytes that came over the network for this. remarks: what a person should know of where this is from.
    """

    path: Path
    name: str
    quantization: str
    header: GgufHeader
    shards: tuple[GgufHeader, ...] = ()
    stub: Stub | None = None
    repo: str = ""
    file: str = ""
    revision: str = ""
    fetched: int = 0
    remarks: tuple[Phrase, ...] = ()


class FitReport(msgspec.Struct, frozen=True, kw_only=True):
    """exact: the engine itself answered; else weights and KV cache are exact, compute buffers estimated.

    quality: of the weights; kv_quality: what the types of the KV cache were measured to cost this family.
    actual: what the last load with these settings took on each device, where there was one, overheads left out.
    kv_by_arithmetic: the KV cache per device is exact to the byte; else the engine's sums were shared out.
    """

    subject: FitSubject
    devices: tuple[FitDevice, ...]
    exact: bool
    kv_by_arithmetic: bool
    plan: LoadPlan
    speed: Speed
    quality: Quality
    kv_quality: KvQuality
    actual: tuple[DeviceMemory, ...] = ()

    @property
    def fits(self) -> bool:
        """Whether every device has room, its margin kept."""
        return all(device.fits for device in self.devices)


async def report_fit(
    subject: FitSubject,
    *,
    profile: HardwareProfile,
    devices: Sequence[EngineDevice],
    wish: FitWish,
    defaults: FitDefaults,
    dry_runs: DryRuns | None,
    folder: Path,
) -> FitReport:
    """Answer for a model whose header was read, planned as a load would be, but never refused.

    dry_runs: who asks the engine; None keeps to arithmetic. folder: where stubs lie.
    Raises WrongUsage for a split that the devices cannot follow, and what DryRuns.ask raises.
    """
    if wish.imagined is not None:
        devices = [as_engine_device(card) for card in wish.imagined]
    task = task_about(subject, profile=profile, devices=devices, wish=wish, defaults=defaults)
    if dry_runs is None:
        problem, decision = await asyncio.to_thread(_decide, task)
        return _report(subject, problem, decision, plan_of(task, problem, decision))
    engine = Engine(
        dry_runs,
        subject,
        folder=folder,
        imagined=wish.imagined or (),
        hardware=key_of_machine(profile, devices),
    )
    found = await verify(task, engine.ask)
    plan = plan_of(task, found.problem, found.decision, memory=found.memory)
    return _report(subject, found.problem, found.decision, plan, kv_by_arithmetic=engine.kv_by_arithmetic)


class Engine:
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


def _decide(task: PlanTask) -> tuple[Problem, Decision]:
    problem = problem_of(task)
    return problem, decide(task, problem)


def task_about(
    subject: FitSubject,
    *,
    profile: HardwareProfile,
    devices: Sequence[EngineDevice],
    wish: FitWish,
    defaults: FitDefaults,
) -> PlanTask:
    """What a load of the subject would be planned from; never refused."""
    kv = wish.kv or defaults.kv
    return PlanTask(
        path=subject.path,
        name=subject.name,
        quantization=subject.quantization,
        header=subject.header,
        shards=subject.shards,
        profile=profile,
        devices=tuple(devices),
        context=wish.context,
        wanted_context=defaults.context,
        type_k=kv,
        type_v=kv,
        gpu_layers=wish.gpu_layers,
        tensor_split=wish.tensor_split or (),
        margin=defaults.margin,
        overheads=defaults.overheads if wish.imagined is None else {},
        probes=defaults.probes if wish.imagined is None or defaults.probes is None else defaults.probes.only_cpu(),
        parallel=defaults.parallel,
        refuse=False,
    )


def _report(
    subject: FitSubject, problem: Problem, decision: Decision, plan: LoadPlan, *, kv_by_arithmetic: bool = True
) -> FitReport:
    return FitReport(
        subject=subject,
        devices=_rows(plan.predicted, problem.budgets),
        exact=plan.exact,
        kv_by_arithmetic=kv_by_arithmetic,
        plan=msgspec.structs.replace(plan, reasons=(*plan.reasons, *subject.remarks)),
        speed=decision.candidate.speed,
        quality=quality_of_header(subject.header, shards=subject.shards),
        kv_quality=kv_loss(subject.header.architecture, plan.type_k, plan.type_v),
    )


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


def as_engine_device(card: ImaginedDevice) -> EngineDevice:
    """A card that is not there, as the engine would name it if it was."""
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
