"""What only the doctor asks about, beside the HardwareProfile. Every question has a time-out of its own."""

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

import msgspec

from desktop.doctor.disk_speed import DiskSpeed, measure_disk
from desktop.doctor.engine_build import EngineBuild, read_engine_build
from desktop.doctor.kernel_log import KernelLog, read_kernel_log
from desktop.doctor.load import links_under_load
from desktop.errors import QT_TRANSLATE_NOOP, Phrase
from desktop.hardware.types import HardwareProfile, PcieLink
from desktop.threads import in_daemon_thread

log = logging.getLogger(__name__)

TIMEOUT = 4.0
"""Seconds: a disk or a log that takes longer is reported as such, and the other checks stand."""

_SLOW = QT_TRANSLATE_NOOP("core", "not known: it took longer than {seconds:.0f} s")
_FAILED = QT_TRANSLATE_NOOP("core", "not known: {reason}")

Answer = TypeVar("Answer")


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """Answers of this very moment; each says by itself what could not be known.

    links_under_load: by PCI address, of the cards that were found at work.
    """

    kernel_log: KernelLog = KernelLog()
    engine_build: EngineBuild = EngineBuild()
    disk_speed: DiskSpeed = DiskSpeed(folder="")
    links_under_load: dict[str, PcieLink] = {}


async def find_facts(profile: HardwareProfile, *, models_folder: Path, timeout: float = TIMEOUT) -> Facts:
    """Ask all of it at the same time; takes a second or two, and a little more than `timeout` seconds at most."""
    kernel_log, build, speed, links = await asyncio.gather(
        _ask(read_kernel_log, lambda why: KernelLog(unknown=why), "kernel log", timeout),
        _ask(read_engine_build, lambda _: EngineBuild(), "engine's files", timeout),
        _ask(
            partial(measure_disk, models_folder),
            lambda why: DiskSpeed(folder=str(models_folder), unknown=why),
            "disk speed",
            timeout,
        ),
        links_under_load(profile, models_folder),
    )
    return Facts(kernel_log=kernel_log, engine_build=build, disk_speed=speed, links_under_load=links)


async def _ask(
    question: Callable[[], Answer], unknown: Callable[[Phrase], Answer], name: str, timeout: float
) -> Answer:
    try:
        return await in_daemon_thread(question, name=f"doctor: {name}", timeout=timeout)
    except TimeoutError:
        log.info("The doctor's question about the %s took longer than %.0f s.", name, timeout)
        return unknown(Phrase.of(_SLOW, seconds=timeout))
    except OSError as error:
        log.info("The doctor's question about the %s failed: %s", name, error)
        return unknown(Phrase.of(_FAILED, reason=error.strerror or str(error)))
