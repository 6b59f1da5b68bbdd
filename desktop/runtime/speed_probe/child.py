"""The child of the role "speed-probe": reads one SpeedQuestion, says how far it is, and what it measured; then ends.

A throw-away child, because drivers may take down whoever computes on their cards.
"""

from typing import BinaryIO

import msgspec

from desktop.engine.protocol import SpeedQuestion
from desktop.runtime.question_child import Answering, run_question_child
from desktop.runtime.wire import Wire


def run_speed_probe_child() -> int:
    """Answer and end; does not return."""
    return run_question_child(_find)


def _find() -> Answering:
    from desktop.runtime.devices.backends import Ggml
    from desktop.runtime.engine_log import EngineLog
    from desktop.runtime.speed_probe.answer import answer_speed

    def answer(questions: BinaryIO, wire: Wire) -> None:
        question = msgspec.json.decode(questions.readline(), type=SpeedQuestion)
        wire.send(answer_speed(Ggml(), question, wire.send))

    return Answering(EngineLog(), answer)
