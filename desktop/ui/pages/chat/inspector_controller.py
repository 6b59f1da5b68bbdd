"""Which samplers the next reply uses, the system prompt, and what the gauge shows."""

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any

import msgspec
from PySide6.QtCore import QObject, Signal

from desktop.catalog.types import SamplingDefaults
from desktop.chat.sampling import resolve_sampling
from desktop.engine.protocol import LoadedModel, Sampling
from desktop.setting import Setting
from desktop.settings import MODEL_SAMPLING, SamplingOverrides
from desktop.ui.bridge import Coalescer, render
from desktop.ui.pages.chat.memory import comparison, comparison_by_device, gauge_rows

if TYPE_CHECKING:
    from desktop.hardware.types import HardwareSample
    from desktop.services import Services
    from desktop.ui.pages.chat.inspector import Inspector
    from desktop.ui.pages.chat.memory_panel import GaugeRow
    from desktop.ui.shell import Shell

_WHOLE = ("max_length", "top_k", "seed")
_SAVE_PAUSE = 600
"""Milliseconds that a slider rests before its value is saved."""
_MINUTE = 60
"""Samples of the gauge's line."""
LONGEST_SLIDER = 8192
"""Tokens: a longer reply is possible by typing 0, which is no limit."""


class InspectorController(QObject):
    """Keeps the person's samplers per model. They act on the next reply at once, and are saved a moment later."""

    sampling_changed = Signal()
    _setting_changed = Signal(object)

    def __init__(self, *, view: "Inspector", services: "Services", shell: "Shell", parent: QObject) -> None:
        super().__init__(parent)
        self._view = view
        self._services = services
        self._shell = shell
        self._model_id = ""
        self._card: SamplingDefaults | None = None
        self._chosen = SamplingOverrides()
        self._unsaved = False
        self._save = Coalescer(self._on_save_due, self, milliseconds=_SAVE_PAUSE)
        view.sampler_changed.connect(self._on_sampler_changed)
        view.shown.connect(self._on_shown)
        self._unseen: deque[HardwareSample] = deque(maxlen=_MINUTE)
        shell.sampled.connect(self._on_sampled)
        shell.loader.loaded.connect(self._on_model_loaded)
        self._setting_changed.connect(self._on_setting_changed)
        # A setting may be saved in a thread; the signal brings the news to this one.
        self._unsubscribe = services.settings.subscribe(lambda setting, _value: self._setting_changed.emit(setting))
        self._show()
        if services.engine.loaded is not None:
            self._on_model_loaded(services.engine.loaded)

    def sampling(self) -> Sampling:
        """The samplers of the next reply."""
        return self._resolve(self._chosen)

    def prompt_was_shown(self, text: str) -> None:
        """Show the system prompt of another conversation."""
        self._view.set_system_prompt(text)

    async def close(self) -> None:
        """Save what was moved a moment ago."""
        self._unsubscribe()
        if self._unsaved:
            await self._save_choice(self._model_id, self._chosen)

    def _resolve(self, explicit: SamplingOverrides | None) -> Sampling:
        return resolve_sampling(explicit=explicit, settings=self._services.settings, card=self._card)

    def _show(self) -> None:
        self._view.set_sampling(self.sampling(), defaults=self._resolve(None))
        self.sampling_changed.emit()

    def _on_sampler_changed(self, name: str, value: float | None) -> None:
        if value is not None and name in _WHOLE:
            value = round(value)
        if name == "seed" and value is not None and value < 0:
            value = None
        self._chosen = msgspec.structs.replace(self._chosen, **{name: value})
        self._unsaved = True
        self._save.request()
        self.sampling_changed.emit()

    def _on_save_due(self) -> None:
        self._shell.tasks.start(self._save_choice(self._model_id, self._chosen), name="save samplers")

    async def _save_choice(self, model_id: str, chosen: SamplingOverrides) -> None:
        self._unsaved = False
        settings = self._services.settings
        stored = settings.get(MODEL_SAMPLING)
        every = {**stored, model_id: chosen}
        if chosen == SamplingOverrides():
            del every[model_id]
        await asyncio.to_thread(settings.set, MODEL_SAMPLING, every)

    def _on_model_loaded(self, model: LoadedModel) -> None:
        installed = self._shell.loader.installed
        model_id = installed.sampling_id if installed else model.name
        if model_id != self._model_id:  # the same model comes back after a crash: what was moved meanwhile stays
            self._model_id = model_id
            self._chosen = self._services.settings.get(MODEL_SAMPLING).get(model_id) or SamplingOverrides()
        self._shell.tasks.start(self._take_card(model, model_id), name="samplers of the model")

    async def _take_card(self, model: LoadedModel, model_id: str) -> None:
        entry = (await asyncio.to_thread(lambda: self._services.catalog)).find(model_id)
        self._card = entry.sampling if entry else None
        self._view.set_longest_reply(min(model.n_ctx, LONGEST_SLIDER))
        plan = self._services.engine.plan
        by_device = comparison_by_device(plan, model)
        self._view.memory.set_comparison(*comparison(plan, model), by_device=by_device)
        self._show()

    def _on_setting_changed(self, setting: Setting[Any]) -> None:
        if setting is not MODEL_SAMPLING:
            self._show()

    def _on_sampled(self, sample: "HardwareSample") -> None:
        if not self._view.isVisible():
            self._unseen.append(sample)
            return
        self._view.memory.set_rows(self._rows(sample))
        self._view.memory.set_note(self._note(sample))

    def _on_shown(self) -> None:
        """The line goes on through what nobody saw; the bars show the newest of it."""
        unseen = list(self._unseen)
        self._unseen.clear()
        for sample in unseen[:-1]:
            self._view.memory.add_to_line(self._rows(sample))
        for sample in unseen[-1:]:
            self._on_sampled(sample)

    def _rows(self, sample: "HardwareSample") -> "tuple[GaugeRow, ...]":
        engine = self._services.engine
        devices = engine.info.devices if engine.info else ()
        return gauge_rows(sample, model=engine.loaded, devices=devices)

    def _note(self, sample: "HardwareSample") -> str:
        """A card whose driver does not answer is there all the same, and a model may be on it."""
        if sample.problems:
            return "\n".join(render(problem.what) for problem in sample.problems)
        return "" if sample.gpus else self.tr("No GPU: the model runs in main memory")
