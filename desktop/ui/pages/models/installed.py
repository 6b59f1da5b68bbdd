"""What is on this disk: a row per model with Chat, and what else may be done with it."""

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

from PySide6.QtCore import QPoint, Qt, Signal, SignalInstance
from PySide6.QtGui import QContextMenuEvent, QFont, QFontMetrics
from PySide6.QtWidgets import QHBoxLayout, QMenu, QWidget

from desktop.library.types import Condition, InstalledModel, Source
from desktop.ui.figures import gb
from desktop.ui.widgets.buttons import Button, IconButton
from desktop.ui.widgets.card import Card
from desktop.ui.widgets.focus import focus_inside
from desktop.ui.widgets.gradual_rows import GradualRows
from desktop.ui.widgets.labels import ElidedLabel, PlainLabel, Tone, plain_tooltip
from desktop.ui.widgets.pill import Pill

SHOWN = 6
"""Rows that are always there; the others are a click away."""

_LONGEST_NAME = 260
"""Pixels of a name; what is longer ends in an ellipsis."""
_SLACK = 4
"""Pixels that a label needs beyond its letters."""
_LONGEST_IN_MENU = 120
"""Characters of a path, which ends in what tells it from others."""


class Remedy(NamedTuple):
    """What the button of a row does: with a model that can be used, or about one that cannot. None: nothing helps."""

    words: str
    icon: str = ""
    signal: SignalInstance | None = None


class InstalledRow(QWidget):
    """One model. `remark` is what its row says of it, in a colour of its own where that is `wrong`.

    While it is checked the row says how far that is.
    """

    def __init__(
        self, card: "InstalledCard", model: InstalledModel, remark: str, remedy: Remedy, *, in_use: bool
    ) -> None:
        super().__init__(card)
        self.model = model
        self._card = card
        self._usual = remark
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(12)
        self._columns = (
            ElidedLabel(model.name, tone="strong"),
            PlainLabel(model.quantization, tone="muted"),
            PlainLabel(gb(model.size), tone="muted"),
        )
        for label in self._columns:
            row.addWidget(label)
        self._columns[2].setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self._remark = ElidedLabel()
        row.addWidget(self._remark, 1)
        if in_use:
            row.addWidget(Pill(self.tr("In use"), kind="fits"))
        row.addWidget(self._make_action(remedy))
        self._more = IconButton("more", self.tr("More about {name}").format(name=model.name))
        self._more.clicked.connect(self._show_menu)
        row.addWidget(self._more)
        self.set_progress("")

    def _make_action(self, remedy: Remedy) -> Button:
        button = Button(remedy.words, icon_name=remedy.icon)
        about = self.tr("Chat with {name}") if self.model.is_ready else f"{remedy.words}: {{name}}"
        button.setAccessibleName(about.format(name=self.model.name))
        button.setEnabled(remedy.signal is not None)
        if remedy.signal is not None:
            button.clicked.connect(partial(remedy.signal.emit, self.model))
        return button

    def set_widths(self, widths: Sequence[int]) -> None:
        """Give name, quantization and size the room that they have in all rows."""
        for label, width in zip(self._columns, widths, strict=True):
            label.setFixedWidth(width)

    def set_progress(self, words: str) -> None:
        """Show what is being done with the model; "" ends that."""
        tone: Tone = "warn" if self.model.condition == "changed" else "bad"
        self._remark.set_tone("muted" if words or self.model.is_ready else tone)
        self._remark.setText(words or self._usual)

    def set_hint(self, hint: str) -> None:
        """Explain the remark in its tooltip."""
        self._remark.set_hint(hint)

    def take_focus(self) -> None:
        """Bring the keyboard to what opens the menu."""
        self._more.setFocus(Qt.FocusReason.OtherFocusReason)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """The same menu, where the pointer is; for the keyboard's menu key below its button."""
        if event.reason() == QContextMenuEvent.Reason.Mouse:
            self._card.menu_of(self.model).popup(event.globalPos())
        else:
            self._show_menu()

    def _show_menu(self) -> None:
        menu = self._card.menu_of(self.model)
        menu.popup(self._more.mapToGlobal(QPoint(0, self._more.height())))


