"""The fake engine as the window sees it: with a state to look at, and no child behind it."""

from collections.abc import Callable, Sequence

from desktop.engine.protocol import EngineDevice, EngineInfo, LoadedModel, LoadPlan
from desktop.engine.state import EnginePhase, EngineState
from tests.support.fake_engine import FakeEngine, Finish, Step


class FakeWindowEngine(FakeEngine):
    """Stands where EngineClient stands in Services; its model is loaded from the first moment."""

    def __init__(self, *replies: Sequence[Step | Finish], model: str = "Fake 1B") -> None:
        super().__init__(*replies, model=model)
        self.state = EngineState(phase=EnginePhase.READY, loaded=self.loaded)
        self.info: EngineInfo | None = None
        self.plan: LoadPlan | None = None
        self.pid: int | None = None
        self.busy = False
        self.comes_back = False
        self._listeners: list[Callable[[EngineState], None]] = []

    def subscribe(self, callback: Callable[[EngineState], None]) -> Callable[[], None]:
        self._listeners.append(callback)
        return lambda: self._listeners.remove(callback)

    def become(self, state: EngineState, *, loaded: LoadedModel | None = None) -> None:
        """Change the state as the supervisor would."""
        self.state, self.loaded = state, loaded
        for listener in tuple(self._listeners):
            listener(state)

    async def devices(self) -> tuple[EngineDevice, ...]:
        """Those of `info`, as free as they were."""
        return self.info.devices if self.info is not None else ()

    async def stop(self) -> None:
        """Nothing runs."""
