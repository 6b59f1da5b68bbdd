"""The welcome page: three short screens, each of which can be skipped."""

from PySide6.QtCore import QLocale, Qt, Signal
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QScrollArea, QStackedWidget, QVBoxLayout, QWidget

from desktop.fit.types import Choice
from desktop.hardware.types import HardwareProfile
from desktop.ui.bridge import render
from desktop.ui.figures import gb, gib
from desktop.ui.item_models.choices import verdict_text
from desktop.ui.widgets.buttons import Button
from desktop.ui.widgets.card import Card
from desktop.ui.widgets.labels import PlainLabel
from desktop.ui.widgets.pill import Pill

_WIDTH = 640


class _Screen(QWidget):
    """A title, a sentence, a card, and a row of buttons."""

    def __init__(self, title: str, text: str) -> None:
        super().__init__()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(12)
        column.addWidget(PlainLabel(title, tone="display", wrap=True))
        column.addWidget(PlainLabel(text, tone="muted", wrap=True))
        self.card = Card()
        column.addWidget(self.card)
        self.buttons = QHBoxLayout()
        self.buttons.setSpacing(8)
        column.addLayout(self.buttons)
        column.addStretch(1)


class WelcomeView(QWidget):
    """Setters in, signals out. `download_chosen` carries the recommended Choice."""

    skipped = Signal()
    chat_chosen = Signal()
    download_chosen = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("page")
        self._choice: Choice | None = None
        self._stack = QStackedWidget()
        self._stack.setMaximumWidth(_WIDTH)
        self._make_found()
        self._make_advice()
        self._make_start()
        self._lay_out()

    def _lay_out(self) -> None:
        skip = Button(self.tr("Skip the introduction"), kind="quiet")
        skip.clicked.connect(self.skipped)
        self._step = PlainLabel(tone="muted")
        foot = QHBoxLayout()
        foot.addWidget(self._step)
        foot.addStretch(1)
        foot.addWidget(skip)
        holder = QWidget()
        holder.setObjectName("pageBody")
        inner = QVBoxLayout(holder)
        inner.setContentsMargins(32, 32, 32, 8)
        inner.addStretch(1)
        row = QHBoxLayout()
        row.addStretch(1)
        row.addWidget(self._stack, 1000)
        row.addStretch(1)
        inner.addLayout(row)
        inner.addStretch(2)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QScrollArea.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        scroll.setWidget(holder)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(scroll, 1)
        foot.setContentsMargins(32, 8, 32, 16)
        column.addLayout(foot)
        self._show_step(0)

    def _make_found(self) -> None:
        screen = _Screen(
            self.tr("Welcome to Snug"),
            self.tr("A private assistant that runs on this computer alone. First, this is what it has to work with:"),
        )
        self._found = QGridLayout()
        self._found.setHorizontalSpacing(16)
        self._found.setVerticalSpacing(8)
        self._found.setColumnStretch(1, 1)
        self._found_waiting = PlainLabel(self.tr("Looking at this machine …"), tone="muted")
        screen.card.body.addWidget(self._found_waiting)
        screen.card.body.addLayout(self._found)
        self._add_next(screen, 1)
        self._stack.addWidget(screen)

    def _make_advice(self) -> None:
        screen = _Screen(
            self.tr("What suits this machine"),
            self.tr("The best model that really fits, with room to spare for your other programs:"),
        )
        self._advice_name = PlainLabel(self.tr("Working it out …"), tone="title", wrap=True)
        self._advice_reasons = PlainLabel(tone="muted", wrap=True)
        self._advice_pills = [Pill(), Pill(), Pill()]
        row = QHBoxLayout()
        row.setSpacing(4)
        for pill in self._advice_pills:
            pill.hide()
            row.addWidget(pill)
        row.addStretch(1)
        for widget in (self._advice_name, self._advice_reasons):
            screen.card.body.addWidget(widget)
        screen.card.body.addLayout(row)
        self._add_next(screen, 2)
        self._stack.addWidget(screen)

    def _make_start(self) -> None:
        screen = _Screen(
            self.tr("Start right away"),
            self.tr("A small model came with Snug, so that you can chat at once and without a network."),
        )
        self._start_text = PlainLabel(wrap=True)
        screen.card.body.addWidget(self._start_text)
        self._both = Button(kind="primary", icon_name="download")
        self._both.clicked.connect(lambda: self.download_chosen.emit(self._choice))
        self._chat = Button(self.tr("Just chat"), icon_name="chat")
        self._chat.clicked.connect(self.chat_chosen)
        screen.buttons.addWidget(self._both)
        screen.buttons.addWidget(self._chat)
        screen.buttons.addStretch(1)
        self._stack.addWidget(screen)
        self._show_start()

    def _add_next(self, screen: _Screen, step: int) -> None:
        button = Button(self.tr("Next"), kind="primary")
        button.clicked.connect(lambda: self._show_step(step))
        screen.buttons.addWidget(button)
        screen.buttons.addStretch(1)

    def set_profile(self, profile: HardwareProfile) -> None:
        """Say what was found."""
        self._found_waiting.hide()
        rows = [(self.tr("Graphics card"), f"{gpu.name} · {gib(gpu.vram_total)}") for gpu in profile.gpus]
        if not rows:
            rows.append((self.tr("Graphics card"), self.tr("none found: models run in main memory")))
        cores = self.tr("{name} · {cores} cores").format(name=profile.cpu.name, cores=profile.cpu.cores)
        memory = self.tr("{total}, {free} free").format(total=gib(profile.ram.total), free=gib(profile.ram.available))
        disk = self.tr("{free} free").format(free=gb(profile.disk.free))
        rows += [(self.tr("Processor"), cores), (self.tr("Memory"), memory), (self.tr("Disk"), disk)]
        while (item := self._found.takeAt(0)) is not None:
            if (old := item.widget()) is not None:
                old.deleteLater()
        for number, (name, value) in enumerate(rows):
            self._found.addWidget(PlainLabel(name, tone="muted"), number, 0, Qt.AlignmentFlag.AlignTop)
            self._found.addWidget(PlainLabel(value, wrap=True), number, 1)

    def set_choice(self, choice: Choice | None) -> None:
        """Show the recommendation; None when nothing of the catalog fits."""
        self._choice = choice
        if choice is None:
            self._advice_name.setText(self.tr("The built-in model"))
            self._advice_reasons.setText(self.tr("Nothing larger fits with room to spare right now."))
        else:
            self._advice_name.setText(f"{choice.model_name} · {choice.quantization}")
            self._advice_reasons.setText("\n".join(render(reason) for reason in choice.reasons))
            number = QLocale().toString
            speed = self.tr("about {low}–{high} tok/s (estimate)").format(
                low=number(choice.speed.decode_low, "f", 0), high=number(choice.speed.decode_high, "f", 0)
            )
            texts = (verdict_text(choice), self.tr("{size} memory").format(size=gib(choice.memory_total)), speed)
            for pill, text in zip(self._advice_pills, texts, strict=True):
                pill.set_verdict(text, choice.verdict if pill is self._advice_pills[0] else "neutral")
                pill.show()
        self._show_start()

    def _show_start(self) -> None:
        choice = self._choice
        self._both.setVisible(choice is not None and not choice.installed)
        if choice is None or choice.installed:
            self._start_text.setText(self.tr("You can choose another model at any time on the Models page."))
            return
        size = ("≈ " if choice.size_is_estimate else "") + gb(choice.download_size)
        self._both.setText(self.tr("Chat now, download the better one meanwhile"))
        self._start_text.setText(
            self.tr("{name} is a download of {size} from {publisher} ({licence}). Snug says when it is ready.").format(
                name=choice.model_name, size=size, publisher=choice.publisher, licence=choice.licence
            )
        )

    def _show_step(self, step: int) -> None:
        self._stack.setCurrentIndex(step)
        self._step.setText(self.tr("{step} of {count}").format(step=step + 1, count=self._stack.count()))
