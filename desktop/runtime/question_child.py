"""The frame of a child that holds no model and answers questions: dry runs, the speed probe."""

import logging
import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from desktop.engine.protocol import EXIT_ENGINE_MISSING
from desktop.runtime.bindings import leave_out_the_rest
from desktop.runtime.wire import Wire

if TYPE_CHECKING:
    from desktop.runtime.engine_log import EngineLog  # it needs the engine's libraries

log = logging.getLogger(__name__)


class Answering(NamedTuple):
    """engine_log: takes over the engine's. answer: reads questions, a line each, and sends what it found."""

    engine_log: "EngineLog"
    answer: Callable[[BinaryIO, Wire], None]


def run_question_child(find: Callable[[], Answering]) -> int:
    """Answer over stdin and stdout; does not return, because exit handlers of drivers may hang.

    find: imports what needs the engine's libraries, and returns who answers.
    """
    os.environ["GGML_NO_BACKTRACE"] = "1"  # see runtime/child.py
    code = _serve(Wire(), find)
    sys.stderr.flush()
    os._exit(code)


def _serve(wire: Wire, find: Callable[[], Answering]) -> int:
    try:
        leave_out_the_rest()
        import llama_cpp.llama_cpp as llama

        engine_log, answer = find()
    except (ImportError, OSError, RuntimeError, AttributeError):
        log.exception("the engine's libraries cannot be loaded")
        return EXIT_ENGINE_MISSING
    engine_log.install()
    llama.llama_backend_init()
    with open(0, "rb", closefd=False) as questions:
        answer(questions, wire)
    return 0
