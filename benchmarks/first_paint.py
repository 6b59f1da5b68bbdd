"""A window that says on stderr when it was first painted: `python -m benchmarks.first_paint empty|snug`.

The child of benchmarks.startup. Snug's window is opened by the same function that `snug` calls; only a listener for
the first paint event is added.
"""

import sys
import time
from typing import Any

from PySide6.QtCore import QEvent, QObject
from PySide6.QtWidgets import QApplication, QWidget


class FirstPaint(QObject):
    """Reports the first paint of a top window."""

    def __init__(self, application: QApplication) -> None:
        super().__init__(application)
        application.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 - Qt calls it
        """Print once, then listen no more."""
        if event.type() == QEvent.Type.Paint and isinstance(watched, QWidget) and watched.isWindow():
            print("first-paint", time.time(), file=sys.stderr, flush=True)
            QApplication.instance().removeEventFilter(self)  # type: ignore[union-attr]
        return False


def run_empty() -> int:
    """Open a bare window of the same size."""
    application = QApplication(sys.argv)
    FirstPaint(application)
    window = QWidget()
    window.resize(1280, 820)
    window.show()
    return application.exec()


def run_snug() -> int:
    """Open Snug as `snug` does."""
    from desktop.ui import app

    make = app.make_application

    def make_and_listen(arguments: Any) -> QApplication:
        application = make(arguments)
        FirstPaint(application)
        return application

    app.make_application = make_and_listen
    return app.run_window([])


if __name__ == "__main__":
    sys.exit(run_snug() if sys.argv[1] == "snug" else run_empty())
