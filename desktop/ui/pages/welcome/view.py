"""The welcome page: three short screens, each of which can be skipped."""

from collections.abc import Callable

from PySide6.QtCore import QLocale, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QApplication,
    QGridLayout,
    QHBoxLayout,
    QPushButton,
    QScrollArea,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from desktop.fit.types import Choice
from desktop.hardware.types import HardwareProfile
from desktop.ui.bridge import render, sentences
from desktop.ui.figures import gb, gib
from desktop.ui.verdicts import verdict_kind, verdict_text
from desktop.ui.widgets.buttons import Button
from desktop.ui.widgets.card import Card
from desktop.ui.widgets.flow import FlowLayout
from desktop.ui.widgets.labels import PlainLabel
from desktop.ui.widgets.pill import Pill

_WIDTH = 640
_REASONS = 3
"""Sentences about the recommended model; the models page has all of them."""
FOUND, ADVICE, START = range(3)


class _Screen(QWidget):
    """A title, a sentence, and a card."""

    def __init__(self, title: str, text: str) -> None:
        super().__init__()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(12)
        self.text = PlainLabel(text, tone="muted", wrap=True)
        column.addWidget(PlainLabel(title, tone="display", wrap=True))
        column.addWidget(self.text)
        self.card = Card()
        column.addWidget(self.card)
        column.addStretch(1)


