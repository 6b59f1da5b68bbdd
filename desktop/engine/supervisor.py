"""Keeps an engine child alive: starts it, watches its heartbeat, starts it again and loads its model again."""

import asyncio
import contextlib
import itertools
import logging
from collections.abc import Callable, Iterator
from typing import NamedTuple

from desktop.engine.breaker import Breaker
from desktop.engine.failure import explain_failure
from desktop.engine.process import EngineProcess
from desktop.engine.protocol import (
    PROTOCOL_VERSION,
    Answer,
    AppMessage,
    CancelLoad,
    EngineFailure,
    EngineInfo,
    EngineMessage,
    FailureKind,
    Hello,
    Load,
    Loaded,
    LoadedModel,
    LoadFailed,
    LoadPlan,
    LoadProgress,
    Open,
    Ping,
    Pong,
    ReplyPart,
    RequestFailed,
    Status,
)
from desktop.engine.state import EnginePhase, EngineState

HELLO_TIMEOUT = 60.0
"""Seconds until a child must have said hello: a cold disk and a driver that wakes up take their time."""
HEARTBEAT_INTERVAL, MISSED_HEARTBEATS = 1.8, 4
"""A child that lets this many pings in a row go unanswered is ended: found within 10 s. Counted in pings and not in
seconds, so that a laptop that slept, or an owner that was busy, does not blame the child."""
_ON_THE_WAY = {EnginePhase.STARTING, EnginePhase.LOADING, EnginePhase.STOPPING}

log = logging.getLogger(__name__)


class _PendingLoad(NamedTuple):
    load_id: int
    plan: LoadPlan
    result: asyncio.Future[LoadedModel]
    on_progress: Callable[[float], None] | None


