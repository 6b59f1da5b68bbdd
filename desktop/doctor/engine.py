"""The engine itself: does it load, does it use the graphics cards that are here, is the first model there."""

from desktop.doctor.check import Check, Status, listed
from desktop.engine.protocol import EngineInfo
from desktop.errors import QT_TRANSLATE_NOOP, AppError, Phrase
from desktop.hardware.types import Gpu, HardwareProfile, Vendor
from desktop.library.starter import StarterModelMissing, starter_model

_BUILD_FOR: dict[Vendor, str] = {"nvidia": "cuda", "amd": "vulkan", "intel": "vulkan", "apple": "metal"}


def check_engine(engine: EngineInfo | None, failure: AppError | None) -> Check:
    """The engine's child starts and tells its version."""
    title = Phrase.of(QT_TRANSLATE_NOOP("core", "Engine"))
    wanted = Phrase.of(QT_TRANSLATE_NOOP("core", "llama.cpp loads in its own process"))
    if engine is not None:
        found = Phrase.of(QT_TRANSLATE_NOOP("core", "llama.cpp, version {version}"), version=engine.version)
        return Check(id="engine", status="pass", title=title, found=found, wanted=wanted)
    if failure is None:
        found = Phrase.of(QT_TRANSLATE_NOOP("core", "not asked"))
        return Check(id="engine", status="skip", title=title, found=found, wanted=wanted)
    message, hint = Phrase(failure.message, failure.arguments), Phrase(failure.hint, failure.arguments)
    return Check(id="engine", status="fail", title=title, found=message, wanted=wanted, remedy=hint)


def check_gpu_offload(profile: HardwareProfile, engine: EngineInfo | None) -> Check:
    """A card that the engine was not built for lies idle, and everything is computed on the processor."""
    cards = [gpu for gpu in profile.gpus if gpu.vendor == "apple" or not gpu.uses_ram]
    if not cards:
        return _offload("skip", Phrase.of(QT_TRANSLATE_NOOP("core", "no graphics card with memory of its own")))
    if engine is None:
        return _offload("skip", Phrase.of(QT_TRANSLATE_NOOP("core", "the engine did not answer")))
    idle = [gpu for gpu in cards if gpu.backend is None]
    if not idle:
        return _offload("pass", Phrase.of("{names}", names=", ".join(gpu.backend or "" for gpu in cards)))
    what = QT_TRANSLATE_NOOP("core", "not used, because the engine has no device for it: {names}")
    return _offload("warn", Phrase.of(what, names=listed(gpu.name for gpu in idle)), _remedy(idle[0], engine))


def _remedy(idle: Gpu, engine: EngineInfo) -> Phrase:
    backend = _BUILD_FOR.get(idle.vendor, "vulkan")
    if any(device.backend.lower() == backend for device in engine.devices):
        return Phrase.of(
            QT_TRANSLATE_NOOP("core", "Update the driver of the card: the engine is built for it, but does not see it.")
        )
    return Phrase.of(QT_TRANSLATE_NOOP("core", "Build the engine for it: make run BACKEND={backend}"), backend=backend)


def check_starter() -> Check:
    """The model that comes with the set-up, so that the first chat needs no network."""
    title = Phrase.of(QT_TRANSLATE_NOOP("core", "Starter model"))
    wanted = Phrase.of(QT_TRANSLATE_NOOP("core", "a small model that comes with the set-up"))
    try:
        model = starter_model()
    except StarterModelMissing as error:
        found = Phrase.of(QT_TRANSLATE_NOOP("core", "missing"))
        hint = Phrase(error.hint, error.arguments)
        return Check(id="starter-model", status="warn", title=title, found=found, wanted=wanted, remedy=hint)
    found = Phrase.of("{name} {quantization}", name=model.name, quantization=model.quantization)
    return Check(id="starter-model", status="pass", title=title, found=found, wanted=wanted)


def _offload(status: Status, found: Phrase, remedy: Phrase | None = None) -> Check:
    return Check(
        id="gpu-offload",
        status=status,
        title=Phrase.of(QT_TRANSLATE_NOOP("core", "GPU offload")),
        found=found,
        wanted=Phrase.of(QT_TRANSLATE_NOOP("core", "the engine uses every graphics card")),
        remedy=remedy,
    )
