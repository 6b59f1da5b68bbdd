"""Between Qt and the core: calls that are coalesced, and words of the core. Nothing here loads asyncio."""

import unicodedata
from collections.abc import Callable, Iterable

from PySide6.QtCore import QCoreApplication, QObject, QTimer

from desktop.errors import AppError, Explanation, Phrase

FRAME = 25
"""Milliseconds between two updates of what streams (40 Hz)."""

_WITH_ROOM = "。！？；」』）"
"""What ends a Chinese sentence: these characters are half empty, so that no space follows them."""


def translate_core(text: str) -> str:
    """Translate a template of the rooms below ui (the context "core")."""
    return QCoreApplication.translate("core", text)


def render(phrase: Phrase) -> str:
    """A phrase in the person's language."""
    return phrase.render(translate_core)


def explain(error: BaseException) -> Explanation:
    """What happened and what to do, in the person's language; also for an error nobody expected."""
    if isinstance(error, AppError):
        return error.explain(translate_core)
    return AppError(reason=f"{type(error).__name__}: {error}").explain(translate_core)


def sentences(parts: Iterable[str]) -> str:
    """Sentences as one text: a space between two of them where their language has one; empty ones fall out.

    One that ends in what somebody else said ("timed out") may lack its full stop, and gets it where another follows.
    """
    text = ""
    for part in filter(None, parts):
        if text and text[-1].isalnum():
            text += "。" if unicodedata.east_asian_width(text[-1]) == "W" else "."
        text += part if not text or text[-1] in _WITH_ROOM else f" {part}"
    return text


class Coalescer(QObject):
    """Calls `action` at most once per frame, however often `request` is called."""

    def __init__(self, action: Callable[[], None], parent: QObject, *, milliseconds: int = FRAME) -> None:
        super().__init__(parent)
        self._action = action
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(milliseconds)
        self._timer.timeout.connect(self._on_timeout)

    def request(self) -> None:
        """Ask for a call within one frame."""
        if not self._timer.isActive():
            self._timer.start()

    def flush(self) -> None:
        """Call at once if a call is due."""
        if self._timer.isActive():
            self._timer.stop()
            self._action()

    def _on_timeout(self) -> None:
        self._action()
