"""Fails a test in which anything logs an unexpected warning or error (qutebrowser's rule)."""

import logging
import re
from collections.abc import Iterator

import pytest

from desktop.log import LogFile


class LoudLog(logging.Handler):
    """Collects the warnings and errors of one test; `allow` names the lines that belong to it."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._records: list[logging.LogRecord] = []
        self._allowed: list[re.Pattern[str]] = []

    def allow(self, pattern: str) -> None:
        """Expect lines that contain `pattern` (a regular expression)."""
        self._allowed.append(re.compile(pattern))

    def emit(self, record: logging.LogRecord) -> None:
        """Keep `record` until the end of the test."""
        self._records.append(record)

    def unexpected(self) -> list[str]:
        """The lines that nobody allowed, oldest first."""
        lines = [self.format(record) for record in self._records]
        return [line for line in lines if not any(pattern.search(line) for pattern in self._allowed)]


@pytest.fixture(autouse=True)
def loud_log(request: pytest.FixtureRequest) -> Iterator[LoudLog]:
    """The test's log; `@pytest.mark.allow_log("pattern")` or `loud_log.allow("pattern")` expects a line."""
    handler = LoudLog()
    handler.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
    for marker in request.node.iter_markers("allow_log"):
        handler.allow(marker.args[0])
    root = logging.getLogger()
    root.addHandler(handler)
    yield handler
    root.removeHandler(handler)
    if lines := handler.unexpected():
        pytest.fail("Unexpected log lines:\n" + "\n".join(lines), pytrace=False)


@pytest.fixture(autouse=True)
def log_as_before() -> Iterator[None]:
    """Undo `configure_logging`: a file of the log that stays would take the lines of the next test."""
    root = logging.getLogger()
    names = ("", "desktop", "httpx2", "httpcore2", "asyncio", "markdown_it")
    levels = {name: logging.getLogger(name).level for name in names}
    yield
    for handler in [handler for handler in root.handlers if isinstance(handler, LogFile)]:
        root.removeHandler(handler)
        handler.close()
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)
