"""The hardware children work under the window's event loop, which has no child watching of its own on every system."""

import asyncio
import os
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import qasync
from PySide6.QtWidgets import QApplication

from desktop.hardware.probe import probe_hardware
from desktop.hardware.sampler import HardwareSampler
from desktop.hardware.types import HardwareProfile, HardwareSample


def run_under_qt(application: QApplication, work: Coroutine[Any, Any, Any]) -> Any:
    with qasync.QEventLoop(application, already_running=False) as loop:
        try:
            return loop.run_until_complete(asyncio.wait_for(work, 100))
        finally:
            asyncio.set_event_loop(None)


def test_the_window_learns_what_the_machine_has(qapp: QApplication, tmp_path: Path) -> None:
    profile: HardwareProfile = run_under_qt(qapp, probe_hardware(models_folder=tmp_path, timeout=60))
    assert profile.problems == ()
    assert profile.ram.total > 0


def test_the_gauge_gets_samples(qapp: QApplication) -> None:
    async def read() -> list[HardwareSample]:
        async with HardwareSampler(interval=0.1, own_pids=lambda: (os.getpid(),)) as sampler:
            return [await anext(sampler) for _ in range(3)]

    samples: list[HardwareSample] = run_under_qt(qapp, read())
    assert [sample.ram_total > 0 for sample in samples] == [True] * 3
