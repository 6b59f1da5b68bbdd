"""An error nobody caught: it goes to the log whole, and to the person in words; the window stays."""

import logging
import sys
import traceback
from collections.abc import Callable
from types import TracebackType

log = logging.getLogger(__name__)


def install_crash_hook(tell: Callable[[BaseException], None]) -> Callable[[], None]:
    """Send what reaches the top of a slot or a thread to the log and to `tell`; returns the way to undo it."""
    before = sys.excepthook

    def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if issubclass(kind, KeyboardInterrupt):
            before(kind, error, trace)
            return
        log.critical("unhandled: %s", "".join(traceback.format_exception(kind, error, trace)))
        tell(error)

    sys.excepthook = hook

    def undo() -> None:
        sys.excepthook = before

    return undo
