"""How the engine is, and what a model runs on, in the person's words."""

from typing import TYPE_CHECKING

from PySide6.QtCore import QCoreApplication

from desktop.engine.protocol import EngineDevice, LoadedModel
from desktop.engine.state import EnginePhase, EngineState
from desktop.ui.widgets.status_line import StateKind

if TYPE_CHECKING:
    from collections.abc import Sequence


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
