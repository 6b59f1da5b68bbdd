"""The child of the role "dry-run": reads a FitQuestion per line, writes a FitAnswer per line, ends with its stdin.

It holds no weights, so that it is small, and may be taken down by what it is asked: the owner starts another one.
"""

import logging
import os
import sys

import msgspec

from desktop.engine.protocol import EXIT_ENGINE_MISSING, FitQuestion
from desktop.runtime.wire import Wire

log = logging.getLogger(__name__)


def run_dry_run_child() -> int:
    """Answer until nobody asks any more; does not return, because exit handlers of drivers may hang."""
    os.environ["GGML_NO_BACKTRACE"] = "1"  # see runtime/child.py
    code = _serve(Wire())
    sys.stderr.flush()
    os._exit(code)


def _serve(wire: Wire) -> int:
    try:
        import llama_cpp.llama_cpp as llama

        from desktop.runtime.devices.backends import Ggml
        from desktop.runtime.dry_run.answer import DryRuns
        from desktop.runtime.dry_run.quiet_log import QuietLog
    except (ImportError, OSError, RuntimeError, AttributeError):
        log.exception("the engine's libraries cannot be loaded")
        return EXIT_ENGINE_MISSING
    engine_log = QuietLog()
    engine_log.install()
    llama.llama_backend_init()
    runs, decoder = DryRuns(Ggml(), engine_log), msgspec.json.Decoder(FitQuestion)
    with open(0, "rb", closefd=False) as questions:
        for line in questions:
            wire.send(runs.answer(decoder.decode(line)))
    return 0
