"""Several models in memory at once, one engine each, within a budget; what was not used for longest makes room."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import NamedTuple

from desktop.engine.client import EngineClient
from desktop.engine.failure import EngineError
from desktop.engine.protocol import DeviceMemory, LoadedModel, LoadPlan, Priority
from desktop.errors import QT_TRANSLATE_NOOP
from desktop.sizes import gib

IDLE_SECONDS = 600.0
"""After so long without a caller a model is unloaded; 0 keeps it until another needs its room."""


class BeyondBudget(EngineError):
    """A model is larger than what all models together may hold."""

    message = QT_TRANSLATE_NOOP("core", "{model} needs {need} on {device}, but models may use only {budget} there.")
    hint = QT_TRANSLATE_NOOP("core", "Choose a smaller model or context, or allow more memory for models.")


class PoolClosed(EngineError):
    """The program is ending."""

    message = QT_TRANSLATE_NOOP("core", "The engine is being shut down.")
    hint = QT_TRANSLATE_NOOP("core", "Ask again after the next start.")


class PooledModel(NamedTuple):
    """A model in the pool. users: callers that hold it now. memory: bytes per device, as far as known."""

    plan: LoadPlan
    model: LoadedModel | None
    users: int
    memory: dict[str, int]


class _Entry:
    def __init__(self, plan: LoadPlan, client: EngineClient) -> None:
        self.plan, self.client = plan, client
        self.users = 0
        self.used = 0
        self.memory = _bytes_of(plan.predicted)
        self.loading: asyncio.Task[None] | None = None
        self.timer: asyncio.TimerHandle | None = None


class _Waiter(NamedTuple):
    rank: int
    number: int
    plan: LoadPlan
    turn: "asyncio.Future[_Entry]"


class EnginePool:
    """Loads on demand. Use it from one event loop.

    budget: bytes per device that all models together may hold; a device that is not named has no limit. A plan counts
    with what was predicted, and with what the engine really took as soon as that is known.
    Callers are served in order, a person ("interactive") before a batch. Who must wait for room holds up everybody
    behind, so that a large model is not kept out for ever by small ones.
    """

    def __init__(
        self,
        *,
        budget: Mapping[str, int],
        idle_seconds: float = IDLE_SECONDS,
        new_client: Callable[[], EngineClient] = EngineClient,
    ) -> None:
        self._budget, self._idle_seconds, self._new_client = dict(budget), idle_seconds, new_client
        self._entries: dict[str, _Entry] = {}
        self._waiters: list[_Waiter] = []
        self._endings: set[asyncio.Task[None]] = set()
        self._numbers = itertools.count(1)
        self._closed = False

    @property
    def loaded(self) -> tuple[PooledModel, ...]:
        """What is in memory or on its way there."""
        return tuple(
            PooledModel(entry.plan, entry.client.loaded, entry.users, dict(entry.memory))
            for entry in self._entries.values()
        )

    @asynccontextmanager
    async def acquire(self, plan: LoadPlan, *, priority: Priority = "interactive") -> AsyncIterator[EngineClient]:
        """An engine with the model loaded as planned; it stays loaded while the block runs.

        Waits for room. Raises BeyondBudget, PoolClosed and what EngineClient.load raises.
        """
        entry = await self._turn(plan, priority)
        try:
            if entry.loading is not None:
                await asyncio.shield(entry.loading)
            yield entry.client
        finally:
            self._release(entry)

    async def unload(self, model_path: str) -> bool:
        """Unload a model that nobody uses now; whether it was there and idle."""
        entry = self._entries.get(model_path)
        if entry is None or entry.users:
            return False
        await asyncio.shield(self._remove(entry))
        return True

    async def close(self) -> None:
        """Unload everything; who waits gets PoolClosed."""
        self._closed = True
        for waiter in self._waiters:
            if not waiter.turn.done():
                waiter.turn.set_exception(PoolClosed())
        for entry in list(self._entries.values()):
            self._remove(entry)
        while self._endings:
            await asyncio.wait(self._endings)

    # --- whose turn it is --------------------------------------------------------------------------------------------

    async def _turn(self, plan: LoadPlan, priority: Priority) -> _Entry:
        if self._closed:
            raise PoolClosed
        self._check_budget(plan)
        turn: asyncio.Future[_Entry] = asyncio.get_running_loop().create_future()
        self._waiters.append(_Waiter(int(priority == "batch"), next(self._numbers), plan, turn))
        self._waiters.sort()
        self._serve()
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self._release(turn.result())  # it came just before
            raise
        finally:
            self._waiters = [waiter for waiter in self._waiters if waiter.turn is not turn]
            self._serve()

    def _check_budget(self, plan: LoadPlan) -> None:
        for device, need in _bytes_of(plan.predicted).items():
            budget = self._budget.get(device, need)
            if need > budget:
                raise BeyondBudget(model=plan.model_name, need=gib(need), device=device, budget=gib(budget))

    def _serve(self) -> None:
        """Give an engine to everyone whose turn it is."""
        for waiter in self._waiters:
            if waiter.turn.done():
                continue
            entry = self._entry_for(waiter.plan)
            if entry is None:
                return
            entry.users += 1
            if entry.timer is not None:
                entry.timer.cancel()
            waiter.turn.set_result(entry)

    def _entry_for(self, plan: LoadPlan) -> _Entry | None:
        """The engine for a plan, with a load begun where there is none; None while there is no room."""
        entry = self._entries.get(plan.model_path)
        if entry is not None and entry.plan == plan:
            if entry.loading is None and _is_down(entry.client):
                entry.loading = self._begin(entry, ())
            return entry
        if entry is not None and entry.users:
            return None  # the same model in another way: not both
        leaving = self._leaving(_bytes_of(plan.predicted), () if entry is None else (entry,))
        if leaving is None:
            return None
        endings = [self._remove(old) for old in leaving]
        entry = self._entries[plan.model_path] = _Entry(plan, self._new_client())
        entry.loading = self._begin(entry, endings)
        return entry

    def _leaving(self, need: Mapping[str, int], first: Iterable[_Entry]) -> list[_Entry] | None:
        """Whom to unload so that `need` has room: `first`, then what was not used for longest; None: it has none."""
        leaving = list(first)
        idle = [entry for entry in self._entries.values() if not entry.users and entry not in leaving]
        idle.sort(key=lambda entry: entry.used)
        while not self._fits(need, leaving):
            if not idle:
                return None
            leaving.append(idle.pop(0))
        return leaving

    def _fits(self, need: Mapping[str, int], leaving: list[_Entry]) -> bool:
        staying = [entry.memory for entry in self._entries.values() if entry not in leaving]
        return all(
            need.get(device, 0) + sum(memory.get(device, 0) for memory in staying) <= budget
            for device, budget in self._budget.items()
        )

    # --- loading and unloading ---------------------------------------------------------------------------------------

    def _begin(self, entry: _Entry, endings: Iterable["asyncio.Task[None]"]) -> "asyncio.Task[None]":
        return asyncio.create_task(self._load(entry, tuple(endings)), name=f"load {entry.plan.model_name}")

    async def _load(self, entry: _Entry, endings: tuple["asyncio.Task[None]", ...]) -> None:
        try:
            if endings:
                await asyncio.wait(endings)  # their memory is free when they have ended
            model = await entry.client.load(entry.plan)
        except BaseException:
            if self._entries.get(entry.plan.model_path) is entry:
                self._remove(entry)
            raise
        entry.loading = None
        overhead = {part.device: part.overhead for part in entry.plan.predicted}
        for device, size in _bytes_of(model.memory).items():
            entry.memory[device] = size + overhead.get(device, 0)
        for old in self._leaving({}, ()) or ():  # it took more than was predicted
            self._remove(old)

    def _release(self, entry: _Entry) -> None:
        entry.users -= 1
        entry.used = next(self._numbers)
        if not entry.users and self._entries.get(entry.plan.model_path) is entry:
            if entry.loading is not None:
                self._remove(entry)  # nobody waits for it any more
            elif self._idle_seconds:
                entry.timer = asyncio.get_running_loop().call_later(self._idle_seconds, self._on_idle, entry)
        self._serve()

    def _on_idle(self, entry: _Entry) -> None:
        if not entry.users and self._entries.get(entry.plan.model_path) is entry:
            self._remove(entry)

    def _remove(self, entry: _Entry) -> "asyncio.Task[None]":
        """Take an engine out at once and end it in the background."""
        if self._entries.get(entry.plan.model_path) is entry:
            del self._entries[entry.plan.model_path]
        if entry.timer is not None:
            entry.timer.cancel()
        ending = asyncio.create_task(self._end(entry), name=f"unload {entry.plan.model_name}")
        self._endings.add(ending)
        ending.add_done_callback(self._endings.discard)
        return ending

    async def _end(self, entry: _Entry) -> None:
        loading = entry.loading
        if loading is not None and loading is not asyncio.current_task():
            loading.cancel()
            await asyncio.wait([loading])
        await entry.client.stop()
        self._serve()


def _bytes_of(parts: Iterable[DeviceMemory]) -> dict[str, int]:
    return {part.device: part.total for part in parts}


def _is_down(client: EngineClient) -> bool:
    """Whether the engine ended for good: its breaker is open, or a load after a crash failed."""
    return client.loaded is None and not client.comes_back
