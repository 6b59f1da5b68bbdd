"""What is on this disk: a row per model with Chat."""

from collections.abc import Sequence

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QWidget

from desktop.library.types import InstalledModel
from desktop.ui.figures import gb
from desktop.ui.widgets.buttons import Button
from desktop.ui.widgets.card import Card
from desktop.ui.widgets.labels import ElidedLabel, PlainLabel
from desktop.ui.widgets.pill import Pill


class InstalledCard(Card):
    """Rows of InstalledModel; `chosen` carries the one to chat with."""

    chosen = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent=parent)
        self.set_title(self.tr("On this disk"))
        self._rows: list[QWidget] = []

    def set_models(self, models: Sequence[InstalledModel], loaded: str) -> None:
        """Show `models`; `loaded` is the id of the one in use."""
        for row in self._rows:
            row.hide()
            row.deleteLater()
        self._rows = [self._make_row(model, in_use=model.id == loaded) for model in models]
        for row in self._rows:
            self.body.addWidget(row)

    def _make_row(self, model: InstalledModel, *, in_use: bool) -> QWidget:
        holder = QWidget()
        row = QHBoxLayout(holder)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(12)
        row.addWidget(ElidedLabel(model.name, tone="strong"))
        row.addWidget(PlainLabel(model.quantization, tone="muted"))
        row.addWidget(PlainLabel(gb(model.size), tone="muted"))
        row.addWidget(ElidedLabel(self._remark(model), tone="muted"), 1)
        if in_use:
            row.addWidget(Pill(self.tr("In use"), kind="fits"))
        button = Button(self.tr("Chat"), icon_name="chat")
        button.setAccessibleName(self.tr("Chat with {name}").format(name=model.name))
        button.setEnabled(not model.missing)
        button.clicked.connect(lambda: self.chosen.emit(model))
        row.addWidget(button)
        return holder

    def _remark(self, model: InstalledModel) -> str:
        if model.missing:
            return self.tr("The file is gone: {path}").format(path=model.path)
        return self.tr("Comes with Snug, needs no network") if model.bundled else model.licence
