"""The window: rail, pages, status line. It assembles, remembers how it was left, and knows nothing else."""

from typing import TYPE_CHECKING

from PySide6.QtCore import QByteArray, QCoreApplication, QSize, Signal
from PySide6.QtGui import QCloseEvent, QKeySequence, QShortcut
from PySide6.QtWidgets import QHBoxLayout, QMainWindow, QStackedWidget, QVBoxLayout, QWidget

from desktop.ui.page_list import PageEntry
from desktop.ui.shell import Controller, NoticeWish, Shell
from desktop.ui.widgets.notice import Notice, NoticeStack
from desktop.ui.widgets.rail import Rail
from desktop.ui.widgets.status_line import StateKind, StatusLine

if TYPE_CHECKING:
    from desktop.services import Services

SMALLEST = QSize(900, 600)
USUAL = QSize(1280, 820)


class MainWindow(QMainWindow):
    """Shows one of `pages` at a time. Views are made when first shown; controllers once `attach` brought services."""

    closed = Signal()

    def __init__(self, *, pages: tuple[PageEntry, ...], shell: Shell) -> None:
        super().__init__()
        self.setWindowTitle("Snug")
        self.setMinimumSize(SMALLEST)
        self.resize(USUAL)
        self._entries = {entry.name: entry for entry in pages}
        self._views: dict[str, QWidget] = {}
        self._controllers: dict[str, Controller] = {}
        self._services: Services | None = None
        self._shell = shell
        self._current = ""
        self.rail = Rail()
        self.status = StatusLine()
        self.notices = NoticeStack()
        self._stack = QStackedWidget()
        self._lay_out()
        for entry in pages:
            self._add_to_rail(entry)
        self._connect(shell)

    @property
    def current_page(self) -> str:
        """The name of the page that is shown."""
        return self._current

    def view(self, name: str) -> QWidget:
        """The view of a page, made on first use."""
        if name not in self._views:
            view = self._entries[name].make_view()
            self._views[name] = view
            self._stack.addWidget(view)
            self._make_controller(name)
        return self._views[name]

    def show_page(self, name: str) -> None:
        """Show the page called `name`; a name that is unknown (a page of another version) shows the first."""
        if name not in self._entries:
            name = next(iter(self._entries))
        self._current = name
        self._stack.setCurrentWidget(self.view(name))
        self._stack.setFocus()  # Tab goes on into the page; a page may choose a better place when it is activated
        self.rail.set_current(name)
        if name in self._controllers:
            self._controllers[name].activate()

    def attach(self, services: "Services") -> None:
        """Bring the pages to life."""
        self._services = services
        for name in self._views:
            self._make_controller(name)
        if self._current in self._controllers:
            self._controllers[self._current].activate()

    async def close_pages(self) -> None:
        """Let every page end its work."""
        for controller in self._controllers.values():
            await controller.close()

    def restore(self, geometry: str) -> None:
        """Return to where the window was; a geometry that cannot be read leaves the usual size."""
        self.restoreGeometry(QByteArray.fromBase64(geometry.encode()))

    def geometry_text(self) -> str:
        """Where the window is, for `restore`."""
        return bytes(self.saveGeometry().toBase64().data()).decode()

    def closeEvent(self, event: QCloseEvent) -> None:
        """Say that the person is done; the program ends when its work has."""
        super().closeEvent(event)
        self.closed.emit()

    def raise_to_front(self) -> None:
        """Come to the front, also when minimized."""
        self.setWindowState(self.windowState() & ~self.windowState().WindowMinimized)
        self.show()
        self.raise_()
        self.activateWindow()

    def _lay_out(self) -> None:
        centre = QWidget()
        column = QVBoxLayout(centre)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        row = QHBoxLayout()
        row.setSpacing(0)
        row.addWidget(self.rail)
        content = QVBoxLayout()
        content.setSpacing(0)
        content.addWidget(self.notices)
        content.addWidget(self._stack, 1)
        row.addLayout(content, 1)
        column.addLayout(row, 1)
        column.addWidget(self.status)
        self.setCentralWidget(centre)

    def _add_to_rail(self, entry: PageEntry) -> None:
        title = QCoreApplication.translate("Pages", entry.title)
        if entry.in_rail:
            self.rail.add_page(entry.name, title, entry.icon, shortcut=entry.shortcut, at_bottom=entry.at_bottom)
        if entry.shortcut:
            QShortcut(QKeySequence(entry.shortcut), self, lambda: self.show_page(entry.name))

    def _make_controller(self, name: str) -> None:
        if self._services is not None and name not in self._controllers:
            make = self._entries[name].make_controller
            self._controllers[name] = make(self._views[name], self._services, self._shell)

    def _connect(self, shell: Shell) -> None:
        self.rail.page_chosen.connect(self.show_page)
        shell.page_wanted.connect(self.show_page)
        shell.model_wanted.connect(self._on_model_wanted)
        shell.notice_wanted.connect(self._on_notice_wanted)
        shell.notice_unwanted.connect(self.notices.remove)
        shell.status_changed.connect(self._on_status_changed)
        shell.device_changed.connect(self.status.set_device)
        shell.figures_changed.connect(self.status.set_figures)
        shell.offline_changed.connect(self.status.set_offline)
        self.status.network_clicked.connect(lambda: self.show_page("settings"))

    def _on_model_wanted(self, _reference: str) -> None:
        self.show_page("chat")

    def _on_notice_wanted(self, wish: NoticeWish) -> None:
        notice = Notice(
            wish.text,
            hint=wish.hint,
            kind=wish.kind,
            action=wish.action,
            on_action=wish.on_action,
            seconds=wish.seconds,
        )
        self.notices.add(notice, key=wish.key)

    def _on_status_changed(self, kind: StateKind, words: str) -> None:
        self.status.set_state(kind, words)
