"""The engine child: what `--role engine` runs. Ends when its stdin ends, so that no orphan outlives the owner."""

import logging
import os
import sys

from desktop.engine.protocol import EXIT_ENGINE_MISSING
from desktop.runtime.bindings import leave_out_the_rest
from desktop.runtime.wire import Inbox, Wire

log = logging.getLogger(__name__)


def run_engine_child() -> int:
    """Serve the owner over stdin and stdout; does not return, because exit handlers of drivers may hang."""
    # Otherwise ggml starts a debugger when it aborts: seconds more, and a hundred lines that bury its last words.
    os.environ["GGML_NO_BACKTRACE"] = "1"
    wire = Wire()
    inbox = Inbox(wire)
    inbox.start()
    code = _serve(wire, inbox)
    sys.stderr.flush()
    os._exit(code)


def _serve(wire: Wire, inbox: Inbox) -> int:
    try:
        leave_out_the_rest()
        # Here and not above: the heartbeat answers while libraries load, and a missing one is told in words.
        from desktop.runtime.engine import Engine
    except (ImportError, OSError, RuntimeError, AttributeError):
        log.exception("the engine's libraries cannot be loaded")
        return EXIT_ENGINE_MISSING
    try:
        return Engine(wire, inbox).run()
    except Exception:
        log.exception("the engine child ends")  # to stderr, where the owner reads it
        return 1
