"""A page stands still under the eye while things above come and go."""

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QObject, QTimer
from PySide6.QtGui import QMoveEvent
from PySide6.QtWidgets import QScrollArea, QWidget


class SteadyScroll(QObject):
    """Scrolls along when one section moves: the one that the person acted on, else the first that is in sight.

    sections: what stands below one another in the page, from the top.
    """

    def __init__(self, scroll_area: QScrollArea, sections: Sequence[QWidget]) -> None:
        super().__init__(scroll_area)
        self._bar = scroll_area.verticalScrollBar()
        self._sections = tuple(sections)
        self._held: QWidget | None = None
        self._wanted: int | None = None
        """Where to scroll to while a change is laid out: the range may still be the one of before."""
        self._settled = QTimer(self)
        self._settled.setSingleShot(True)
        self._settled.timeout.connect(self._on_settled)
        self._bar.valueChanged.connect(self._on_scrolled)
        self._bar.rangeChanged.connect(self._scroll)
        for section in self._sections:
            section.installEventFilter(self)

    def hold(self, section: QWidget) -> None:
        """The person acted on this section: it stays where it is for as long as it is in sight."""
        self._held = section

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Follow the section that is held."""
        if watched is self._held and isinstance(event, QMoveEvent):
            if self._wanted is None:
                self._wanted = self._bar.value()
                self._settled.start()
            self._wanted += event.pos().y() - event.oldPos().y()
            self._scroll()
        return False

    def _scroll(self) -> None:
        if self._wanted is not None:
            self._bar.setValue(self._wanted)

    def _on_settled(self) -> None:
        self._wanted = None

    def _on_scrolled(self) -> None:
        if self._wanted is None and not self._is_in_sight(self._held):
            in_sight = (section for section in self._sections if self._is_in_sight(section))
            self._held = next(in_sight, None) if self._bar.value() else None

    def _is_in_sight(self, section: QWidget | None) -> bool:
        return section is not None and not section.visibleRegion().isEmpty()
