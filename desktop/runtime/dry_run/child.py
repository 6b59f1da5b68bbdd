"""The child of the role "dry-run": reads a FitQuestion per line, writes a FitAnswer per line, ends with its stdin.

It holds no weights, so that it is small, and may be taken down by what it is asked: the owner starts another one.
"""

from typing import BinaryIO

import msgspec

from desktop.engine.protocol import FitQuestion
from desktop.runtime.question_child import Answering, run_question_child
from desktop.runtime.wire import Wire


def run_dry_run_child() -> int:
    """Answer until nobody asks any more; does not return."""
    return run_question_child(_find)


def _find() -> Answering:
    from desktop.runtime.devices.backends import Ggml
    from desktop.runtime.dry_run.answer import DryRunner
    from desktop.runtime.dry_run.quiet_log import QuietLog

    engine_log = QuietLog()

    def answer(questions: BinaryIO, wire: Wire) -> None:
        runs, decoder = DryRunner(Ggml(), engine_log), msgspec.json.Decoder(FitQuestion)
        for line in questions:
            wire.send(runs.answer(decoder.decode(line)))

    return Answering(engine_log, answer)
