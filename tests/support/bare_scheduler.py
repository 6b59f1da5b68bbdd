"""A model with its scheduler in this process, without pipe and owner. Loads libllama: for children of tests only."""

from pathlib import Path
from typing import Any

import llama_cpp.llama_cpp as llama

from desktop.engine.protocol import CacheLimits, EngineMessage
from desktop.runtime.batching.outbox import Outbox
from desktop.runtime.batching.scheduler import Scheduler
from desktop.runtime.batching.turns import Turns
from desktop.runtime.cache.tiers import Tiers
from desktop.runtime.devices.backends import Ggml
from desktop.runtime.engine_log import EngineLog
from desktop.runtime.loading.model import Model
from tests.support.engine_talk import exact_plan


class BareScheduler:
    """turns: with a clock that a test turns; plan: beside the file. events: what was said and not looked at yet."""

    def __init__(self, path: Path, *, cache: CacheLimits, turns: Turns, **plan: Any) -> None:
        log = EngineLog()
        log.install()
        llama.llama_backend_init()
        self.model = Model(
            exact_plan(path, cache=cache, **plan), ggml=Ggml(), log=log, on_progress=lambda _fraction: True
        )
        self.cancelled: set[str] = set()
        self.events: list[EngineMessage] = []
        self.scheduler = Scheduler(
            self.model,
            tiers=Tiers(cache, model_key="x", engine="1"),
            log=log,
            outbox=Outbox(self.events.extend),
            cancelled=self.cancelled,
            turns=turns,
        )

    def hear(self) -> list[EngineMessage]:
        """What was said since the last time."""
        events, self.events[:] = list(self.events), []
        return events

    def forget(self) -> None:
        """Leave nothing in the cache that a prompt could begin with."""
        pool = self.scheduler._pool
        for sequence in pool.idle:
            pool.give_up(sequence)