class EngineSupervisor:
    """One child and its life. Use it from one event loop.

    on_reply: gets every message that belongs to a request. on_lost: the child ended, with the failure (None when it
    was stopped); requests that wait will not be answered. offer: what to load instead of a plan that only crashes.
    """

    def __init__(
        self,
        *,
        on_reply: Callable[[ReplyPart | Answer | RequestFailed | Status], None],
        on_lost: Callable[[EngineFailure | None], None],
        offer: Callable[[LoadPlan], LoadPlan | None] | None = None,
    ) -> None:
        self.state = EngineState(phase=EnginePhase.STOPPED)
        self.info: EngineInfo | None = None
        self.plan: LoadPlan | None = None
        self.breaker = Breaker()
        self._on_reply, self._on_lost, self._offer = on_reply, on_lost, offer
        self._process: EngineProcess | None = None
        self._hello: asyncio.Future[EngineInfo] | None = None
        self._pending: _PendingLoad | None = None
        self._subscribers: list[Callable[[EngineState], None]] = []
        self._waiters: list[asyncio.Future[None]] = []
        self._heartbeat: asyncio.Task[None] | None = None
        self._revival: asyncio.Task[None] | None = None
        self._hurry = asyncio.Event()
        self._missed = 0
        self._waiting = 0  # callers that want the child there
        self._load_ids = itertools.count(1)
        self._start_lock, self._spawn_lock, self._load_lock = asyncio.Lock(), asyncio.Lock(), asyncio.Lock()

    # --- what others ask -------------------------------------------------------------------------------------------

    @property
    def pid(self) -> int | None:
        """Process id of the child; None while there is none."""
        return self._process.pid if self._process else None

    @property
    def on_the_way(self) -> bool:
        """Whether the child is starting, loading, ending or coming back: something to wait for."""
        return self.state.phase in _ON_THE_WAY or self.state.restart_in is not None

    def subscribe(self, callback: Callable[[EngineState], None]) -> Callable[[], None]:
        """Call `callback` with every new state; returns what ends that."""
        self._subscribers.append(callback)
        return lambda: self._subscribers.remove(callback) if callback in self._subscribers else None

    async def start(self) -> EngineInfo:
        """Start the child unless it runs, and close an open breaker. Raises EngineError.

        A model that is on its way back after a crash still comes back, at once.
        """
        if self._revival is not None and not self._revival.done():
            self.breaker.reset()
            self._hurry.set()
            with self._waits_for_child():
                return await self._launch()
        info = await self._start_by_hand()
        if self.state.phase == EnginePhase.STARTING:
            self._set(EngineState(phase=EnginePhase.READY))
        return info

    async def load(self, plan: LoadPlan, on_progress: Callable[[float], None] | None = None) -> LoadedModel:
        """Load a model as planned, in place of the one that is loaded. Raises EngineError; cancelling gives it up."""
        await self._start_by_hand()
        async with self._load_lock:
            self.plan = None  # the child frees the old model first, so that both never need memory at once
            return await self._load(plan, on_progress)

    async def stop(self) -> None:
        """End the child in good order; it stays stopped."""
        await self._end_revival()
        async with self._spawn_lock:  # a child that is being born must not be overlooked
            process, self._process = self._process, None
        self.plan = None
        if process is not None:
            self._set(EngineState(phase=EnginePhase.STOPPING))
            await self._end_heartbeat()
            await process.stop()
            self._let_go(None)
        self._set(EngineState(phase=EnginePhase.STOPPED))

    async def wait_ready(self) -> None:
        """Return once requests can be sent. Raises EngineError when there is nothing to wait for."""
        while self.on_the_way:
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            await waiter
        if self.state.failure is not None and self.state.loaded is None:
            raise explain_failure(self.state.failure)
        if self.state.loaded is None:
            raise explain_failure(EngineFailure(kind=FailureKind.NO_MODEL))

    def send(self, command: AppMessage) -> None:
        """Send a command; without a child it is lost, and `on_lost` has said so."""
        if self._process is not None:
            self._process.send(command)

    def kill(self, failure: EngineFailure) -> None:
        """End a child that does not do what it should; it is started again."""
        if self._process is not None:
            self._process.kill(failure)

    # --- starting and loading --------------------------------------------------------------------------------------

    async def _start_by_hand(self) -> EngineInfo:
        self.breaker.reset()
        with self._waits_for_child():
            await self._end_revival()
            return await self._launch()

    async def _launch(self) -> EngineInfo:
        async with self._start_lock:
            if self._process is not None and self.info is not None:
                return self.info
            hello = self._hello
            if self._process is None or hello is None:
                self._set(EngineState(phase=EnginePhase.STARTING))
                self._hello = hello = asyncio.get_running_loop().create_future()
                await self._spawn(hello)
            self.info = await asyncio.shield(hello)
            return self.info

    @contextlib.contextmanager
    def _waits_for_child(self) -> Iterator[None]:
        """When the last who waits gives up, the state says all the same what becomes of the child."""
        self._waiting += 1
        try:
            yield
        except asyncio.CancelledError:
            if self._waiting == 1 and self.state.phase == EnginePhase.STARTING:
                self._leave_child_alone()
            raise
        finally:
            self._waiting -= 1

    def _leave_child_alone(self) -> None:
        if self._process is None:
            self._hello = None
            self._set(EngineState(phase=EnginePhase.STOPPED))
        elif self._hello is not None:
            self._hello.add_done_callback(self._adopt)

    def _adopt(self, hello: asyncio.Future[EngineInfo]) -> None:
        """A child is there for which nobody waits any more; it serves who comes next."""
        if hello is self._hello and not self._waiting and hello.exception() is None:
            self.info = hello.result()
            self._set(EngineState(phase=EnginePhase.READY))

    async def _spawn(self, hello: asyncio.Future[EngineInfo]) -> None:
        try:
            async with self._spawn_lock:
                self._process = await EngineProcess.spawn(on_message=self._on_message, on_end=self._on_end)
        except OSError as error:
            failure = EngineFailure(kind=FailureKind.ENGINE_MISSING, detail=str(error))
            self._set(EngineState(phase=EnginePhase.CRASHED, failure=failure))
            raise explain_failure(failure) from error
        self._process.send(Open())
        timeout = asyncio.get_running_loop().call_later(HELLO_TIMEOUT, self._end_silent, self._process)
        hello.add_done_callback(lambda _hello: timeout.cancel())
        self._missed = 0
        self._heartbeat = asyncio.create_task(self._beat(self._process), name="engine heartbeat")

    def _end_silent(self, process: EngineProcess) -> None:
        """Nobody need wait for a child to end one that never says hello; who does hears of its end."""
        process.kill(EngineFailure(kind=FailureKind.UNRESPONSIVE, detail=f"no hello within {HELLO_TIMEOUT:g} s"))

    async def _load(self, plan: LoadPlan, on_progress: Callable[[float], None] | None) -> LoadedModel:
        self._set(EngineState(phase=EnginePhase.LOADING))
        result: asyncio.Future[LoadedModel] = asyncio.get_running_loop().create_future()
        load_id = next(self._load_ids)
        self._pending = _PendingLoad(load_id, plan, result, on_progress)
        if self._process is not None:
            self._process.evidence.note_files_of(plan)
        self.send(Load(plan=plan, load_id=load_id))
        try:
            return await result
        except asyncio.CancelledError:
            self.send(CancelLoad())
            raise

    async def _beat(self, process: EngineProcess) -> None:
        while True:
            await asyncio.sleep(HEARTBEAT_INTERVAL)
            # Before its hello a child may load libraries from a slow disk for longer than that, without a thread to
            # answer; only one that the system says is stopped is ended then.
            if self._missed >= MISSED_HEARTBEATS and (self.info is not None or process.is_stopped()):
                process.kill(EngineFailure(kind=FailureKind.UNRESPONSIVE))
                return
            self._missed += 1
            process.send(Ping(nonce=self._missed))
            process.evidence.note_memory()

    # --- what the child says ---------------------------------------------------------------------------------------

    def _on_message(self, message: EngineMessage) -> None:
        self._missed = 0
        if isinstance(message, Hello):
            self._greet(message)
        elif isinstance(message, LoadProgress | Loaded | LoadFailed):
            self._on_load_answer(message)
        elif not isinstance(message, Pong):
            self._on_reply(message)

    def _greet(self, hello: Hello) -> None:
        if hello.version != PROTOCOL_VERSION:
            detail = f"the engine speaks version {hello.version}, this program {PROTOCOL_VERSION}"
            self.kill(EngineFailure(kind=FailureKind.VERSION_MISMATCH, detail=detail))
        elif self._hello is not None and not self._hello.done():
            self._hello.set_result(hello.engine)

    def _on_load_answer(self, answer: LoadProgress | Loaded | LoadFailed) -> None:
        pending = self._pending
        if pending is None or answer.load_id != pending.load_id:
            return  # of a load that was given up for another
        if isinstance(answer, LoadProgress):
            self._on_progress(pending, answer.fraction)
            return
        self._pending = None
        if isinstance(answer, Loaded):
            self._on_loaded(pending, answer.model)
        else:
            self._on_load_failed(pending, answer.failure)

    def _on_progress(self, pending: _PendingLoad, fraction: float) -> None:
        if not pending.result.done():
            self._set(EngineState(phase=EnginePhase.LOADING, progress=fraction))
            if pending.on_progress is not None:
                pending.on_progress(fraction)

    def _on_loaded(self, pending: _PendingLoad, model: LoadedModel) -> None:
        self.plan = pending.plan
        self._set(EngineState(phase=EnginePhase.READY, loaded=model))
        if not pending.result.done():
            pending.result.set_result(model)

    def _on_load_failed(self, pending: _PendingLoad, failure: EngineFailure) -> None:
        cancelled = failure.kind == FailureKind.CANCELLED
        self._set(EngineState(phase=EnginePhase.READY, failure=None if cancelled else failure))
        if not pending.result.done():
            pending.result.set_exception(explain_failure(failure))

    # --- its end, and the next beginning ---------------------------------------------------------------------------

    def _on_end(self, failure: EngineFailure) -> None:
        log.info("the engine ended: %s (exit code %s)", failure.kind, failure.exit_code)
        self._process = None
        if self._heartbeat is not None:
            self._heartbeat.cancel()
        loop = asyncio.get_running_loop()
        self.breaker.crashed(loop.time())
        self._let_go(failure)
        # Neither another version nor a missing library comes right by trying again.
        hopeless = failure.kind in {FailureKind.VERSION_MISMATCH, FailureKind.ENGINE_MISSING}
        if self.breaker.is_open or hopeless:
            offer = self._offer(self.plan) if self._offer and self.plan and not hopeless else None
            self._set(EngineState(phase=EnginePhase.CRASHED, failure=failure, breaker_open=True, offer=offer))
            return
        delay = self.breaker.delay
        self._set(EngineState(phase=EnginePhase.CRASHED, failure=failure, restart_in=delay))
        self._hurry.clear()
        self._revival = asyncio.create_task(self._revive(delay), name="engine revival")

    def _let_go(self, failure: EngineFailure | None) -> None:
        """Tell everyone who waits for the child that it is gone."""
        self.info = None
        pending, self._pending = self._pending, None
        gone = failure or EngineFailure(kind=FailureKind.CANCELLED)
        for future in (self._hello, pending.result if pending else None):
            if future is not None and not future.done():
                future.set_exception(explain_failure(gone))
                future.exception()  # nobody may be waiting any more
        self._hello = None
        self._on_lost(failure)

    async def _revive(self, delay: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._hurry.wait(), delay)
        plan = self.plan
        try:
            with self._waits_for_child():
                await self._launch()
            if plan is None:
                self._set(EngineState(phase=EnginePhase.READY))
                return
            async with self._load_lock:
                await self._load(plan, None)
        except Exception as error:  # noqa: BLE001 - the state tells it: a failed load, or the next crash
            log.info("the engine could not be brought back: %s", error)

    async def _end_revival(self) -> None:
        task, self._revival = self._revival, None
        await _cancel(task)

    async def _end_heartbeat(self) -> None:
        task, self._heartbeat = self._heartbeat, None
        await _cancel(task)

    def _set(self, state: EngineState) -> None:
        self.state = state
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)
        for callback in tuple(self._subscribers):
            callback(self.state)


async def _cancel(task: asyncio.Task[None] | None) -> None:
    if task is None or task is asyncio.current_task():
        return
    task.cancel()
    await asyncio.wait([task])  # unlike `await task`: who waits here can be cancelled as well, and has to notice
    if not task.cancelled():
        task.result()  # raises what went wrong inside
