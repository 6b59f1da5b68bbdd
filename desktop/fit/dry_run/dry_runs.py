"""Asking the engine what plans would need, and keeping what it said.

A few children answer, so that a page of models does not wait for one core; each next one is started only where all
that run are busy, and all end when nobody asked for a while: on a graphics card each holds memory of its driver.
"""

import asyncio
import hashlib
import itertools
import logging
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self, TypeVar

import msgspec

from desktop.engine.failure import explain_failure
from desktop.engine.protocol import EngineDevice, FitAnswer, FitQuestion, ImaginedDevice, LoadPlan
from desktop.errors import AppError
from desktop.fit.dry_run.answers import Answers
from desktop.fit.dry_run.dry_run_child import DryRunChild
from desktop.fit.memory.placement import CPU

CHILDREN = 2
"""More would not be faster: the program itself has as much to do for an answer as a child."""
REST = 30.0
"""Seconds without a question after which the children end; a new one takes some tenths."""
KEPT_ANSWERS = 4096
_T = TypeVar("_T")
_log = logging.getLogger(__name__)


class _Key(NamedTuple):
    stub: str
    question: bytes


class DryRuns:
    """Asks the engine. Use it from one event loop; close it at the end.

    A child that dies of a question is replaced. What was answered is kept, with `answers` also on the disk; they are
    closed at the end. Who asks while it closes, or after, is cancelled.
    """

    def __init__(self, answers: Answers | None = None) -> None:
        self._children = tuple(DryRunChild() for _ in range(CHILDREN))
        self._idle = list(self._children)
        self._turns = asyncio.Semaphore(CHILDREN)
        self._pause = asyncio.Lock()
        self._rest: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self._closed = False
        self._ids = itertools.count(1)
        self._answers: OrderedDict[_Key, FitAnswer] = OrderedDict()
        self._kept = answers
        self._disk = asyncio.Lock()
        self._ending = asyncio.Lock()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def pids(self) -> tuple[int, ...]:
        """The processes that answer, or are ready to."""
        return tuple(pid for child in self._children if (pid := child.pid) is not None)

    @property
    def is_asking(self) -> bool:
        """Whether a child is at work."""
        return len(self._idle) < CHILDREN

    async def ask(
        self, plan: LoadPlan, *, stub_key: str = "", imagined: Sequence[ImaginedDevice] = (), hardware: str = ""
    ) -> FitAnswer:
        """Ask what `plan` would need; its model_path names a stub or a model.

        stub_key: identifies what is in the file, so that the same question need not be asked twice; "" asks again.
        hardware: identifies the devices that are there (`hardware_key`); without it an answer about them is kept for
        as long as this object lives only. Raises an AppError of engine.failure for what the engine refuses
        (UnsupportedArchitecture ...), and for a child that dies of the question or does not answer; CancelledError once
        this is being closed.
        """
        self._go_on()
        if not stub_key:
            return await self._new_answer(plan, imagined)
        if _all_imagined(plan, imagined):
            hardware = ""  # other cards, or another driver, would answer the same
        key = _Key(stub_key, _canonical(plan, imagined, hardware))
        if key in self._answers:
            self._answers.move_to_end(key)
            return self._answers[key]
        kept = self._kept if _lasts(plan, imagined, hardware) else None
        answer = await self._on_disk(kept.find, *key) if kept else None
        if answer is None:
            answer = await self._new_answer(plan, imagined)
            if kept:
                await self._on_disk(kept.keep, *key, answer)
        self._answers[key] = answer
        if len(self._answers) > KEPT_ANSWERS:
            self._answers.popitem(last=False)
        return answer

    def get_ready(self) -> None:
        """Start a child where there is none and nobody asks: it takes as long as a header needs to arrive."""
        if not (self._closed or self._pause.locked() or self.pids or self.is_asking):
            self._children[0].get_ready()
            self._let_rest()

    async def close(self) -> None:
        """End the children, and close what is kept; a question that is open then is cancelled."""
        self._closed = True
        self._wake()
        await asyncio.gather(*(child.close() for child in self._children))
        while self._tasks:
            await asyncio.wait(self._tasks)
        if self._kept is not None:
            async with self._disk:
                await asyncio.to_thread(self._kept.close)

    @asynccontextmanager
    async def paused(self) -> AsyncIterator[None]:
        """No child, and no new one: a driver holds memory for it that a load needs. Who asks meanwhile waits."""
        async with self._pause, AsyncExitStack() as turns:
            for _ in self._children:
                await turns.enter_async_context(self._turns)
            await asyncio.shield(self._begin(self._end_children()))
            yield

    def _go_on(self) -> None:
        # As if the asker was cancelled: the program ends, so that nobody waits for an answer or for words about it.
        if self._closed:
            raise asyncio.CancelledError("the dry runs are closed")

    async def _on_disk(self, function: Callable[..., _T], *arguments: object) -> _T:
        async with self._disk:  # used after it was closed, the file would be opened again
            self._go_on()
            # Who is cancelled leaves at once; the thread goes on, and `close` waits for it.
            return await asyncio.shield(self._begin(asyncio.to_thread(function, *arguments)))

    async def _new_answer(self, plan: LoadPlan, imagined: Sequence[ImaginedDevice]) -> FitAnswer:
        await self._turns.acquire()
        question = FitQuestion(question_id=next(self._ids), plan=_asked(plan), imagined=tuple(imagined))
        asked = self._begin(self._answer(question))
        try:
            answer = await asyncio.shield(asked)
        except asyncio.CancelledError:
            # Who is cancelled leaves at once; the answer is still waited for and dropped, as a new child costs more.
            asked.add_done_callback(_drop)
            raise
        if answer.failure is not None:
            raise explain_failure(answer.failure)
        return answer

    async def _answer(self, question: FitQuestion) -> FitAnswer:
        """In a turn of its own, which it ends."""
        self._wake()
        child = next((one for one in self._idle if one.pid is not None), self._idle[0])
        self._idle.remove(child)
        try:
            return await child.ask(question)
        finally:
            self._idle.append(child)
            self._turns.release()
            if not self.is_asking:
                self._let_rest()

    def _begin(self, work: Coroutine[Any, Any, _T]) -> asyncio.Task[_T]:
        """A task that `close` waits for."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _let_rest(self) -> None:
        self._wake()
        if not self._closed:
            self._rest = asyncio.get_running_loop().call_later(REST, lambda: self._begin(self._end_children()))

    def _wake(self) -> None:
        if self._rest is not None:
            self._rest.cancel()

    async def _end_children(self) -> None:
        """Of those that are idle; who asks next has a new one. Where they are ending already, wait until they have."""
        async with self._ending:
            for child in self._children:
                if child in self._idle:  # it may have been asked while another one ended
                    await child.end()


def _drop(asked: asyncio.Task[FitAnswer]) -> None:
    """Nobody waits for the answer any more, nor for words about what went wrong."""
    error = None if asked.cancelled() else asked.exception()
    if isinstance(error, AppError):
        _log.info("a question that was given up ended with %s", error)
    elif error is not None:
        _log.error("a question that was given up failed", exc_info=error)


def hardware_key(devices: Iterable[EngineDevice], driver: str = "") -> str:
    """Identify the devices that the engine sees, 32 hex; what is free of their memory makes no difference."""
    marks = [(one.name, one.description, one.backend, one.memory_total, one.pci_address) for one in devices]
    return hashlib.sha256(msgspec.json.encode((marks, driver))).hexdigest()[:32]


def _lasts(plan: LoadPlan, imagined: Sequence[ImaginedDevice], hardware: str) -> bool:
    """Whether the answer holds beyond this process: names of devices may mean others another time."""
    return not plan.rpc_endpoints and (bool(hardware) or _all_imagined(plan, imagined))


def _all_imagined(plan: LoadPlan, imagined: Sequence[ImaginedDevice]) -> bool:
    """Whether the plan names no device of this machine but its processor."""
    named = {*plan.devices, *(override.device for override in plan.tensor_overrides)} - {CPU}
    return named <= {device.name for device in imagined}


def _canonical(plan: LoadPlan, imagined: Sequence[ImaginedDevice], hardware: str) -> bytes:
    """The question as bytes; where the stub lies makes no difference. Looks at the files beside the model."""
    beside = [plan.draft_path, plan.mmproj_path, *(adapter.path for adapter in plan.lora)]
    plan = msgspec.structs.replace(_asked(plan), model_path="")
    return msgspec.json.encode((plan, imagined, hardware, [_mark(path) for path in beside]))


def _asked(plan: LoadPlan) -> LoadPlan:
    """What of a plan the engine is asked about.

    A name comes from the file and may be long: what is more than the pipe holds would be written only as fast as the
    child reads, which it does not while it starts.
    """
    return msgspec.structs.replace(plan, model_name="", reasons=(), predicted=(), placement=None)


def _mark(path: str) -> tuple[int, int]:
    """Size and time of a file, (0, 0) where it cannot be seen: what is wrong with it, the engine says."""
    try:
        status = Path(path).stat() if path else None
    except OSError:
        status = None
    return (status.st_size, status.st_mtime_ns) if status else (0, 0)
