"""The child of the role "speed-probe": reads one SpeedQuestion, says how far it is, and what it measured; then ends.

A throw-away child, because drivers may take down whoever computes on their cards.
"""

import logging
import os
import sys

import msgspec

from desktop.engine.protocol import EXIT_ENGINE_MISSING, SpeedQuestion
from desktop.runtime.wire import Wire

log = logging.getLogger(__name__)


def run_speed_probe_child() -> int:
    """Answer and end; does not return, because exit handlers of drivers may hang."""
    os.environ["GGML_NO_BACKTRACE"] = "1"  # see runtime/child.py
    code = _serve(Wire())
    sys.stderr.flush()
    os._exit(code)


def _serve(wire: Wire) -> int:
    try:
        import llama_cpp.llama_cpp as llama

        from desktop.runtime.devices.backends import Ggml
        from desktop.runtime.engine_log import EngineLog
        from desktop.runtime.speed_probe.answer import answer_speed
    except (ImportError, OSError, RuntimeError, AttributeError):
        log.exception("the engine's libraries cannot be loaded")
        return EXIT_ENGINE_MISSING
    engine_log = EngineLog()  # native code calls it, so that it has to stay
    engine_log.install()
    llama.llama_backend_init()
    with open(0, "rb", closefd=False) as questions:
        question = msgspec.json.decode(questions.readline(), type=SpeedQuestion)
    wire.send(answer_speed(Ggml(), question, wire.send))
    return 0
