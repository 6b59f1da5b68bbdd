"""How the engine is, and what a model runs on, in the person's words."""

from typing import TYPE_CHECKING

from PySide6.QtCore import QCoreApplication

from desktop.engine.protocol import EngineDevice, LoadedModel
from desktop.engine.state import EnginePhase, EngineState
from desktop.errors import QT_TRANSLATE_NOOP
from desktop.ui.widgets.status_line import StateKind

if TYPE_CHECKING:
    from collections.abc import Sequence

_GUESSING = {
    "prompt_lookup": QT_TRANSLATE_NOOP(
        "EngineWords", "Guessing ahead: prompt lookup, used where it is measured to be faster"
    ),
    "draft": QT_TRANSLATE_NOOP("EngineWords", "Guessing ahead: a draft model, used where it is measured to be faster"),
    "switched_off": QT_TRANSLATE_NOOP("EngineWords", "Guessing ahead: switched off"),
    "cannot_go_back": QT_TRANSLATE_NOOP(
        "EngineWords", "Guessing ahead: off, this kind of model cannot take a wrong guess back"
    ),
    "one_row": QT_TRANSLATE_NOOP("EngineWords", "Guessing ahead: off, the plan computes one token per step"),
    "no_draft": QT_TRANSLATE_NOOP("EngineWords", "Guessing ahead: off, the plan names no draft model"),
}
"""By the kind of guesses, or by the reason why there are none."""


def state_words(state: EngineState) -> tuple[StateKind, str]:
    """The dot's kind and the words beside it."""
    translate = QCoreApplication.translate
    if state.phase is EnginePhase.CRASHED:
        if state.breaker_open:
            return "bad", translate("EngineWords", "The engine has stopped")
        return "busy", translate("EngineWords", "The engine crashed and is starting again")
    if state.phase is EnginePhase.STARTING:
        return "busy", translate("EngineWords", "Starting the engine")
    if state.phase is EnginePhase.LOADING:
        words = translate("EngineWords", "Loading the model: {percent} %")
        return "busy", words.format(percent=round(state.progress * 100))
    if state.phase is EnginePhase.READY and state.loaded is not None:
        return "ready", translate("EngineWords", "Ready")
    return "idle", translate("EngineWords", "No model is loaded")


def guessing_words(model: LoadedModel) -> str:
    """How tokens are guessed ahead, or why they are not; "" where the engine does not say."""
    words = _GUESSING.get(model.speculation if model.speculation != "off" else model.speculation_reason)
    return QCoreApplication.translate("EngineWords", words) if words else ""


def device_words(model: LoadedModel | None, devices: "Sequence[EngineDevice]") -> str:
    """What the model runs on: "CUDA · RTX 4070 · 37 of 37 layers on the GPU"."""
    if model is None:
        return ""
    translate = QCoreApplication.translate
    on_gpu = [name for name in model.layers if name != "CPU"]
    if not on_gpu:
        return translate("EngineWords", "CPU · {threads} threads · {layers} layers in main memory").format(
            threads=model.n_threads, layers=len(model.layers)
        )
    by_name = {device.name: device for device in devices}
    used = [by_name[name] for name in dict.fromkeys(on_gpu) if name in by_name]
    backends = " + ".join(dict.fromkeys(device.backend for device in used))
    cards = " + ".join(device.description for device in used) or " + ".join(dict.fromkeys(on_gpu))
    return translate("EngineWords", "{backend} · {cards} · {count} of {layers} layers on the GPU").format(
        backend=backends or "GPU", cards=cards, count=len(on_gpu), layers=len(model.layers)
    )
