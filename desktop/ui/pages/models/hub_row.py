"""One repository in a search result: who published it, and whether its best file fits this machine."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from PySide6.QtCore import QDateTime, QLocale, Qt, QTimeZone, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QVBoxLayout, QWidget

from desktop.fit.types import Choice
from desktop.ui.bridge import render
from desktop.ui.figures import count, gb, gib, speed
from desktop.ui.verdicts import verdict_kind, verdict_text
from desktop.ui.widgets.buttons import Button, IconButton
from desktop.ui.widgets.card import REACH
from desktop.ui.widgets.focus import pass_focus_on
from desktop.ui.widgets.labels import ElidedLabel, PlainLabel, plain_tooltip
from desktop.ui.widgets.pill import Pill

if TYPE_CHECKING:  # it brings the network along, which the first paint does not wait for
    from desktop.catalog.search import HubRepo


class HubRow(QFrame):
    """Shows a HubRepo. `download_requested` carries the Choice that the row names, the other signals the HubRepo."""

    download_requested = Signal(object)
    files_requested = Signal(object)
    base_requested = Signal(object)
    page_requested = Signal(object)

    def __init__(self, repo: "HubRepo", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("hubRow")
        self.repo = repo
        self._choice: Choice | None = None
        self._coming = ""
        self._known = PlainLabel(tone="muted")
        self._verdict = Pill()
        self._figures = ElidedLabel(tone="muted")
        self._download = self._make_download()
        self._page = self._make_page()
        self._files = Button(self.tr("All files"), kind="link")
        self._files.setAccessibleName(self.tr("All files of {name}").format(name=repo.repo))
        self._files.clicked.connect(lambda: self.files_requested.emit(repo))
        names = QHBoxLayout()
        names.setSpacing(8)
        names.addWidget(ElidedLabel(repo.name, tone="strong"), 1)
        names.addWidget(self._known)
        names.addWidget(self._verdict)
        names.addWidget(self._download)
        names.addWidget(self._page)
        names.addWidget(self._make_others())
        names.addWidget(self._files)
        about = QHBoxLayout()
        about.setSpacing(12)
        about.addWidget(ElidedLabel(self._about(), tone="muted"), 1)
        about.addWidget(self._figures)
        column = QVBoxLayout(self)
        column.setContentsMargins(REACH, 10, REACH, 10)
        column.setSpacing(4)
        column.addLayout(names)
        column.addLayout(about)
        self.set_unjudged("")

    def _make_download(self) -> IconButton:
        download = IconButton("download", "")
        room = download.sizePolicy()
        room.setRetainSizeWhenHidden(True)  # rows are of one height, and what stands in them keeps its place
        download.setSizePolicy(room)
        download.clicked.connect(lambda: self.download_requested.emit(self._choice))
        return download

    def _make_page(self) -> Button:
        page = Button(self.tr("Open its page"), kind="link")
        page.setAccessibleName(self.tr("Open the page of {name}").format(name=self.repo.repo))
        page.clicked.connect(lambda: self.page_requested.emit(self.repo))
        return page

    def _make_others(self) -> Button:
        base = self.repo.base_model
        others = Button(self.tr("Other publishers"), kind="link")
        others.setAccessibleName(self.tr("Other publishers of {name}").format(name=base or self.repo.name))
        others.setToolTip(plain_tooltip(self.tr("Who else has published files of {name}.").format(name=base)))
        others.clicked.connect(lambda: self.base_requested.emit(self.repo))
        others.setVisible(bool(base))
        return others

    def _about(self) -> str:
        repo = self.repo
        parts = [repo.publisher, repo.licence]
        if repo.downloads:
            one, several = self.tr("1 download"), self.tr("{count} downloads")
            parts.append(one if repo.downloads == 1 else several.format(count=count(repo.downloads)))
        if repo.likes:
            one, several = self.tr("1 like"), self.tr("{count} likes")
            parts.append(one if repo.likes == 1 else several.format(count=count(repo.likes)))
        if repo.updated is not None:
            moment = QDateTime.fromMSecsSinceEpoch(int(repo.updated * 1000), QTimeZone.utc())
            day = QLocale().toString(moment.date(), QLocale.FormatType.ShortFormat)
            parts.append(self.tr("changed {day}").format(day=day))
        if repo.private:
            parts.append(self.tr("private"))
        if repo.gated:
            parts.append(self.tr("asks for your agreement on its page"))
        return " · ".join(part for part in parts if part)

    @property
    def is_judged(self) -> bool:
        """Whether it shows a verdict."""
        return self._choice is not None

    @property
    def is_unfit(self) -> bool:
        """Whether its verdict is that it does not fit, or only without the margins; what has none may fit."""
        return self._choice is not None and not self._choice.fits

    def set_unjudged(self, words: str, hint: str = "") -> None:
        """There is no verdict (yet): say why, or nothing. hint: what to do, in the tooltip."""
        self._choice = None
        self._known.setText("")
        self._verdict.hide()
        self._show_button(self._page, bool(self.repo.gated and hint))  # the agreement is given on that page
        self._show_button(self._download, False)
        self._figures.setText(words)
        self._figures.set_hint(hint)

    def set_choice(self, choice: Choice) -> None:
        """Show the verdict on the file that suits this machine best."""
        self._choice = choice
        self._verdict.set_verdict(verdict_text(choice), verdict_kind(choice))
        self._verdict.show()
        self._show_button(self._page, False)
        parts = [choice.quantization, gb(choice.download_size)]
        if choice.memory:
            parts.append(self.tr("{size} memory").format(size=gib(choice.memory_total)))
        if choice.is_refused:
            parts += [render(reason) for reason in choice.reasons[:1]]
        if choice.can_run:
            measured, estimated = self.tr("about {speed} tok/s"), self.tr("about {speed} tok/s (estimate)")
            words = measured if choice.speed.measured else estimated
            parts.append(words.format(speed=speed(choice.speed.decode)))
        self._figures.setText(" · ".join(part for part in parts if part))
        self._figures.set_hint("")
        self._download.set_icon_name("chat" if choice.installed else "download")
        words = self.tr("Chat with {name}") if choice.installed else self.tr("Download {name}")
        self._download.set_name(words.format(name=f"{choice.model_name} {choice.quantization}"))
        self._show_state()

    def set_coming(self, coming: Mapping[tuple[str, str], str]) -> None:
        """Tell which files are on their way, by repository and file, and how far each is ("42 %")."""
        choice = self._choice
        self._coming = "" if choice is None else coming.get((choice.repo, choice.file), "")
        self._show_state()

    def _show_state(self) -> None:
        """What is known of the file besides its verdict, and the button."""
        choice = self._choice
        if choice is None:
            return
        in_catalog = self.tr("in the catalog") if choice.model_id != self.repo.repo else ""
        here = self.tr("on this computer") if choice.installed else ""
        coming = self.tr("Downloading: {share}").format(share=self._coming) if self._coming else ""
        self._known.setText(" · ".join(filter(None, (in_catalog, coming or here))))
        self._show_button(self._download, choice.can_run and not self._coming)

    def _show_button(self, button: QWidget, shown: bool) -> None:
        if not shown:
            pass_focus_on(button, self.take_focus)
        button.setVisible(shown)

    def take_focus(self) -> None:
        """Bring the keyboard to what opens the repository."""
        self._files.setFocus(Qt.FocusReason.OtherFocusReason)


class Message(QWidget):
    """A line in place of rows: what is going on, or went wrong, and what to do."""

    action_chosen = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._text = PlainLabel(wrap=True)
        self._hint = PlainLabel(tone="muted", wrap=True)
        self._action = Button()
        self._action.clicked.connect(self.action_chosen)
        words = QVBoxLayout()
        words.setSpacing(4)
        words.addWidget(self._text)
        words.addWidget(self._hint)
        row = QHBoxLayout(self)
        row.setContentsMargins(REACH, 0, REACH, 8)
        row.setSpacing(12)
        row.addLayout(words, 1)
        row.addWidget(self._action)

    def show_words(self, text: str, hint: str = "", action: str = "") -> None:
        """Show them; an empty text hides everything."""
        self._text.setText(text)
        self._hint.setText(hint)
        self._hint.setVisible(bool(hint))
        self._action.setText(action)
        self._action.setVisible(bool(action))
        self.setVisible(bool(text))

    def text(self) -> str:
        """What is said, with its hint."""
        return " ".join(part for part in (self._text.text(), self._hint.text()) if part)
