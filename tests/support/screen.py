"""What a person reads on the screen, and clicks there."""

from PySide6.QtWidgets import QApplication, QWidget

from desktop.ui.widgets.buttons import Button, IconButton
from desktop.ui.widgets.labels import PlainLabel


def settle() -> None:
    """Let happen what is due, and what follows from that."""
    for _ in range(3):
        QApplication.processEvents()


def words(view: QWidget) -> str:
    """Every word of `view` that is on the screen: of its labels, then of its buttons."""
    settle()
    labels = [each.text() for each in view.findChildren(PlainLabel) if each.isVisible()]
    return "\n".join(labels + [each.text() for each in view.findChildren(Button) if each.isVisible()])


def press(view: QWidget, name: str) -> None:
    """Click what a screen reader, or a reader, calls `name`."""
    buttons = [*view.findChildren(Button), *view.findChildren(IconButton)]
    next(each for each in buttons if each.isVisible() and name in (each.text(), each.accessibleName())).click()