class WelcomeView(QWidget):
    """Setters in, signals out. `download_chosen` carries the recommended Choice.

    Enter does what the accented button does, Escape leaves the introduction.
    """

    skipped = Signal()
    chat_chosen = Signal()
    download_chosen = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("page")
        self._choice: Choice | None = None
        self._offline = False
        self._stack = QStackedWidget()
        for make in (self._make_found, self._make_advice, self._make_start):
            self._stack.addWidget(make())
        self._step = PlainLabel(tone="muted")
        self._back = Button(self.tr("Back"), icon_name="chevron-left")
        self._next = Button(kind="primary")
        self._just_chat = Button(self.tr("Just chat"), icon_name="chat")
        self._skip = Button(self.tr("Skip the introduction"), kind="quiet")
        self._lay_out()
        self._back.clicked.connect(lambda: self._show_step(self.step() - 1))
        self._next.clicked.connect(self._on_next_clicked)
        self._just_chat.clicked.connect(self.chat_chosen)
        self._skip.clicked.connect(self.skipped)
        self._show_step(FOUND)

    def _lay_out(self) -> None:
        middle = QWidget()
        middle.setMaximumWidth(_WIDTH)
        inside = QVBoxLayout(middle)
        inside.setContentsMargins(0, 0, 0, 0)
        inside.setSpacing(16)
        inside.addWidget(self._stack)
        buttons = FlowLayout(spacing=8)
        for button in (self._next, self._just_chat, self._back):
            buttons.addWidget(button)
        inside.addLayout(buttons)
        holder = QWidget()
        holder.setObjectName("pageBody")
        around = QVBoxLayout(holder)
        around.setContentsMargins(32, 32, 32, 8)
        around.addStretch(1)
        centred = QHBoxLayout()
        centred.addStretch(1)
        centred.addWidget(middle, 1000)
        centred.addStretch(1)
        around.addLayout(centred)
        around.addStretch(2)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QScrollArea.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        scroll.setWidget(holder)
        foot = _row(self._step, None, self._skip)
        foot.setContentsMargins(32, 8, 32, 16)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(scroll, 1)
        column.addLayout(foot)

    def _make_found(self) -> QWidget:
        screen = _Screen(
            self.tr("Welcome to Snug"),
            self.tr("A private assistant that runs on this computer alone. First, this is what it has to work with:"),
        )
        self._found = QGridLayout()
        self._found.setHorizontalSpacing(16)
        self._found.setVerticalSpacing(8)
        self._found.setColumnStretch(1, 1)
        self._found_state = PlainLabel(self.tr("Looking at this machine …"), tone="muted", wrap=True)
        screen.card.body.addWidget(self._found_state)
        screen.card.body.addLayout(self._found)
        return screen

    def _make_advice(self) -> QWidget:
        screen = _Screen(
            self.tr("What suits this machine"),
            self.tr("The best model that really fits, with room to spare for your other programs:"),
        )
        self._advice_name = PlainLabel(self.tr("Working it out …"), tone="title", wrap=True)
        self._advice_reasons = PlainLabel(tone="muted", wrap=True)
        self._advice_reasons.hide()
        self._advice_pills = [Pill(), Pill(), Pill()]
        flow = FlowLayout(spacing=4)
        for pill in self._advice_pills:
            pill.hide()
            flow.addWidget(pill)
        for widget in (self._advice_name, self._advice_reasons):
            screen.card.body.addWidget(widget)
        screen.card.body.addLayout(flow)
        return screen

    def _make_start(self) -> QWidget:
        screen = _Screen(
            self.tr("Start right away"),
            self.tr("A small model came with Snug, so that you can chat at once and without a network."),
        )
        self._start_text = PlainLabel(wrap=True)
        screen.card.body.addWidget(self._start_text)
        return screen

    def step(self) -> int:
        """The screen that is shown: FOUND, ADVICE or START."""
        return self._stack.currentIndex()

    def focus_first(self) -> None:
        """Put the keyboard where Enter goes on."""
        self._next.setFocus(Qt.FocusReason.OtherFocusReason)

    def set_profile(self, profile: HardwareProfile, *, problem: str = "") -> None:
        """Say what was found; `problem` is why the engine cannot use it."""
        self._found_state.setText(problem)
        self._found_state.set_tone("warn")
        self._found_state.setVisible(bool(problem))
        while (item := self._found.takeAt(0)) is not None:
            if (old := item.widget()) is not None:
                old.hide()  # deleteLater leaves it on the screen for another turn of the loop
                old.deleteLater()
        for number, (name, value) in enumerate(self._found_rows(profile)):
            self._found.addWidget(PlainLabel(name, tone="muted"), number, 0, Qt.AlignmentFlag.AlignTop)
            self._found.addWidget(PlainLabel(value, wrap=True), number, 1)

    def _found_rows(self, profile: HardwareProfile) -> list[tuple[str, str]]:
        rows = [(self.tr("Graphics card"), f"{gpu.name} · {gib(gpu.vram_total)}") for gpu in profile.gpus]
        if not rows:
            rows.append((self.tr("Graphics card"), self.tr("none found: models run in main memory")))
        cores = self.tr("{name} · {cores} cores").format(name=profile.cpu.name, cores=profile.cpu.cores)
        memory = self.tr("{total}, {free} free").format(total=gib(profile.ram.total), free=gib(profile.ram.available))
        disk = self.tr("{free} free").format(free=gb(profile.disk.free))
        return [*rows, (self.tr("Processor"), cores), (self.tr("Memory"), memory), (self.tr("Disk"), disk)]

    def set_failed(self, message: str, hint: str) -> None:
        """The machine could not be looked at; the chat works all the same."""
        self._found_state.setText(sentences((message, hint)))
        self._found_state.set_tone("warn")
        self._found_state.show()
        self.set_choice(None)
        self._advice_reasons.setText(self.tr("What fits is not known yet. The Models page looks again."))

    def set_offline(self, offline: bool) -> None:
        """The person wants no network, so nothing is offered for download."""
        self._offline = offline
        self._show_start()

    def set_choice(self, choice: Choice | None) -> None:
        """Show the recommendation; None when nothing of the catalog fits."""
        self._choice = choice
        self._advice_reasons.show()
        for pill in self._advice_pills:
            pill.setVisible(choice is not None)
        if choice is None:
            self._advice_name.setText(self.tr("The built-in model"))
            self._advice_reasons.setText(self.tr("Nothing larger fits with room to spare right now."))
        else:
            self._advice_name.setText(f"{choice.model_name} · {choice.quantization}")
            self._advice_reasons.setText("\n".join(render(reason) for reason in choice.reasons[:_REASONS]))
            self._advice_pills[0].set_verdict(verdict_text(choice), verdict_kind(choice))
            self._advice_pills[1].set_verdict(self.tr("{size} memory").format(size=gib(choice.memory_total)), "neutral")
            self._advice_pills[2].set_verdict(self._speed(choice), "neutral")
        self._show_start()

    def _speed(self, choice: Choice) -> str:
        number = QLocale().toString
        return self.tr("about {low}–{high} tok/s (estimate)").format(
            low=number(choice.speed.decode_low, "f", 0), high=number(choice.speed.decode_high, "f", 0)
        )

    def _offers_download(self) -> bool:
        return self._choice is not None and not self._choice.installed and not self._offline

    def _show_start(self) -> None:
        choice = self._choice
        if choice is None or not self._offers_download():
            self._start_text.setText(self.tr("You can choose another model at any time on the Models page."))
        else:
            size = ("≈ " if choice.size_is_estimate else "") + gb(choice.download_size)
            text = self.tr(
                "{name} is a download of {size} from {publisher} ({licence}). Snug says when it is ready, "
                "and you can stop it at any time."
            )
            self._start_text.setText(
                text.format(name=choice.model_name, size=size, publisher=choice.publisher, licence=choice.licence)
            )
        self._show_buttons()

    def _show_step(self, step: int) -> None:
        self._stack.setCurrentIndex(step)
        self._step.setText(self.tr("{step} of {count}").format(step=step + 1, count=self._stack.count()))
        self._show_start()

    def _show_buttons(self) -> None:
        last, both = self.step() == START, self._offers_download()
        self._back.setVisible(self.step() != FOUND)
        self._just_chat.setVisible(last and both)
        download = self.tr("Chat now, download the better one meanwhile")
        self._next.setText((download if both else self.tr("Start to chat")) if last else self.tr("Next"))
        self._next.set_icon_name(("download" if both else "chat") if last else "")

    def _on_next_clicked(self) -> None:
        if self.step() != START:
            self._show_step(self.step() + 1)
        elif self._offers_download():
            self.download_chosen.emit(self._choice)
        else:
            self.chat_chosen.emit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Enter presses the button that has the focus, else the accented one; Escape skips."""
        actions: dict[int, Callable[[], None]] = {
            Qt.Key.Key_Return: self._press,
            Qt.Key.Key_Enter: self._press,
            Qt.Key.Key_Escape: self.skipped.emit,
        }
        action = actions.get(event.key())
        if action is None:
            super().keyPressEvent(event)
        else:
            action()

    def _press(self) -> None:
        focused = QApplication.focusWidget()
        button = focused if isinstance(focused, QPushButton) and self.isAncestorOf(focused) else self._next
        button.click()


def _row(*widgets: QWidget | None) -> QHBoxLayout:
    """The widgets side by side; None is where the free room goes."""
    row = QHBoxLayout()
    row.setSpacing(8)
    for widget in widgets:
        if widget is None:
            row.addStretch(1)
        else:
            row.addWidget(widget)
    return row
