"""The models page: the answer, what is on this disk, and every choice priced for this machine."""

from collections.abc import Collection, Mapping, Sequence

from PySide6.QtCore import QEvent, QMimeData, QPoint, QRect, Qt, QTimer, Signal
from PySide6.QtGui import QAction, QDragEnterEvent, QDropEvent, QKeyEvent
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from desktop.errors import Phrase
from desktop.fit.types import Choice
from desktop.library.types import InstalledModel
from desktop.ui.bridge import render, sentences
from desktop.ui.icons import icon
from desktop.ui.pages.models.answer import AnswerCard
from desktop.ui.pages.models.downloads import DownloadList
from desktop.ui.pages.models.hub_results import HubResults
from desktop.ui.pages.models.installed import InstalledCard
from desktop.ui.pages.models.table import ChoicesView
from desktop.ui.theme import current_colours
from desktop.ui.widgets.buttons import Button
from desktop.ui.widgets.card import REACH, Card
from desktop.ui.widgets.context_choice import ContextChoice
from desktop.ui.widgets.focus import order_tabs, pass_focus_on
from desktop.ui.widgets.labels import PlainLabel, plain_tooltip
from desktop.ui.widgets.page import Page
from desktop.ui.widgets.steady_scroll import SteadyScroll

_SEEN_OF_RESULTS = 260
"""Pixels of a search's results that are brought on the screen."""
_LONGEST_SEARCH = 200
"""Characters; the Hub is asked for no more (catalog/search.py)."""
_SHOWN_OF_SEARCH = 40
"""Characters of a search that a button repeats."""


