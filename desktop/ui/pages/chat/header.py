"""The conversation's title, the model that answers, and what folds away."""

from functools import partial
from typing import NamedTuple

from PySide6.QtCore import QEvent, QPoint, QSize, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QMenu, QPushButton, QWidget

from desktop.ui.icons import icon_pixmap
from desktop.ui.theme import current_colours
from desktop.ui.widgets.buttons import IconButton
from desktop.ui.widgets.labels import ElidedLabel
from desktop.ui.widgets.page import HEADER_HEIGHT


class ModelEntry(NamedTuple):
    """An installed model in the chooser: its reference, its name, and its quantization."""

    reference: str
    name: str
    details: str


class ModelButton(QPushButton):
    """Name of the model in full strength, its quantization and context quieter, a chevron."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._name = ""
        self._details = ""
        self.setAutoDefault(False)
        self.setFixedHeight(32)
        self.setMaximumWidth(300)
        self.set_texts(self.tr("Choose a model"), "")

    def set_texts(self, name: str, details: str) -> None:
        """Show the model's name and what is told about it."""
        self._name, self._details = name, details
        self.setAccessibleName(self.tr("Model: {name} {details}").format(name=name, details=details).strip())
        self.updateGeometry()
        self.update()

    def name(self) -> str:
        """The model's name as shown."""
        return self._name

    def sizeHint(self) -> QSize:
        """As wide as both texts."""
        metrics = self.fontMetrics()
        details = metrics.horizontalAdvance(self._details) + 8 if self._details else 0
        return QSize(metrics.horizontalAdvance(self._name) + 8 + details + 48, 32)

    def minimumSizeHint(self) -> QSize:
        """Room for a part of the name."""
        return QSize(120, 32)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the button, then its two texts and the chevron."""
        super().paintEvent(event)
        painter = QPainter(self)
        colours = current_colours()
        chevron = icon_pixmap("chevron-down", colours.muted, 14, self.devicePixelRatioF())
        painter.drawPixmap(self.width() - 26, (self.height() - 14) // 2, chevron)
        font = self.font()
        font.setWeight(font.Weight.Medium)
        painter.setFont(font)
        painter.setPen(colours.text)
        room = self.rect().adjusted(12, 0, -34, 0)
        name = painter.fontMetrics().elidedText(self._name, Qt.TextElideMode.ElideRight, room.width())
        painter.drawText(room, int(Qt.AlignmentFlag.AlignVCenter), name)
        room.setLeft(room.left() + painter.fontMetrics().horizontalAdvance(name) + 8)
        painter.setFont(self.font())
        painter.setPen(colours.muted)
        details = self.fontMetrics().elidedText(self._details, Qt.TextElideMode.ElideRight, max(0, room.width()))
        painter.drawText(room, int(Qt.AlignmentFlag.AlignVCenter), details)

    def changeEvent(self, event: QEvent) -> None:
        """Measure again with a new font."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.FontChange:
            self.updateGeometry()


class ChatHeader(QFrame):
    """Signals: model_chosen carries an installed model's reference; sidebar and inspector ask to fold or unfold."""

    model_chosen = Signal(str)
    models_page_requested = Signal()
    sidebar_toggled = Signal()
    inspector_toggled = Signal()
    rename_requested = Signal()
    delete_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("pageHeader")
        self.setFixedHeight(HEADER_HEIGHT)
        self._models: list[ModelEntry] = []
        self._current = ""
        sidebar = IconButton("sidebar", self.tr("Show or hide the chats"), shortcut="Ctrl+B")
        sidebar.clicked.connect(self.sidebar_toggled)
        self._title = ElidedLabel("", tone="title")
        self._more = IconButton("more", self.tr("Rename or delete this chat"))
        self._more.clicked.connect(self._on_more)
        self.model = ModelButton()
        self.model.clicked.connect(self._on_model)
        inspector = IconButton("inspector", self.tr("Show or hide the panel with the sliders"), shortcut="Ctrl+.")
        inspector.clicked.connect(self.inspector_toggled)
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 0, 12, 0)
        row.setSpacing(8)
        row.addWidget(sidebar)
        row.addWidget(self._title, 1)
        row.addWidget(self._more)
        row.addSpacing(8)
        row.addWidget(self.model)
        row.addWidget(inspector)

    def set_title(self, title: str, *, stored: bool) -> None:
        """Show the conversation's title; only a `stored` one can be renamed or deleted."""
        self._title.setText(title)
        self._more.setVisible(stored)

    def title(self) -> str:
        """The title shown."""
        return self._title.text()

    def set_models(self, models: list[ModelEntry]) -> None:
        """The installed models, for the menu."""
        self._models = models

    def set_model(self, reference: str, name: str, details: str) -> None:
        """Show which model answers."""
        self._current = reference
        self.model.set_texts(name, details)

    def _on_model(self) -> None:
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        for entry in self._models:
            text = f"{entry.name}   {entry.details}".strip().replace("&", "&&")
            action = menu.addAction(text, partial(self.model_chosen.emit, entry.reference))
            action.setCheckable(True)
            action.setChecked(entry.reference == self._current)
        if self._models:
            menu.addSeparator()
        menu.addAction(self.tr("Find more models …"), self.models_page_requested.emit)
        self._popup(menu, self.model)

    def _on_more(self) -> None:
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.addAction(self.tr("Rename …"), self.rename_requested.emit)
        menu.addAction(self.tr("Delete"), self.delete_requested.emit)
        self._popup(menu, self._more)

    def _popup(self, menu: QMenu, anchor: QWidget) -> None:
        """Open below `anchor`, right edges together."""
        right = anchor.mapToGlobal(QPoint(anchor.width(), anchor.height() + 4))
        menu.popup(QPoint(right.x() - menu.sizeHint().width(), right.y()))
