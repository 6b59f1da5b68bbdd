"""How far a long work is, on a terminal: one line of stderr that is written anew. To a file or a pipe nothing goes."""

import sys
from types import TracebackType
from typing import Self

from desktop.cli.output import is_terminal, write_stderr
from desktop.sizes import gb


class ByteProgress:
    """A line such as "Copying: 42 % of 4.7 GB"; it goes when the work has ended."""

    def __init__(self, doing: str) -> None:
        self._doing = doing
        self._shown = False

    def __enter__(self) -> Self:
        return self

    def __call__(self, done: int, total: int) -> None:
        """Show it; bytes."""
        if is_terminal(sys.stderr):
            share = 100 * done // max(total, 1)
            write_stderr(f"\r{self._doing}: {share} % of {gb(total)}\x1b[K")
            self._shown = True

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._shown:
            write_stderr("\r\x1b[K")