class InstalledCard(Card):
    """Rows of InstalledModel. The signals carry the model; file_wanted and folder_wanted ask for one to be added."""

    chosen = Signal(object)
    verify_requested = Signal(object)
    reveal_requested = Signal(object)
    remove_requested = Signal(object)
    renew_requested = Signal(object)
    file_wanted = Signal()
    folder_wanted = Signal()
    look_requested = Signal()
    duplicates_requested = Signal()
    folder_unwanted = Signal(str)
    menu_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent=parent)
        self.set_title(self.tr("On this disk"))
        file_help = self.tr("A model file (GGUF) from anywhere; it stays where it is. Files can be dropped here too.")
        folder_help = self.tr("Models in a folder and all below it are listed here, where they are.")
        for text, help_text, signal in (
            (self.tr("Add a file …"), file_help, self.file_wanted),
            (self.tr("Add a folder …"), folder_help, self.folder_wanted),
        ):
            button = Button(text, kind="link")
            button.setToolTip(plain_tooltip(help_text))
            button.clicked.connect(signal)
            self.add_aside(button)
        self._more = IconButton("more", self.tr("More about the models on this disk"))
        self._more.clicked.connect(self.menu_wanted)
        self.add_aside(self._more)
        self._models: tuple[InstalledModel, ...] = ()
        self._loaded = ""
        self._none = PlainLabel(self.tr("No model is on this disk yet."), tone="muted")
        self.body.addWidget(self._none)
        self.rows: GradualRows[tuple[InstalledModel, bool], InstalledRow] = GradualRows(
            self.body, self._make_row, self, leave_row=self._on_row_left
        )
        self._widths: tuple[int, ...] = ()
        self._left = ""
        """The id of the model whose row goes though the keyboard is in it."""
        self._all_shown = False
        self._all = Button(kind="link")
        self._all.clicked.connect(self._on_all_clicked)
        self._all.hide()
        self.body.addWidget(self._all, 0, Qt.AlignmentFlag.AlignLeft)

    def set_models(self, models: Sequence[InstalledModel], loaded: str) -> None:
        """Show `models`; `loaded` is the id of the one in use."""
        if (tuple(models), loaded) == (self._models, self._loaded):
            return  # hundreds of rows are not made anew for nothing
        self._models, self._loaded = tuple(models), loaded
        self._show_rows()

    def set_progress(self, model_id: str, words: str) -> None:
        """Show what is being done with a model; "" ends that."""
        for row in self.rows.all:
            if row.model.id == model_id:
                row.set_progress(words)

    def menu_of(self, model: InstalledModel) -> QMenu:
        """What may be done with a model; the menu deletes itself."""
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        if not model.missing:
            menu.addAction(self.tr("Check the file"), lambda: self.verify_requested.emit(model))
            menu.addAction(self.tr("Show in its folder"), lambda: self.reveal_requested.emit(model))
        if _can_be_renewed(model):
            menu.addAction(self.tr("Download again"), lambda: self.renew_requested.emit(model))
        if not model.bundled:
            menu.addAction(self._words_of_removal(model), lambda: self.remove_requested.emit(model))
        return menu

    def _words_of_removal(self, model: InstalledModel) -> str:
        has_files = not model.missing or model.is_split  # of several some may be left
        trash = model.ours_to_remove and has_files
        return self.tr("Move to the trash") if trash else self.tr("Take off the list")

    def _remedy(self, model: InstalledModel) -> Remedy:
        if model.is_ready:
            return Remedy(self.tr("Chat"), "chat", self.chosen)
        if model.condition == "changed":
            return Remedy(self.tr("Check the file"), signal=self.verify_requested)
        if _can_be_renewed(model):
            return Remedy(self.tr("Download again"), "download", self.renew_requested)
        if not model.missing or model.is_split:  # of several some may be left, beside which the others belong
            return Remedy(self.tr("Show in its folder"), signal=self.reveal_requested)
        if model.bundled:
            return Remedy(self.tr("Chat"), "chat")
        return Remedy(self._words_of_removal(model), signal=self.remove_requested)

    def menu_of_card(self, folders: Sequence[str]) -> QMenu:
        """What may be done with the library; folders: those that the person added. The menu deletes itself."""
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.addAction(self.tr("Look for new models"), self.look_requested.emit)
        menu.addAction(self.tr("Find models that are here twice"), self.duplicates_requested.emit)
        if folders:
            menu.addSeparator()
        for folder in folders:
            text = self.tr("Look no more in {folder}").format(folder=_in_a_menu(folder))
            menu.addAction(text, partial(self.folder_unwanted.emit, folder))
        return menu

    def show_menu(self, folders: Sequence[str]) -> None:
        """Open it below its button."""
        self.menu_of_card(folders).popup(self._more.mapToGlobal(QPoint(0, self._more.height())))

    def _show_rows(self) -> None:
        few = len(self._models) <= SHOWN + 1 or self._all_shown
        shown = self._models if few else self._first()
        self._left = ""
        self._measure(shown)
        self.rows.show([(model, model.id == self._loaded) for model in shown])
        again = next((row for row in self.rows.shown if row.model.id == self._left), None)
        if again is not None:
            again.take_focus()
        self._none.setVisible(not shown)
        self._all.setVisible(len(self._models) > SHOWN + 1)
        everything = self.tr("Show all {count}").format(count=len(self._models))
        self._all.setText(self.tr("Show fewer") if self._all_shown else everything)

    def _on_row_left(self) -> None:
        """The row that the keyboard is in goes; what is known of its model may have changed, and it comes again."""
        self._left = next((row.model.id for row in self.rows.all if focus_inside(row) is not None), "")
        self._more.setFocus(Qt.FocusReason.OtherFocusReason)

    def _make_row(self, shown: tuple[InstalledModel, bool]) -> InstalledRow:
        model, in_use = shown
        row = InstalledRow(self, model, self._remark(model), self._remedy(model), in_use=in_use)
        row.set_hint(self._what_to_do(model))
        row.set_widths(self._widths)
        return row

    def _measure(self, models: Sequence[InstalledModel]) -> None:
        """What stands in all rows stands in columns, which are as wide as the widest of it; a long name is cut."""
        bold = QFont(self.font())
        bold.setWeight(QFont.Weight.DemiBold)
        usual, strong = QFontMetrics(self.font()), QFontMetrics(bold)
        name = max((strong.horizontalAdvance(model.name) for model in models), default=0)
        quantization = max((usual.horizontalAdvance(model.quantization) for model in models), default=0)
        size = max((usual.horizontalAdvance(gb(model.size)) for model in models), default=0)
        widths = tuple(width + _SLACK for width in (min(name, _LONGEST_NAME), quantization, size))
        if widths != self._widths:
            self._widths = widths
            for row in self.rows.all:
                row.set_widths(widths)

    def _first(self) -> tuple[InstalledModel, ...]:
        """The one in use among the first."""
        in_use = tuple(model for model in self._models if model.id == self._loaded)
        others = tuple(model for model in self._models if model.id != self._loaded)
        return (*in_use, *others)[:SHOWN]

    def _on_all_clicked(self) -> None:
        self._all_shown = not self._all_shown
        self._show_rows()

    def _remark(self, model: InstalledModel) -> str:
        wrong = self._what_is_wrong(model)
        if wrong:
            return wrong.format(path=model.absent or model.path)
        if model.bundled:
            return self.tr("Comes with Snug, needs no network")
        return " · ".join(part for part in (self._whose(model.source), model.licence) if part)

    def _what_is_wrong(self, model: InstalledModel) -> str:
        words: dict[Condition, str] = {
            "ready": "",
            "gone": self.tr("The file is gone: {path}"),
            "folder": self.tr("A folder is in its place: {path}"),
            "changed": self.tr("The file has changed"),
            "truncated": self.tr("Only a part of it is here"),
            "damaged": self.tr("The file is damaged"),
        }
        return words[model.condition]

    def _what_to_do(self, model: InstalledModel) -> str:
        """In the tooltip; the button of the row does it where it can."""
        if model.bundled and not model.is_ready:
            return self.tr("It came with Snug: run the set-up again.")
        words: dict[Condition, str] = {
            "changed": self.tr("Since it was added or looked at last. Check whether it is whole, then it can be used."),
            "truncated": self.tr("Download it again, or copy it again from where it came."),
            "damaged": self.tr("Download it again, or copy it again from where it came."),
        }
        return words.get(model.condition, "")

    def _whose(self, source: Source) -> str:
        words: dict[Source, str] = {
            "snug": "",
            "folder": self.tr("In your folder"),
            "lm-studio": self.tr("From LM Studio"),
            "jan": self.tr("From Jan"),
            "gpt4all": self.tr("From GPT4All"),
            "ollama": self.tr("From Ollama"),
            "huggingface": self.tr("From the Hugging Face cache"),
        }
        return words[source]


def _can_be_renewed(model: InstalledModel) -> bool:
    """Whether its file is not right, and the Hub has it."""
    return not model.is_ready and model.source == "snug" and model.is_from_hub


def _in_a_menu(path: str) -> str:
    """One line, without the marks of keys that a menu reads: "&" for a letter, a tabulator for a shortcut."""
    line = " ".join(path.split())
    line = line if len(line) <= _LONGEST_IN_MENU else f"…{line[-_LONGEST_IN_MENU:]}"
    return line.replace("&", "&&")
