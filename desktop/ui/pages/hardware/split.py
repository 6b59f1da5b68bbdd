"""The split editor: where the layers of a model are, or would be, and what each device would hold then."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

from PySide6.QtCore import QLocale, QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QVBoxLayout, QWidget

from desktop.engine.protocol import LoadedModel
from desktop.fit.plans.split_editor import Alone, DeviceLoad, SplitDraft
from desktop.library.types import InstalledModel
from desktop.ui.card_names import short_card_name
from desktop.ui.engine_words import guessing_words
from desktop.ui.pages.hardware.loads import DeviceLoads
from desktop.ui.widgets.buttons import Button
from desktop.ui.widgets.card import Card
from desktop.ui.widgets.context_choice import CalmCombo, ContextChoice
from desktop.ui.widgets.labels import ElidedLabel, PlainLabel, plain_tooltip
from desktop.ui.widgets.pill import PillKind
from desktop.ui.widgets.split_line import LinePart, SplitLine

Stage = Literal["loaded", "estimate", "asking", "exact", "loading"]
"""loaded: the engine's own figures of what is loaded; asking: an estimate, the engine's answer comes."""

_COMBO_HEIGHT = 30
"""Pixels: what stands beside a list of choices has its words on the same line."""
_WIDEST_NAME = 300
"""Pixels of a model's name in the list."""
_COMBO_EDGES = 56
_KINDS: dict[str, PillKind] = {"fits": "neutral", "tight": "tight", "does_not_fit": "does_not_fit"}