class ModelsView(Page):
    """Setters in, signals out. `choice_chosen` carries a Choice, `installed_chosen` an InstalledModel."""

    choice_chosen = Signal(object)
    installed_chosen = Signal(object)
    look_requested = Signal()
    """The machine could not be looked at, and shall be once more."""
    pricing_changed = Signal(int, str)
    rest_requested = Signal()
    """The rows that are still estimates shall be checked, too, with what the Hub says of their files."""
    rest_stopped = Signal()
    hub_search_requested = Signal(str)
    files_dropped = Signal(list)
    """Paths of files and folders that were dropped on the page."""

    def __init__(self, parent: QWidget | None = None) -> None:
        self._search_icon: QAction | None = None
        self._is_failed = False
        super().__init__("", parent=parent)
        self.header.set_title(self.tr("Models"))
        self._rest = self._make_rest()
        self.header.row.addWidget(self._rest)
        self.answer = AnswerCard()
        self.answer.chosen.connect(self.choice_chosen)
        self.answer.remedy_chosen.connect(self._on_remedy_chosen)
        self.answer.coming_chosen.connect(self._show_its_download)
        self.downloads = DownloadList()
        self.downloads.focus_left.connect(self._take_focus)
        self._coming: Mapping[tuple[str, str], str] = {}
        self.installed = InstalledCard()
        self.installed.chosen.connect(self.installed_chosen)
        self.hub = HubResults()
        self.hub.closed.connect(lambda: self.show_hub(False))
        self.wishes = ContextChoice()
        self.wishes.changed.connect(self.pricing_changed)
        self.table = ChoicesView(self.tr("Models for this machine"))
        self.table.chosen.connect(self.choice_chosen)
        self.table.row_reached.connect(self._on_row_reached)
        self._empty = PlainLabel(tone="muted", wrap=True)
        self._ask_hub = Button(kind="link", icon_name="search")
        self._ask_hub.setStyleSheet("padding-left: 0")
        self._ask_hub.clicked.connect(self._on_hub_wanted)
        self._lay_out()
        self._steady = self._make_steady()
        self.setAcceptDrops(True)
        self._show_whether_empty()

    def _lay_out(self) -> None:
        self._card = Card(wide=True)
        self._card.body.addWidget(self.table)
        below = QVBoxLayout()
        below.setContentsMargins(REACH, 0, REACH, 0)
        below.addWidget(self._empty)
        below.addWidget(self._ask_hub, 0, Qt.AlignmentFlag.AlignLeft)
        self._card.body.addLayout(below)
        self.body.addWidget(self.answer)
        self.body.addWidget(self.downloads)
        self.body.addWidget(self.installed)
        self.body.addLayout(self._make_controls())
        self.body.addWidget(self.hub)
        self.body.addWidget(self._card)
        self.body.addStretch(1)
        self.installed.hide()
        self.hub.hide()

    def _make_steady(self) -> SteadyScroll:
        """The card of a download comes above what was clicked, and goes when it is done: neither moves the page."""
        sections = (self.answer, self.downloads, self.installed, self.wishes, self.hub, self._card)
        steady = SteadyScroll(self.scroll_area, sections)
        for signal, section in (
            (self.answer.chosen, self.answer),
            (self.installed.chosen, self.installed),
            (self.wishes.changed, self.wishes),
            (self.hub.choice_chosen, self.hub),
            (self.table.chosen, self._card),
        ):
            signal.connect(lambda *_, section=section: steady.hold(section))
        return steady

    def _make_rest(self) -> Button:
        rest = Button(kind="link")
        help_text = self.tr(
            "Fetches the beginning of each file from the Hub, some megabytes each and kept for later, so that the "
            "engine can say exactly what it needs here. No model is downloaded."
        )
        rest.setToolTip(plain_tooltip(help_text))
        rest.clicked.connect(self._on_rest_clicked)
        rest.hide()
        self._is_rest_asked = False
        return rest

    def _make_controls(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(24)
        row.addWidget(self.wishes, 1)
        self._search = QLineEdit()
        self._search.setPlaceholderText(self.tr("Search models"))
        self._search.setAccessibleName(self.tr("Search models; Enter searches the Hub"))
        help_text = self.tr(
            "Shows the models of the list below whose names have this in them. Enter asks the Hugging Face Hub, the "
            "site where most models are published."
        )
        self._search.setToolTip(plain_tooltip(help_text))
        self._search_icon = QAction(self)
        self._search.addAction(self._search_icon, QLineEdit.ActionPosition.LeadingPosition)
        self._search.setClearButtonEnabled(True)
        self._search.setMaxLength(_LONGEST_SEARCH)
        self._search.setMinimumWidth(150)
        self._search.setMaximumWidth(220)
        self._search.textChanged.connect(self._on_search_changed)
        self._search.returnPressed.connect(self._on_hub_wanted)
        row.addWidget(self._search, 0, Qt.AlignmentFlag.AlignBottom)
        self._refresh_icon()
        return row

    def set_pricing(self, context: int, kv: str) -> None:
        """Show the context (tokens) and the KV type that the rows are priced for."""
        self.wishes.set_values(context, kv)

    def set_looking(self) -> None:
        """The machine is being looked at."""
        self.header.set_remark("")
        self.answer.set_no_answer(self.tr("Looking at this machine …"))
        self._is_failed = False
        self._show_whether_empty()

    def set_failed(self, message: str, hint: str) -> None:
        """The machine could not be looked at."""
        self.answer.set_no_answer(message, hint, self.tr("Try again"))
        self._is_failed = True
        self._show_whether_empty()

    def set_choices(
        self,
        choices: Sequence[Choice],
        rejected: Sequence[Choice] = (),
        *,
        notes: Sequence[Phrase] = (),
        minimum_speed: float = 0.0,
        found_to_fit: Collection[tuple[str, str]] = (),
        checking: bool = False,
        may_ask: bool = False,
    ) -> None:
        """Show the answer and the rows, best first; `rejected` below them.

        What the engine found not to fit keeps its row, but is no answer. found_to_fit: see ChoiceTable. checking: the
        engine is being asked. may_ask: the Hub could be asked about what is left.
        """
        self._is_failed = False
        self.table.choices.set_choices(choices, rejected, minimum_speed=minimum_speed, found_to_fit=found_to_fit)
        self._show_whether_empty()
        self._show_source([*choices, *rejected], checking=checking)
        self._show_rest(checking=checking, may_ask=may_ask)
        answer = next((choice for choice in choices if choice.fits), None)
        if answer is not None:
            self.answer.set_choice(answer, notes)
        else:
            self._show_nothing_fits(notes)

    def _show_nothing_fits(self, notes: Sequence[Phrase]) -> None:
        shorter = self.wishes.can_be_shorter
        less = self.tr("A shorter context or a smaller KV cache needs less memory.")
        self.answer.set_no_answer(
            self.tr("Nothing fits with room to spare"),
            sentences([*map(render, notes), less]),
            self.tr("Try a shorter context") if shorter else "",
        )

    def _on_remedy_chosen(self) -> None:
        if self._is_failed:
            self.look_requested.emit()
        else:
            self.wishes.shorten()

    def _show_source(self, rows: Sequence[Choice], *, checking: bool) -> None:
        exact = sum(choice.exact for choice in rows)
        if rows and exact == len(rows):
            remark = self.tr("Memory is exact for this machine, checked by the engine just now")
        elif checking and exact:
            remark = self.tr("Memory: {exact} of {count} exact, the engine is being asked …").format(
                exact=exact, count=len(rows)
            )
        elif checking:
            remark = self.tr("Estimates for this machine; the engine is being asked …")
        elif exact:
            remark = self.tr("Memory: {exact} of {count} exact, the others are estimates").format(
                exact=exact, count=len(rows)
            )
        elif any(choice.speed.measured for choice in rows):
            remark = self.tr("Memory is an estimate; speeds are from what was measured here")
        else:
            remark = self.tr("Estimates for this machine; the Hardware page can measure its speed")
        self.header.set_remark(remark)

    def _show_rest(self, *, checking: bool, may_ask: bool) -> None:
        self._is_rest_asked = self._is_rest_asked and checking
        self._rest.setText(self.tr("Stop") if self._is_rest_asked else self.tr("Make them exact"))
        shown = self._is_rest_asked or (may_ask and not checking)
        if not shown:
            pass_focus_on(self._rest, self._take_focus)
        self._rest.setVisible(shown)

    def _on_rest_clicked(self) -> None:
        self._is_rest_asked = not self._is_rest_asked
        (self.rest_requested if self._is_rest_asked else self.rest_stopped).emit()

    def set_installed(self, models: Sequence[InstalledModel], loaded: str) -> None:
        """Show what is on the disk; `loaded` is the id of the model in use."""
        self.installed.set_models(models, loaded)
        self.installed.show()

    def set_coming(self, coming: Mapping[tuple[str, str], str]) -> None:
        """Tell which files are on their way, by repository and file, and how far each is ("42 %")."""
        if coming != self._coming:
            self._coming = coming
            self.answer.set_coming(coming)
            self.table.choices.set_coming(coming)
            self.hub.set_coming(coming)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Take files and folders."""
        if _paths(event.mimeData()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        """Hand them on."""
        event.acceptProposedAction()
        self.files_dropped.emit(_paths(event.mimeData()))

    def focusNextPrevChild(self, forward: bool) -> bool:
        """Tab goes on in the order of the page, also where rows and cards have come since."""
        order_tabs(self)
        return super().focusNextPrevChild(forward)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Escape goes back: from the files of a repository, from the results, from a search."""
        if event.key() != Qt.Key.Key_Escape:
            super().keyPressEvent(event)
        elif self.hub.isVisible():
            self.hub.step_back()
        elif self._search.text():
            self._search.clear()
        else:
            event.ignore()

    def changeEvent(self, event: QEvent) -> None:
        """Follow the theme."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self._refresh_icon()

    def _refresh_icon(self) -> None:
        if self._search_icon is not None:  # the palette may change before there is a field
            self._search_icon.setIcon(icon("search", current_colours().muted))

    def _on_search_changed(self, text: str) -> None:
        self.table.filter.setFilterFixedString(text.strip())
        self._show_whether_empty()
        if not text and self.hub.isVisible():  # who clears the field wants the page as it was before
            self.hub.closed.emit()

    def show_hub(self, shown: bool) -> None:
        """Show the results of the Hub, or no longer; the catalog below them is called by its name then."""
        if not shown:
            pass_focus_on(self.hub, self._search.setFocus)
        self.hub.setVisible(shown)
        self._card.set_title(self.tr("In Snug's catalog") if shown else "")

    def _on_hub_wanted(self) -> None:
        self.show_hub(True)
        pass_focus_on(self._ask_hub, self.hub.take_focus)  # it is far below what it brings
        QTimer.singleShot(0, self._bring_hub_into_sight)  # once the card has its place
        self.hub_search_requested.emit(" ".join(self._search.text().split()))

    def _show_its_download(self, choice: Choice) -> None:
        card = self.downloads.card_of((choice.repo, choice.file))
        if card is not None:
            self.scroll_area.ensureWidgetVisible(card)
            card.take_focus()

    def _take_focus(self) -> None:
        """To the first thing that can be done here."""
        if self.answer.has_answer:
            self.answer.take_focus()
        else:
            self._search.setFocus(Qt.FocusReason.OtherFocusReason)

    def _bring_hub_into_sight(self) -> None:
        self.scroll_area.ensureVisible(0, self.hub.y() + _SEEN_OF_RESULTS, 0, 0)

    def _on_row_reached(self, rect: QRect) -> None:
        top_left = self.table.mapTo(self._page_body(), rect.topLeft())
        bottom = top_left + QPoint(0, rect.height())
        for point in (bottom, top_left):
            self.scroll_area.ensureVisible(point.x(), point.y(), 0, 8)

    def _page_body(self) -> QWidget:
        body = self.scroll_area.widget()
        return self if body is None else body

    def _show_whether_empty(self) -> None:
        searched = self._search.text().strip()
        short = searched if len(searched) <= _SHOWN_OF_SEARCH else f"{searched[:_SHOWN_OF_SEARCH]}…"
        ask = self.tr("Search the Hugging Face Hub for “{text}”").format(text=short.replace("&", "&&"))
        self._ask_hub.setText(ask if searched else self.tr("See what else is on the Hugging Face Hub"))
        if self._is_failed:
            why = self.tr("What fits is not known until this machine can be looked at.")
        elif searched:
            why = self.tr("No model of the catalog has this in its name.")
        else:
            why = self.tr("The models are listed here in a moment.")
        self._empty.setText(why)
        is_empty = self.table.filter.rowCount() == 0
        self._empty.setVisible(is_empty)
        self.table.setVisible(not is_empty)


def _paths(data: QMimeData) -> list[str]:
    """Files and folders of this machine among what is dragged."""
    return [url.toLocalFile() for url in data.urls() if url.isLocalFile()]
