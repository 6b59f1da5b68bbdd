"""Starts the window: first paint first, everything else after it."""

import os
import sys
from collections.abc import Sequence

from PySide6.QtWidgets import QApplication

from desktop.paths import Paths, user_paths
from desktop.settings import LANGUAGE, THEME, WELCOME_DONE, WINDOW_STATE
from desktop.settings_store import SettingsStore
from desktop.ui.garbage import MainThreadCollector
from desktop.ui.language import install_language
from desktop.ui.main_window import MainWindow
from desktop.ui.page_list import PAGES
from desktop.ui.profile_lock import ProfileLock
from desktop.ui.shell import Shell
from desktop.ui.theme import ThemeSwitch, prepare_style

NO_DISPLAY = 1


def run_window(arguments: Sequence[str]) -> int:
    """Open the window and return when it is closed; the exit code is 1 when there is no display."""
    problem = missing_display()
    if problem:
        print(problem, file=sys.stderr)  # noqa: T201 - there is no window to say it in
        return NO_DISPLAY
    application = make_application(arguments)
    MainThreadCollector(application).take_over()
    paths = user_paths()
    lock = ProfileLock(paths.instance_lock)
    if not lock.acquire():
        return _raise_other_window(paths)
    try:
        settings = SettingsStore.open(paths.settings_file)
        window, shell = open_window(application, settings)
        return _live(application, window, shell, paths, settings)
    finally:
        lock.release()


def missing_display() -> str:
    """Why no window can be opened, in words; "" when one can. Qt itself would abort without a word for the person."""
    if sys.platform in ("win32", "darwin") or os.environ.get("QT_QPA_PLATFORM"):
        return ""
    if os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
        return ""
    return (
        "There is no display to open a window on (neither DISPLAY nor WAYLAND_DISPLAY is set).\n"
        'Start Snug from a desktop session, or use the command line: "snug --help".'
    )


def make_application(arguments: Sequence[str]) -> QApplication:
    """Build the QApplication with its names and its style."""
    application = QApplication(["snug", *arguments])
    application.setApplicationName("snug")
    application.setApplicationDisplayName("Snug")
    application.setDesktopFileName("snug")
    application.setQuitOnLastWindowClosed(False)  # a dialog that closes must not end the loop; the session decides
    prepare_style(application)
    return application


def open_window(application: QApplication, settings: SettingsStore) -> tuple[MainWindow, Shell]:
    """Show the window as it was left, and have it painted: first its frame, then its page."""
    install_language(application, settings.get(LANGUAGE))
    theme = ThemeSwitch(application, settings.get(THEME))  # type: ignore[arg-type]
    shell = Shell(application)
    shell.theme_wanted.connect(theme.choose)
    window = MainWindow(pages=PAGES, shell=shell)
    state = settings.get(WINDOW_STATE)
    if state.geometry:
        window.restore(state.geometry)
    window.show()
    application.processEvents()  # the frame and the rail are there at once; the page follows
    window.show_page(state.last_page if settings.get(WELCOME_DONE) else "welcome")
    application.processEvents()
    return window, shell


def _raise_other_window(paths: Paths) -> int:
    from desktop.ui.single_instance import raise_first_window

    if raise_first_window(paths.instance_lock):
        return 0
    print(  # noqa: T201 - this start has no window to say it in
        "Snug is already running for this profile, but it does not answer. End it, then start again.", file=sys.stderr
    )
    return 1


def _live(application: QApplication, window: MainWindow, shell: Shell, paths: Paths, settings: SettingsStore) -> int:
    """Everything that may wait until the window is painted is imported from here on."""
    from desktop.ui.session import WindowSession

    return WindowSession(application=application, window=window, shell=shell, paths=paths, settings=settings).run()
