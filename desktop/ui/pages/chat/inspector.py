"""The panel at the right: the sliders that act on the next reply, the system prompt, and the memory gauge."""

from typing import NamedTuple

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QFrame, QPlainTextEdit, QScrollArea, QVBoxLayout, QWidget

from desktop.engine.protocol import Sampling
from desktop.ui.pages.chat.memory_panel import MemoryPanel
from desktop.ui.widgets.buttons import Button
from desktop.ui.widgets.labels import PlainLabel
from desktop.ui.widgets.slider import LabelledSlider

WIDTH = 300
"""Pixels."""
_TYPING_PAUSE = 500
"""Milliseconds without typing before the system prompt is taken over."""

RANDOM_SEED = -1


class _Control(NamedTuple):
    """A sampler as it is shown; `name` is its field in Sampling."""

    name: str
    title: str
    help: str
    minimum: float
    maximum: float
    step: float
    decimals: int


class Inspector(QFrame):
    """sampler_changed: the field of Sampling and its value, None for what the model's publisher suggests."""

    sampler_changed = Signal(str, object)
    system_prompt_changed = Signal(str)
    shown = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("inspector")
        self.setFixedWidth(WIDTH)
        self.sliders: dict[str, LabelledSlider] = {}
        self._defaults = Sampling()
        self.memory = MemoryPanel()
        self._more = Button("", kind="quiet", icon_name="chevron-right")
        self._more.clicked.connect(self._on_more)
        self._extra = QWidget()
        self.system_prompt = self._make_prompt()
        self._typing = QTimer(self)
        self._typing.setSingleShot(True)
        self._typing.setInterval(_TYPING_PAUSE)
        self._typing.timeout.connect(self.flush)
        self.system_prompt.textChanged.connect(self._on_prompt_typed)
        self._lay_out()
        self._show_more(False)

    def showEvent(self, event: QShowEvent) -> None:
        """Say that somebody looks again."""
        super().showEvent(event)
        self.shown.emit()

    def set_sampling(self, sampling: Sampling, *, defaults: Sampling) -> None:
        """Show the values that the next reply will use, and those that a reset returns to."""
        self._defaults = defaults
        for name, slider in self.sliders.items():
            slider.set_default(_number(getattr(defaults, name)))
            slider.set_value(_number(getattr(sampling, name)))

    def set_longest_reply(self, tokens: int) -> None:
        """The upper end of max length, in tokens."""
        self.sliders["max_length"].set_maximum(tokens)

    def set_system_prompt(self, text: str) -> None:
        """Show what the model is told first."""
        self._typing.stop()
        if text != self.system_prompt.toPlainText():
            self.system_prompt.blockSignals(True)
            self.system_prompt.setPlainText(text)
            self.system_prompt.blockSignals(False)

    def flush(self) -> None:
        """Take over what was typed at once."""
        self._typing.stop()
        self.system_prompt_changed.emit(self.system_prompt.toPlainText())

    def has_unsaved_prompt(self) -> bool:
        """Whether something was typed that nobody was told of."""
        return self._typing.isActive()

    def _on_prompt_typed(self) -> None:
        self._typing.start()

    def _make_prompt(self) -> QPlainTextEdit:
        edit = QPlainTextEdit()
        edit.setAccessibleName(self.tr("System prompt"))
        edit.setPlaceholderText(self.tr("What the model is told before the conversation"))
        edit.setTabChangesFocus(True)
        edit.setFixedHeight(84)
        return edit

    def _lay_out(self) -> None:
        body = QWidget()
        body.setObjectName("inspectorBody")
        column = QVBoxLayout(body)
        column.setContentsMargins(16, 16, 16, 16)
        column.setSpacing(8)
        column.addWidget(PlainLabel(self.tr("Sampling"), tone="strong"))
        for control in self._first_controls():
            column.addWidget(self._make_slider(control))
        column.addWidget(self._more, 0, Qt.AlignmentFlag.AlignLeft)
        extra = QVBoxLayout(self._extra)
        extra.setContentsMargins(0, 0, 0, 0)
        extra.setSpacing(8)
        for control in self._more_controls():
            extra.addWidget(self._make_slider(control))
        self.sliders["seed"].set_special_text(self.tr("random"))
        self.sliders["max_length"].set_special_text(self.tr("no limit"))
        column.addWidget(self._extra)
        column.addSpacing(8)
        column.addWidget(PlainLabel(self.tr("System prompt"), tone="strong"))
        column.addWidget(self.system_prompt)
        column.addSpacing(8)
        column.addWidget(self.memory)
        column.addStretch(1)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(body)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(1, 0, 0, 0)
        outer.addWidget(scroll)

    def _first_controls(self) -> tuple[_Control, ...]:
        return (
            _Control(
                "temperature",
                self.tr("Temperature"),
                self.tr("Low is precise and repeatable, high is varied and surprising."),
                0.0,
                2.0,
                0.05,
                2,
            ),
            _Control(
                "top_p",
                self.tr("Top-p"),
                self.tr("Chooses among the likeliest words that together reach this share; 1 considers all."),
                0.05,
                1.0,
                0.01,
                2,
            ),
            _Control(
                "max_length",
                self.tr("Max length"),
                self.tr("The most new tokens of one reply; a token is about three quarters of a word."),
                0,
                4096,
                16,
                0,
            ),
        )

    def _more_controls(self) -> tuple[_Control, ...]:
        return (
            _Control(
                "top_k", self.tr("Top-k"), self.tr("Chooses among this many likeliest words; 0 is all."), 0, 200, 1, 0
            ),
            _Control(
                "min_p",
                self.tr("Min-p"),
                self.tr("Leaves out words less likely than this share of the likeliest one; 0 leaves out none."),
                0.0,
                1.0,
                0.01,
                2,
            ),
            _Control(
                "repeat_penalty",
                self.tr("Repeat penalty"),
                self.tr("Above 1, words that were just used become less likely."),
                0.5,
                2.0,
                0.01,
                2,
            ),
            _Control(
                "seed",
                self.tr("Seed"),
                self.tr("The same seed and settings give the same reply; random draws a new one each time."),
                RANDOM_SEED,
                9999,
                1,
                0,
            ),
        )

    def _make_slider(self, control: _Control) -> LabelledSlider:
        slider = LabelledSlider(
            name=control.title,
            minimum=control.minimum,
            maximum=control.maximum,
            step=control.step,
            decimals=control.decimals,
            help_text=control.help,
        )
        slider.value_changed.connect(lambda value, name=control.name: self._on_changed(name, value))
        self.sliders[control.name] = slider
        return slider

    def _on_changed(self, name: str, value: float) -> None:
        default = _number(getattr(self._defaults, name))
        is_default = abs(value - default) < 1e-6
        self.sampler_changed.emit(name, None if is_default else value)

    def _on_more(self) -> None:
        self._show_more(self._extra.isHidden())

    def _show_more(self, shown: bool) -> None:
        self._extra.setVisible(shown)
        self._more.set_icon_name("chevron-down" if shown else "chevron-right")
        self._more.setText(self.tr("Less") if shown else self.tr("More: top-k, min-p, penalty, seed"))


def _number(value: float | None) -> float:
    return RANDOM_SEED if value is None else value
