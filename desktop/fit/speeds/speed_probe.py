"""Measures this machine: starts the child of the role "speed-probe" and hears what it found."""

from collections.abc import Callable, Sequence

import msgspec

from desktop.engine.exits import decode_exit
from desktop.engine.failure import explain_failure
from desktop.engine.protocol import EngineFailure, FailureKind, SpeedAnswer, SpeedQuestion
from desktop.hardware.pipe import LineChild

TIMEOUT = 60.0
"""Seconds between two words of the child; one measurement takes some hundredths."""


async def measure_speeds(
    *,
    devices: Sequence[str] = (),
    threads: int = 0,
    types: Sequence[str] = (),
    rpc_endpoints: Sequence[str] = (),
    on_progress: Callable[[float], None] | None = None,
) -> SpeedAnswer:
    """Measure these devices (none: all), which takes some seconds each; `on_progress` gets 0 to 1.

    What the arguments mean is told at SpeedQuestion. Cancelling ends the child. Raises the errors of engine.failure.
    """
    question = SpeedQuestion(
        devices=tuple(devices), n_threads=threads, types=tuple(types), rpc_endpoints=tuple(rpc_endpoints)
    )
    try:
        child = LineChild("speed-probe")
    except OSError as error:
        raise explain_failure(EngineFailure(kind=FailureKind.ENGINE_MISSING, detail=str(error))) from error
    try:
        child.write_line(msgspec.json.encode(question))
        return await _hear(child, on_progress or (lambda _fraction: None))
    except TimeoutError:
        failure = EngineFailure(kind=FailureKind.UNRESPONSIVE, detail=f"no word within {TIMEOUT:g} s")
        raise explain_failure(failure) from None
    finally:
        await child.close()


async def _hear(child: LineChild, on_progress: Callable[[float], None]) -> SpeedAnswer:
    while (line := await child.read_line(TIMEOUT)) is not None:
        answer = msgspec.json.decode(line, type=SpeedAnswer)
        if answer.failure is not None:
            raise explain_failure(answer.failure)
        on_progress(answer.fraction)
        if answer.devices:
            return answer
    raise explain_failure(decode_exit(child.exit_code or 0, child.last_words().splitlines()))
