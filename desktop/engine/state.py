"""What the engine is doing, as plain data."""

from enum import StrEnum

import msgspec

from desktop.engine.protocol import EngineFailure, LoadedModel, LoadPlan


class EnginePhase(StrEnum):
    """Where the child is in its life."""

    STOPPED = "stopped"
    STARTING = "starting"
    LOADING = "loading"
    READY = "ready"
    STOPPING = "stopping"
    CRASHED = "crashed"


class EngineState(msgspec.Struct, frozen=True, kw_only=True):
    """A moment of the engine's life.

    failure: why it crashed, or why the last load failed. restart_in: seconds until the next start, None when there
    is none. breaker_open: too many crashes in a row; only a person's next load or start tries again. offer: the plan
    for the same model that led to a reply the last time, where it is another than the one that crashed.
    progress: of the load, 0 to 1.
    """

    phase: EnginePhase
    failure: EngineFailure | None = None
    loaded: LoadedModel | None = None
    restart_in: float | None = None
    breaker_open: bool = False
    offer: LoadPlan | None = None
    progress: float = 0.0
