"""What several pages say when looking at the machine went wrong: one banner each, with a way to try again."""

from collections.abc import Callable

from PySide6.QtCore import QCoreApplication

from desktop.errors import AppError
from desktop.ui.bridge import explain
from desktop.ui.shell import NoticeWish, Shell

_ENGINE = "engine failure"
_LOOK = "look failure"


def tell_engine_failure(shell: Shell, failure: AppError | None, again: Callable[[], None]) -> None:
    """Say why the engine did not start, or take the banner away because it did."""
    if failure is None:
        shell.notice_unwanted.emit(_ENGINE)
        shell.notice_unwanted.emit(_LOOK)
    else:
        _tell(shell, failure, again, key=_ENGINE)


def tell_look_failure(shell: Shell, failure: AppError, again: Callable[[], None]) -> None:
    """Say why the machine could not be looked at."""
    _tell(shell, failure, again, key=_LOOK)


def _tell(shell: Shell, failure: AppError, again: Callable[[], None], *, key: str) -> None:
    words = explain(failure)
    action = QCoreApplication.translate("Looking", "Try again")
    shell.notify(NoticeWish(text=words.message, hint=words.hint, kind="bad", action=action, on_action=again, key=key))
