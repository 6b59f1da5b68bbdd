"""What a person fixed of a load and what is usual, and what both make a plan of."""

from collections.abc import Sequence

import msgspec

from desktop.engine.protocol import EngineDevice, ImaginedDevice, KvType
from desktop.fit.memory.budget import MARGIN
from desktop.fit.plans.plan import DEFAULT_CONTEXT, PlanTask
from desktop.fit.speeds.measured import Probes
from desktop.fit.subject import FitSubject
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

    def for_imagined(self) -> "FitDefaults":
        """The same for cards that are not there: what was learned of those at hand is not theirs."""
        probes = self.probes.only_cpu() if self.probes is not None else None
        return msgspec.structs.replace(self, overheads={}, probes=probes)


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
    learned = defaults if wish.imagined is None else defaults.for_imagined()
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
        overheads=learned.overheads,
        probes=learned.probes,
        parallel=defaults.parallel,
        refuse=False,
    )