class SplitCard(Card):
    """Setters in, signals out. `model_chosen` carries the id of an installed model."""

    model_chosen = Signal(str)
    boundary_moved = Signal(int, int)
    wishes_changed = Signal(int, str)
    reset_requested = Signal()
    load_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent=parent)
        self.set_title(self.tr("Split"))
        self._models = self._make_models()
        self.add_aside(self._models)
        self._models.hide()
        self._wishes = ContextChoice()
        self._wishes.changed.connect(self.wishes_changed)
        self._speed = ElidedLabel(tone="muted")
        self._message = PlainLabel(tone="muted", wrap=True)
        self._hint = PlainLabel(tone="muted", wrap=True)
        self._line = SplitLine()
        self._line.boundary_moved.connect(self.boundary_moved)
        self._loads = DeviceLoads()
        self._stage = PlainLabel(tone="small", wrap=True)
        self._reset = Button(self.tr("Reset to Snug's split"), icon_name="reset")
        self._reset.clicked.connect(self.reset_requested)
        self._load = Button(self.tr("Load with this split"), kind="primary", icon_name="play")
        self._load.clicked.connect(self.load_requested)
        self._guessing = self._make_guessing()
        self._content = QWidget()
        self._lay_out()
        self.set_message(self.tr("Looking at this machine …"))

    def _make_models(self) -> QComboBox:
        models = CalmCombo()
        models.setAccessibleName(self.tr("Model to split"))
        models.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        models.setMinimumContentsLength(24)
        models.setMinimumWidth(_WIDEST_NAME + _COMBO_EDGES)
        models.currentIndexChanged.connect(lambda _index: self.model_chosen.emit(models.currentData() or ""))
        return models

    def _make_guessing(self) -> PlainLabel:
        guessing = PlainLabel(tone="muted", wrap=True)
        explained = self.tr(
            "Words that are likely to come next are guessed, and the model checks several of them in one step "
            "(speculative decoding). The text stays the same."
        )
        guessing.setToolTip(plain_tooltip(explained))
        guessing.hide()
        return guessing

    def _lay_out(self) -> None:
        top = QHBoxLayout()
        top.setSpacing(24)
        top.addWidget(self._wishes, 1)
        top.addWidget(self._speed, 0, Qt.AlignmentFlag.AlignBottom)
        self._speed.setFixedHeight(_COMBO_HEIGHT)
        self._speed.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        foot = QHBoxLayout()
        foot.setSpacing(8)
        foot.addWidget(self._stage, 1)
        foot.addWidget(self._reset)
        foot.addWidget(self._load)
        column = QVBoxLayout(self._content)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(12)
        column.addLayout(top)
        column.addWidget(self._hint)
        column.addWidget(self._line)
        column.addWidget(self._loads)
        column.addLayout(foot)
        self.body.addWidget(self._message)
        self.body.addWidget(self._content)
        self.body.addWidget(self._guessing)

    def set_models(self, models: Sequence[InstalledModel], chosen: str, loaded: str) -> None:
        """Offer these models; `loaded` is the id of the one in use, "" for none."""
        with QSignalBlocker(self._models):
            self._models.clear()
            for model in models:
                name = f"{model.name} · {model.quantization}"
                words = self.tr("{name} (in use)").format(name=name) if model.id == loaded else name
                shown = self.fontMetrics().elidedText(words, Qt.TextElideMode.ElideMiddle, _WIDEST_NAME)
                self._models.addItem(shown, model.id)
                self._models.setItemData(self._models.count() - 1, plain_tooltip(words), Qt.ItemDataRole.ToolTipRole)
            self._models.setCurrentIndex(self._models.findData(chosen))
        self._models.setVisible(bool(models))
        self._models.setToolTip(self._models.currentData(Qt.ItemDataRole.ToolTipRole) or "")

    def set_message(self, text: str) -> None:
        """Say why there is nothing to split."""
        self._content.hide()
        self._guessing.hide()
        self._message.setText(text)
        self._message.show()

    def set_reading(self) -> None:
        """Another model was chosen: until it is read, what stands here is the one before, and nothing can be done."""
        if self._content.isHidden():
            self.set_message(self.tr("Looking at this machine …"))
        self._content.setEnabled(False)
        self._stage.setText(self.tr("Reading the model …"))
        self.set_loaded(None)

    def set_no_engine(self) -> None:
        """The engine did not start."""
        self.set_message(self.tr("The engine did not start, so nothing can be split. The doctor says why."))

    def set_no_model(self) -> None:
        """Nothing is installed."""
        self.set_message(self.tr("There is no model on this disk yet; the Models page has them."))

    def set_wishes(self, context: int, kv: str) -> None:
        """Show context (tokens) and KV type."""
        self._wishes.set_values(context, kv)

    def set_loaded(self, model: LoadedModel | None) -> None:
        """Say how the loaded model's tokens are guessed, if it is the one that is shown."""
        words = guessing_words(model) if model is not None else ""
        self._guessing.setText(words)
        self._guessing.setVisible(bool(words))

    def set_draft(
        self, draft: SplitDraft, stage: Stage, *, may_load: bool, may_reset: bool = True, note: str = ""
    ) -> None:
        """Show a split. may_reset: it is not Snug's own. note: what went wrong with the engine's answer."""
        cards = [load for load in draft.devices if load.is_gpu]
        self._message.hide()
        self._content.setEnabled(True)
        self._content.show()
        self._show_line(draft.devices)
        self._line.setVisible(bool(cards))
        self._loads.set_loads(draft.devices)
        self._speed.setText(self._speed_words(draft))
        self._show_hint(draft)
        self._stage.setText(note or self._stage_words(stage))
        self._reset.setVisible(bool(cards))
        self._reset.setEnabled(may_reset)
        self._load.setText(self.tr("Load with this split") if cards else self.tr("Load with this context"))
        self._load.setEnabled(may_load)
        help_text = "" if may_load else self._why_not(draft, stage)
        self._load.setToolTip(plain_tooltip(help_text))
        self._load.setAccessibleDescription(help_text)

    def texts(self) -> list[str]:
        """The words of each part of the line."""
        return self._line.texts()

    def load_texts(self) -> list[str]:
        """The figures and verdict of each device."""
        return self._loads.texts()

    def stage_text(self) -> str:
        """Where the figures come from."""
        return self._stage.text()

    def _show_line(self, loads: Sequence[DeviceLoad]) -> None:
        parts = [LinePart(load.layers, _KINDS[load.room], self._part_words(load)) for load in loads]
        pairs = list(pairwise(loads))
        names = [self.tr("Boundary between {left} and {right}").format(left=a.label, right=b.label) for a, b in pairs]
        template = self.tr("{left}: {first} layers, {right}: {second} layers")
        values = [template.format(left=a.label, first=a.layers, right=b.label, second=b.layers) for a, b in pairs]
        self._line.set_parts(parts, names, values)

    def _part_words(self, load: DeviceLoad) -> tuple[str, ...]:
        span = self.tr("layers {first}–{last}").format(first=load.first, last=load.last)
        if load.first == load.last:
            span = self.tr("layer {number}").format(number=load.first)
        short = short_card_name(load.label) if load.is_gpu else load.label  # "AMD EPYC" is no card of AMD's
        return (f"{load.label} · {span}", f"{short} · {span}", short, str(load.layers))

    def _show_hint(self, draft: SplitDraft) -> None:
        if len(draft.devices) == 1:
            text = self.tr(
                "The engine uses no graphics card here, so all layers run on the processor from main memory; "
                "with a card, this is where they would be shared out."
            )
        elif draft.kept is not None:
            text = self.tr(
                "Snug would keep part of the first {blocks} layers on the processor, which is faster here; "
                "a boundary that is dragged moves whole layers."
            ).format(blocks=draft.kept.blocks)
        elif draft.alone is not None:
            text = self._alone_words(draft.alone)
        else:
            text = self.tr("Drag a boundary to move layers from one device to the next.")
        self._hint.setText(text)

    def _alone_words(self, alone: Alone) -> str:
        drag = self.tr("Drag a boundary to move layers.")
        if alone.factor >= 2:
            words = self.tr("{card} alone would be about {factor} times as fast.")
        else:
            words = self.tr("{card} alone would be about {percent} % faster.")
        factor, percent = QLocale().toString(alone.factor, "f", 1), round((alone.factor - 1) * 100)
        return drag + " " + words.format(card=alone.label, factor=factor, percent=percent)

    def _speed_words(self, draft: SplitDraft) -> str:
        number = QLocale().toString
        low, high = number(draft.speed.decode_low, "f", 0), number(draft.speed.decode_high, "f", 0)
        if draft.speed.measured:
            return self.tr("about {low}–{high} tok/s").format(low=low, high=high)
        return self.tr("about {low}–{high} tok/s (estimate)").format(low=low, high=high)

    def _stage_words(self, stage: Stage) -> str:
        return {
            "loaded": self.tr("As it is loaded now, by the engine's own figures"),
            "estimate": self.tr("Estimate: weights and KV cache are exact, compute buffers are not"),
            "asking": self.tr("Estimate, the engine is being asked …"),
            "exact": self.tr("Exact: checked by the engine just now"),
            "loading": self.tr("Being loaded like this …"),
        }[stage]

    def _why_not(self, draft: SplitDraft, stage: Stage) -> str:
        if stage == "loaded":
            return self.tr("This is how the model is loaded already.")
        if draft.room == "fits" or stage == "loading":
            return ""
        return self.tr("It would not fit with what should stay free on each device.")
