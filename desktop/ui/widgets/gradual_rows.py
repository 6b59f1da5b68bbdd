"""Rows of a list, made a few at a time, so that a long list never makes the window stand."""

from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Generic, TypeVar

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from desktop.ui.bridge import Coalescer
from desktop.ui.widgets.focus import pass_focus_on

AT_ONCE = 8
"""Rows that are made before the window may do something else; making one takes some milliseconds."""

K = TypeVar("K", bound=Hashable)
W = TypeVar("W", bound=QWidget)


class _Signals(QObject):
    added = Signal()


class GradualRows(Generic[K, W]):
    """The first widgets of `layout`, one for each key in order; what is shown again keeps its widget.

    `shown` are those in their place; `added` is told after each few. leave_row is called before a row goes that the
    keyboard is in, to focus something else.
    """

    def __init__(
        self, layout: QVBoxLayout, make: Callable[[K], W], parent: QObject, *, leave_row: Callable[[], None]
    ) -> None:
        self._layout = layout
        self._make = make
        self._leave_row = leave_row
        self._signals = _Signals(parent)
        self.added = self._signals.added
        self._shown: dict[K, W] = {}
        self._kept: dict[K, W] = {}
        """Of before, not in their place yet."""
        self._to_come: Iterator[K] = iter(())
        self._next = Coalescer(self._add_some, parent)

    @property
    def shown(self) -> list[W]:
        """The rows that are in their place."""
        return list(self._shown.values())

    @property
    def all(self) -> list[W]:
        """Those, and the ones of before that will find theirs."""
        return [*self._shown.values(), *self._kept.values()]

    def show(self, keys: Sequence[K]) -> None:
        """Show a row for each of `keys`, the others no more."""
        wanted, before = set(keys), {**self._shown, **self._kept}
        self._kept = {key: row for key, row in before.items() if key in wanted}
        for key, row in before.items():
            if key not in wanted:
                pass_focus_on(row, self._leave_row)
                row.hide()
                row.deleteLater()
        self._shown, self._to_come = {}, iter(keys)
        self._add_some()

    def _add_some(self) -> None:
        made = 0
        for key in self._to_come:
            row = self._kept.pop(key, None)
            if row is None:
                row = self._make(key)
                made += 1
            if self._layout.indexOf(row) != len(self._shown):
                self._layout.insertWidget(len(self._shown), row)
            self._shown[key] = row
            if made == AT_ONCE:
                self._next.request()
                break
        self.added.emit()
