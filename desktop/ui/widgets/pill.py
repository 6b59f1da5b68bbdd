"""A verdict in words and with a shape, so that it never depends on colour alone."""

from typing import Literal

from PySide6.QtCore import QEvent, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QFontMetrics, QPainter
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QSizePolicy, QWidget

from desktop.ui.icons import icon_pixmap
from desktop.ui.theme import Colours, current_colours
from desktop.ui.widgets.labels import PlainLabel

PillKind = Literal["fits", "tight", "partial", "does_not_fit", "neutral"]

_HEIGHT = 22
_ICON = 14
_ICONS = {"fits": "check", "tight": "warning", "partial": "warning", "does_not_fit": "cross"}


def pill_colours(kind: PillKind, colours: Colours) -> tuple[str, str]:
    """Text and background of a pill."""
    return {
        "fits": (colours.fits, colours.fits_on),
        "tight": (colours.tight, colours.tight_on),
        "partial": (colours.tight, colours.tight_on),
        "does_not_fit": (colours.fails, colours.fails_on),
        "neutral": (colours.muted, colours.neutral_on),
    }[kind]


class Pill(QFrame):
    """A rounded badge; its kinds are the verdicts of fit, and "neutral" for a figure."""

    def __init__(self, text: str = "", *, kind: PillKind = "neutral", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("pill")
        self.setFixedHeight(_HEIGHT)
        self.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        row = QHBoxLayout(self)
        row.setContentsMargins(10, 0, 10, 0)
        row.setSpacing(6)
        self._picture = QLabel(self)
        self._picture.setTextFormat(Qt.TextFormat.PlainText)
        self._label = PlainLabel("", parent=self)
        row.addWidget(self._picture)
        row.addWidget(self._label)
        self._kind: PillKind = kind
        self.set_verdict(text, kind)

    def set_verdict(self, text: str, kind: PillKind) -> None:
        """Show `text` as `kind`."""
        self._kind = kind
        self._label.setText(text)
        self.setAccessibleName(text)
        self.setProperty("verdict", kind)
        for widget in (self, self._label):
            widget.style().unpolish(widget)
            widget.style().polish(widget)
        self._refresh_icon()

    def text(self) -> str:
        """The words."""
        return self._label.text()

    def changeEvent(self, event: QEvent) -> None:
        """Follow the theme."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self._refresh_icon()

    def _refresh_icon(self) -> None:
        name = _ICONS.get(self._kind)
        self._picture.setVisible(name is not None)
        if name:
            colour, _ = pill_colours(self._kind, current_colours())
            self._picture.setPixmap(icon_pixmap(name, colour, _ICON, self.devicePixelRatioF()))


def pill_font(font: QFont) -> QFont:
    """The font of a pill that is painted, not laid out."""
    result = QFont(font)
    result.setPixelSize(11)
    result.setWeight(QFont.Weight.DemiBold)
    return result


def pill_size(text: str, kind: PillKind, font: QFont) -> QSize:
    """Pixels that paint_pill needs."""
    width = QFontMetrics(pill_font(font)).horizontalAdvance(text) + 20 + (_ICON + 6 if kind in _ICONS else 0)
    return QSize(width, _HEIGHT)


def paint_pill(painter: QPainter, rect: QRectF, text: str, kind: PillKind) -> None:
    """Paint the same badge inside `rect`, for a table's delegate."""
    colour, background = pill_colours(kind, current_colours())
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(background))
    painter.drawRoundedRect(rect, rect.height() / 2, rect.height() / 2)
    left = rect.left() + 10
    if kind in _ICONS:
        picture = icon_pixmap(_ICONS[kind], colour, _ICON, painter.device().devicePixelRatioF())
        painter.drawPixmap(round(left), round(rect.center().y() - _ICON / 2), picture)
        left += _ICON + 6
    painter.setFont(pill_font(painter.font()))
    painter.setPen(QColor(colour))
    room = rect.adjusted(left - rect.left(), 0, -6, 0)
    shown = painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, round(room.width()))
    painter.drawText(room, int(Qt.AlignmentFlag.AlignVCenter), shown)
    painter.restore()
