"""What this machine has, asked from a throw-away child with a time-out. Never fails: what is missing is a problem."""

import logging
import time
from functools import partial
from pathlib import Path

import msgspec

from desktop.errors import QT_TRANSLATE_NOOP, Phrase
from desktop.hardware.pipe import LineChild
from desktop.hardware.read import read_basics
from desktop.hardware.types import HardwareProfile, SourceProblem
from desktop.threads import in_daemon_thread

log = logging.getLogger(__name__)

_WAY_BACK = 0.3
"""Seconds between the child's own deadline and ours, so that a slow source costs only itself."""

_BASICS_TIMEOUT = 1.0


async def probe_hardware(*, models_folder: Path, timeout: float = 5.0) -> HardwareProfile:
    """Return what this machine has within about `timeout` seconds; `models_folder` is where the disk is measured.

    When the child dies or hangs, the profile holds what is safe to read here (processor, memory, disk) and a problem.
    Works under every asyncio event loop.
    """
    try:
        child = LineChild("hardware", str(models_folder), str(time.time() + timeout - _WAY_BACK))
    except OSError as error:
        return await _basics(models_folder, _child_failed(str(error)))
    try:
        line = await child.read_line(timeout)
        if line is None:
            return await _basics(models_folder, _child_died(child))
        return msgspec.json.decode(line, type=HardwareProfile)
    except TimeoutError:
        return await _basics(models_folder, _child_slow(timeout))
    except msgspec.DecodeError as error:
        return await _basics(models_folder, _child_failed(str(error)))
    finally:
        await child.close()


async def _basics(models_folder: Path, problem: SourceProblem) -> HardwareProfile:
    # Its sources have time-outs of their own, so it always ends.
    read = partial(read_basics, models_folder=models_folder, timeout=_BASICS_TIMEOUT)
    profile = await in_daemon_thread(read, name="basic facts")
    return msgspec.structs.replace(profile, problems=(problem, *profile.problems))


def _child_died(child: LineChild) -> SourceProblem:
    log.warning("The hardware probe ended with exit code %s:\n%s", child.exit_code, child.last_words())
    what = QT_TRANSLATE_NOOP("core", "The look at the hardware ended unexpectedly (exit code {code}).")
    return SourceProblem(source="probe", what=Phrase.of(what, code=child.exit_code or 0))


def _child_slow(timeout: float) -> SourceProblem:
    what = QT_TRANSLATE_NOOP("core", "The look at the hardware did not end within {seconds:.0f} s.")
    return SourceProblem(source="probe", what=Phrase.of(what, seconds=timeout))


def _child_failed(reason: str) -> SourceProblem:
    what = QT_TRANSLATE_NOOP("core", "The look at the hardware failed: {reason}")
    return SourceProblem(source="probe", what=Phrase.of(what, reason=reason))
