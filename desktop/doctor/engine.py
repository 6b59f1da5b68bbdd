"""The engine itself: does it load, does it use the graphics cards that are here, is the first model there."""

from desktop.doctor.check import Check, Question, listed
from desktop.engine.protocol import EngineInfo
from desktop.errors import QT_TRANSLATE_NOOP, AppError, Phrase
from desktop.hardware.types import Gpu, HardwareProfile, Vendor
from desktop.library.starter import StarterModelMissing, starter_model

_BUILD_FOR: dict[Vendor, str] = {"nvidia": "cuda", "amd": "vulkan", "intel": "vulkan", "apple": "metal"}


_ENGINE = Question(
    id="engine",
    title=Phrase.of(QT_TRANSLATE_NOOP("core", "Engine")),
    wanted=Phrase.of(QT_TRANSLATE_NOOP("core", "llama.cpp loads in its own process")),
)


def check_engine(engine: EngineInfo | None, failure: AppError | None) -> Check:
    """The engine's child starts and tells its version."""
    if engine is not None:
        what = QT_TRANSLATE_NOOP("core", "llama.cpp, version {version}")
        return _ENGINE.answered("pass", Phrase.of(what, version=engine.version))
    if failure is None:
        return _ENGINE.answered("skip", Phrase.of(QT_TRANSLATE_NOOP("core", "not asked")))
    message, hint = Phrase(failure.message, failure.arguments), Phrase(failure.hint, failure.arguments)
    return _ENGINE.answered("fail", message, hint)


_OFFLOAD = Question(
    id="gpu-offload",
    title=Phrase.of(QT_TRANSLATE_NOOP("core", "GPU offload")),
    wanted=Phrase.of(QT_TRANSLATE_NOOP("core", "the engine uses every graphics card")),
)


def check_gpu_offload(profile: HardwareProfile, engine: EngineInfo | None) -> Check:
    """A card that the engine was not built for lies idle, and everything is computed on the processor."""
    cards = [gpu for gpu in profile.gpus if gpu.vendor == "apple" or not gpu.uses_ram]
    if not cards:
        return _OFFLOAD.answered(
            "skip", Phrase.of(QT_TRANSLATE_NOOP("core", "no graphics card with memory of its own"))
        )
    if engine is None:
        return _OFFLOAD.answered("skip", Phrase.of(QT_TRANSLATE_NOOP("core", "the engine did not answer")))
    idle = [gpu for gpu in cards if gpu.backend is None]
    if not idle:
        return _OFFLOAD.answered("pass", Phrase.of("{names}", names=", ".join(gpu.backend or "" for gpu in cards)))
    what = QT_TRANSLATE_NOOP("core", "not used, because the engine has no device for it: {names}")
    return _OFFLOAD.answered("warn", Phrase.of(what, names=listed(gpu.name for gpu in idle)), _remedy(idle[0], engine))


def _remedy(idle: Gpu, engine: EngineInfo) -> Phrase:
    backend = _BUILD_FOR.get(idle.vendor, "vulkan")
    if any(device.backend.lower() == backend for device in engine.devices):
        return Phrase.of(
            QT_TRANSLATE_NOOP("core", "Update the driver of the card: the engine is built for it, but does not see it.")
        )
    return Phrase.of(QT_TRANSLATE_NOOP("core", "Build the engine for it: make run BACKEND={backend}"), backend=backend)


_STARTER = Question(
    id="starter-model",
    title=Phrase.of(QT_TRANSLATE_NOOP("core", "Starter model")),
    wanted=Phrase.of(QT_TRANSLATE_NOOP("core", "a small model that comes with the set-up")),
)


def check_starter() -> Check:
    """The model that comes with the set-up, so that the first chat needs no network."""
    try:
        model = starter_model()
    except StarterModelMissing as error:
        missing = Phrase.of(QT_TRANSLATE_NOOP("core", "missing"))
        return _STARTER.answered("warn", missing, Phrase(error.hint, error.arguments))
    found = Phrase.of("{name} {quantization}", name=model.name, quantization=model.quantization)
    return _STARTER.answered("pass", found)
