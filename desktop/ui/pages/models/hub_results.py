"""What the Hub found: repositories with a verdict each, and all files of the one that was chosen."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QVBoxLayout, QWidget

from desktop.fit.types import Choice
from desktop.ui.pages.models.hub_row import HubRow, Message
from desktop.ui.pages.models.table import ChoicesView
from desktop.ui.widgets.buttons import Button, IconButton
from desktop.ui.widgets.card import REACH, Card
from desktop.ui.widgets.context_choice import CalmCombo
from desktop.ui.widgets.focus import focus_inside, pass_focus_on
from desktop.ui.widgets.gradual_rows import GradualRows
from desktop.ui.widgets.labels import plain_tooltip

if TYPE_CHECKING:  # it brings the network along, which the first paint does not wait for
    from desktop.catalog.search import HubRepo


class HubResults(Card):
    """A list of repositories, or the files of one.

    `choice_chosen` carries a Choice, `repo_chosen`, `base_chosen` and `page_requested` a HubRepo, `sort_chosen` the
    order's name in catalog/search.py.
    """

    choice_chosen = Signal(object)
    repo_chosen = Signal(object)
    base_chosen = Signal(object)
    page_requested = Signal(object)
    sort_chosen = Signal(str)
    fitting_chosen = Signal(bool)
    more_requested = Signal()
    again_requested = Signal()
    back_requested = Signal()
    closed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(wide=True, parent=parent)
        self._searched = self._base = ""
        self._opened: HubRepo | None = None
        self._has_more = False
        self._hides_all = False
        """Whether the message says that every row is hidden, because none fits."""
        self._coming: Mapping[tuple[str, str], str] = {}
        self._sort = self._make_sort()
        self.only_fitting = QCheckBox(self.tr("Only what fits here"))
        self.only_fitting.toggled.connect(self._on_fitting_toggled)
        self._close = IconButton("cross", self.tr("Close the results"))
        self._close.clicked.connect(self.closed)
        self._back = Button(self.tr("Back to the results"), kind="link", icon_name="chevron-left")
        self._back.clicked.connect(self._on_back_clicked)
        for widget in (self._back, self.only_fitting, self._sort, self._close):
            self.add_aside(widget)
        self._message = Message()
        self._message.action_chosen.connect(self._on_action_chosen)
        self._column = QVBoxLayout()
        self._column.setSpacing(0)
        self.rows: GradualRows[HubRepo, HubRow] = GradualRows(
            self._column, self._make_row, self, leave_row=self.take_focus
        )
        self.rows.added.connect(self._filter)
        self._more = Button(self.tr("More results"), kind="link")
        self._more.setStyleSheet("padding-left: 0")  # its words stand below the others
        self._more.clicked.connect(self.more_requested)
        self.files = ChoicesView(self.tr("Files of this repository"), of_files=True)
        self.files.chosen.connect(self.choice_chosen)
        self._lay_out()
        self.set_repos((), more=False)
        self.show_results()

    def _lay_out(self) -> None:
        self.body.addWidget(self._message)
        self.body.addLayout(self._column)
        self.body.addWidget(self.files)
        below = QHBoxLayout()
        below.setContentsMargins(REACH, 0, REACH, 0)
        below.addWidget(self._more)
        below.addStretch(1)
        self.body.addLayout(below)

    def _make_sort(self) -> CalmCombo:
        sort = CalmCombo()
        for text, name in (
            (self.tr("Trending"), "trending"),
            (self.tr("Most downloads"), "downloads"),
            (self.tr("Most likes"), "likes"),
            (self.tr("Changed last"), "updated"),
            (self.tr("Newest"), "created"),
        ):
            sort.addItem(text, name)
        sort.setAccessibleName(self.tr("Order of the results"))
        sort.setToolTip(plain_tooltip(self.tr("In which order the Hub lists what it found.")))
        sort.currentIndexChanged.connect(lambda: self.sort_chosen.emit(sort.currentData()))
        return sort

    def set_searched(self, text: str, *, base_model: str = "") -> None:
        """Begin a result: nothing is there yet. "" is what the Hub puts first; base_model: what was quantized."""
        self._searched, self._base = text, base_model
        self.show_results()
        self.set_repos((), more=False)
        self._say(self.tr("Asking the Hub …"))

    def set_repos(self, repos: "Sequence[HubRepo]", *, more: bool) -> None:
        """Show the repositories; those that were shown before keep their verdicts. more: there is another page."""
        self._has_more = more
        self._say(*(() if repos else self._nothing()))
        self.rows.show(repos)
        self._show_more()

    def _make_row(self, repo: "HubRepo") -> HubRow:
        row = HubRow(repo)
        row.download_requested.connect(self.choice_chosen)
        row.files_requested.connect(self.repo_chosen)
        row.base_requested.connect(self.base_chosen)
        row.page_requested.connect(self.page_requested)
        return row

    def _nothing(self) -> tuple[str, str]:
        if self._searched:
            text = self.tr("The Hub has no model files (GGUF) for “{text}”.").format(text=self._searched)
            return text, self.tr("Try fewer words, or only the name of the model.")
        return self.tr("The Hub named no models."), ""

    def set_failed(self, message: str, hint: str) -> None:
        """The Hub, or the repository, could not be asked."""
        self._say(message, hint, self.tr("Try again"))

    def set_verdict(self, repo: str, choice: Choice | None, words: str = "", hint: str = "") -> None:
        """Show what is known of a repository's best file; without a choice only `words`, with what to do about it."""
        for row in self.rows.all:
            if row.repo.repo == repo:
                row.set_unjudged(words, hint) if choice is None else row.set_choice(choice)
                row.set_coming(self._coming)
        self._filter()

    def set_coming(self, coming: Mapping[tuple[str, str], str]) -> None:
        """Tell which files are on their way, by repository and file, and how far each is ("42 %")."""
        self._coming = coming
        self.files.choices.set_coming(coming)
        for row in self.rows.all:
            row.set_coming(coming)

    def set_checking(self, repo: str) -> None:
        """A repository is being judged; a verdict that it has stays until the new one is there."""
        for row in self.rows.shown:
            if row.repo.repo == repo and not row.is_judged:
                row.set_unjudged(self.tr("Checking …"))

    def repos_in_sight(self) -> "tuple[HubRepo, ...]":
        """The repositories whose rows are on the screen."""
        return tuple(row.repo for row in self.rows.shown if not row.visibleRegion().isEmpty())

    def show_files(self, repo: "HubRepo") -> None:
        """Show the files of a repository instead of the list; they are not there yet."""
        self._opened = repo
        self.set_title(repo.repo)
        self.files.choices.set_choices(())
        self.files.choices.set_digests({})
        self._show_parts()
        self._say(self.tr("Asking the Hub which files it has …"))

    def set_digests(self, digests: Mapping[str, str]) -> None:
        """Tell the SHA-256 of the files, by their paths in the repository, as far as the Hub names them."""
        self.files.choices.set_digests(digests)

    def set_files(self, choices: Sequence[Choice], words: str = "") -> None:
        """Show the files, best first or as they come; words: what is to be said of them."""
        self._show_files(choices)
        self._say(words)

    def set_files_left(self, choices: Sequence[Choice], message: str, hint: str) -> None:
        """Show the files that could be judged, and why others could not."""
        self._show_files(choices)
        self._say(message, hint, self.tr("Try again"))

    def _show_files(self, choices: Sequence[Choice]) -> None:
        self.files.choices.set_choices(choices)
        self.files.setVisible(bool(choices) and self._shows_files)

    def show_results(self) -> None:
        """Show the list of repositories."""
        self._opened = None
        self.set_title(self._words_of_search())
        self._show_parts()
        self._say(*(() if self.rows.shown else self._nothing()))

    def _words_of_search(self) -> str:
        if self._base:
            return self.tr("On the Hugging Face Hub: {name} from every publisher").format(name=self._base)
        if self._searched:
            return self.tr("On the Hugging Face Hub: “{text}”").format(text=self._searched)
        return self.tr("On the Hugging Face Hub")

    @property
    def _shows_files(self) -> bool:
        return self._opened is not None

    def _show_parts(self) -> None:
        of_list, of_files = (self.only_fitting, self._sort), (self._back,)
        coming, leaving = (of_files, of_list) if self._shows_files else (of_list, of_files)
        for widget in coming:
            widget.show()
        if focus_inside(self) is not self._close:
            pass_focus_on(self, self.take_focus)  # nearly all of the others are hidden now
        for widget in leaving:
            widget.hide()
        self.files.setVisible(self._shows_files and self.files.filter.rowCount() > 0)
        self._show_more()
        self._filter()

    def _show_more(self) -> None:
        shown = self._has_more and not self._shows_files
        if not shown:
            pass_focus_on(self._more, self.take_focus)
        self._more.setVisible(shown)

    def _say(self, text: str = "", hint: str = "", action: str = "") -> None:
        self._hides_all = False
        if not action:
            pass_focus_on(self._message, self.take_focus)
        self._message.show_words(text, hint, action)

    def _filter(self) -> None:
        for row in self.rows.shown:
            shown = not self._shows_files and not (self.only_fitting.isChecked() and row.is_unfit)
            if not shown:
                pass_focus_on(row, self.take_focus)
            row.setVisible(shown)
        self._tell_whether_all_are_hidden()

    def _tell_whether_all_are_hidden(self) -> None:
        hidden = not self._shows_files and bool(self.rows.shown) and all(row.isHidden() for row in self.rows.shown)
        if hidden and self._message.isHidden():
            self._say(self.tr("None of these fits this machine."), "", self.tr("Show them"))
            self._hides_all = True
        elif not hidden and self._hides_all:
            self._say()

    def _on_action_chosen(self) -> None:
        if self._hides_all:
            self.only_fitting.setChecked(False)
        else:
            self.again_requested.emit()

    def step_back(self) -> None:
        """From the files to the list, from the list to the page."""
        if self._shows_files:
            self._on_back_clicked()
        else:
            self.closed.emit()

    def take_focus(self) -> None:
        """Bring the keyboard to the first thing in the card."""
        (self._back if self._shows_files else self.only_fitting).setFocus(Qt.FocusReason.OtherFocusReason)

    def _on_fitting_toggled(self, checked: bool) -> None:
        self._filter()
        self.fitting_chosen.emit(checked)

    def _on_back_clicked(self) -> None:
        opened = self._opened
        self.show_results()
        row = next((each for each in self.rows.shown if each.repo == opened and each.isVisible()), None)
        if row is not None:
            pass_focus_on(self, row.take_focus)
        self.back_requested.emit()
