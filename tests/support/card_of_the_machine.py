"""Dry runs of a machine that has a card: the real engine, which imagines it."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from desktop.engine.protocol import EngineDevice, FitAnswer, ImaginedDevice, LoadPlan
from desktop.fit.dry_run.answers import Answers
from desktop.fit.dry_run.dry_runs import DryRuns
from desktop.hardware.types import HardwareProfile


class DryRunsWithCard(DryRuns):
    """asked: how many questions the engine was asked."""

    def __init__(self, card: EngineDevice, answers: Path) -> None:
        super().__init__(Answers(answers))
        self._card = ImaginedDevice(name=card.name, memory_total=card.memory_total, memory_free=card.memory_free)
        self.asked = 0

    async def _new_answer(self, plan: LoadPlan, imagined: Sequence[ImaginedDevice]) -> FitAnswer:
        assert not imagined
        self.asked += 1
        return await super()._new_answer(plan, (self._card,))


def with_driver(profile: HardwareProfile, driver: str) -> HardwareProfile:
    """The machine with its cards under another version of their driver."""
    gpus = tuple(msgspec.structs.replace(gpu, driver=driver) for gpu in profile.gpus)
    return msgspec.structs.replace(profile, gpus=gpus)
