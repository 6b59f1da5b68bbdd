"""The downloads: a card each, in the order of the queue, and what can be done with all of them at once."""

from collections.abc import Collection, Sequence

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from desktop.ui.widgets.buttons import Button
from desktop.ui.widgets.focus import pass_focus_on
from desktop.ui.widgets.progress import ProgressCard


class DownloadList(QWidget):
    """`cards` has them by the ids of the downloads, which the signals carry. Takes no room while there are none."""

    stop_requested = Signal(str)
    resume_requested = Signal(str)
    discard_requested = Signal(str)
    next_requested = Signal(str)
    all_stopped = Signal()
    all_resumed = Signal()
    focus_left = Signal()
    """The keyboard was at a card that is gone, and there is no other one."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.cards: dict[str, ProgressCard] = {}
        self._files: dict[tuple[str, str], str] = {}
        self._column = QVBoxLayout()
        self._column.setSpacing(16)
        self._stop_all = Button(self.tr("Stop all downloads"), kind="link")
        self._stop_all.clicked.connect(self.all_stopped)
        self._resume_all = Button(self.tr("Go on with all downloads"), kind="link")
        self._resume_all.clicked.connect(self.all_resumed)
        for_all = QHBoxLayout()
        for button in (self._stop_all, self._resume_all):
            for_all.addWidget(button)
            button.hide()
        for_all.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addLayout(self._column)
        column.addLayout(for_all)
        self.hide()

    def show_download(
        self,
        download_id: str,
        title: str,
        figures: str,
        fraction: float | None,
        problem: str = "",
        *,
        stopped: bool,
        file: tuple[str, str] = ("", ""),
    ) -> None:
        """Show how far a download is, or that it was stopped before its end, by what `problem` says or by the person.

        file: its repository, and its name there.
        """
        self._files[file] = download_id
        card = self.cards.get(download_id)
        if card is None:
            card = self.cards[download_id] = ProgressCard()
            card.stop_requested.connect(lambda: self.stop_requested.emit(download_id))
            card.resume_requested.connect(lambda: self.resume_requested.emit(download_id))
            card.discard_requested.connect(lambda: self.discard_requested.emit(download_id))
            card.next_requested.connect(lambda: self.next_requested.emit(download_id))
            self._column.addWidget(card)
            self.show()
        card.show_progress(title, figures, fraction, problem)
        card.set_stopped(stopped)

    def set_order(self, download_ids: Sequence[str], waiting: Collection[str]) -> None:
        """Show the downloads in this order; those that wait with another before them can be made the next."""
        shown = [name for name in download_ids if name in self.cards]
        for index, name in enumerate(shown):
            if self._column.indexOf(self.cards[name]) != index:
                self._column.insertWidget(index, self.cards[name])
        first = next((name for name in shown if name in waiting), "")
        for name in shown:
            self.cards[name].set_waiting(name in waiting and name != first)

    def offer_for_all(self, *, stop: bool, resume: bool) -> None:
        """Offer to stop all downloads, or to go on with all."""
        for button, offered, other in (
            (self._resume_all, resume, self._stop_all),
            (self._stop_all, stop, self._resume_all),
        ):
            if not offered:
                to = other.setFocus if other.isVisible() else self._take_focus
                pass_focus_on(button, to)
            button.setVisible(offered)

    def remove(self, download_id: str) -> None:
        """Show a download no longer: it is done, or was thrown away."""
        card = self.cards.get(download_id)
        if card is None:
            return
        order = self.order()
        place = order.index(download_id)
        beside = (*order[place + 1 :], *order[:place])[:1]
        del self.cards[download_id]
        pass_focus_on(card, lambda: self._take_focus(*beside))
        card.hide()
        card.deleteLater()
        self.setVisible(bool(self.cards))

    def card_of(self, file: tuple[str, str]) -> ProgressCard | None:
        """The card of a file, by its repository and its name there."""
        return self.cards.get(self._files.get(file, ""))

    def _take_focus(self, beside: str = "") -> None:
        """To the card called `beside`, else to the first."""
        if self.cards:
            self.cards[beside or self.order()[0]].take_focus()
        else:
            self.focus_left.emit()

    def order(self) -> list[str]:
        """The ids of the downloads as they are shown."""
        return sorted(self.cards, key=lambda name: self._column.indexOf(self.cards[name]))
