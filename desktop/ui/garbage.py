"""Lets Qt objects die in the main thread only.

Python's cyclic collector runs in whatever thread happens to allocate. In a worker's thread it would destroy timers,
notifiers and widgets there: Qt warns that they belong to another thread, and the program crashes at the next event.
"""

import gc

from PySide6.QtCore import QObject, QTimer

INTERVAL = 500
"""Milliseconds between two looks; a look costs microseconds when there is little to collect."""


class MainThreadCollector(QTimer):
    """Takes Python's cyclic collector over for as long as it runs, with the same thresholds, in this thread."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.setInterval(INTERVAL)
        self.timeout.connect(self._on_timeout)

    def take_over(self) -> None:
        """Switch the automatic collector off and collect here from now on."""
        gc.disable()
        self.start()

    def give_back(self) -> None:
        """Collect a last time and switch the automatic collector on again."""
        self.stop()
        gc.collect()
        gc.enable()

    def _on_timeout(self) -> None:
        """Collect the oldest generation whose threshold is passed, as the automatic collector would."""
        for generation in (2, 1, 0):
            if gc.get_count()[generation] > gc.get_threshold()[generation]:
                gc.collect(generation)
                return
