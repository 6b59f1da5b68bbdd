"""What a model needs, as the engine itself says: a dry run in a child of its own, over a file that holds no weights.

The child tells which layer goes where, the sizes of its caches and of its compute buffers. Weights are added up here,
tensor by tensor, on the devices that it named; the KV cache is shared out by the arithmetic of `placement`, which has
to come to the same sum, else by the engine's own sums.
"""

import asyncio
import hashlib
import itertools
import logging
import re
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self, TypeVar

import msgspec

from desktop.engine.exits import decode_exit
from desktop.engine.failure import explain_failure
from desktop.engine.protocol import (
    CacheSize,
    DeviceMemory,
    EngineDevice,
    EngineFailure,
    FailureKind,
    FitAnswer,
    FitQuestion,
    ImaginedDevice,
    LoadPlan,
)
from desktop.errors import AppError
from desktop.fit.answers import Answers
from desktop.fit.companions import Companions, adapter_compute, adapter_weights, draft_request, read_companions
from desktop.fit.header_shape import place_of, shape_of_header
from desktop.fit.placement import CPU, Costs, request_of
from desktop.fit.shape import ModelShape
from desktop.gguf.header import GgufHeader, TensorInfo
from desktop.hardware.pipe import LineChild

TIMEOUT = 30.0
"""Seconds for an answer; most take some hundredths, the first of a child one."""
KEPT_ANSWERS = 4096
KEPT_SHAPES = 16
_ROUNDING = 5243 + 1  # the engine's log states sizes to 0.01 MiB
_T = TypeVar("_T")
_log = logging.getLogger(__name__)


class ExactFit(msgspec.Struct, frozen=True, kw_only=True):
    """Memory per device in bytes, overhead left out, the CPU first; layers: the device of each, the head last.

    by_arithmetic: whether the KV cache per device is exact to the byte (else to 0.01 MiB, and shared out evenly).
    """

    memory: tuple[DeviceMemory, ...]
    layers: tuple[str, ...]
    n_ctx: int
    engine: str
    by_arithmetic: bool


class _Key(NamedTuple):
    stub: str
    question: bytes


class DryRuns:
    """Asks the engine. Use it from one event loop; close it at the end.

    One child answers many questions, one after the other, and is replaced when it dies. What was answered is kept,
    with `answers` also on the disk; they are closed at the end. Who asks while it closes, or after, is cancelled.
    """

    def __init__(self, answers: Answers | None = None) -> None:
        self._child: LineChild | None = None
        self._turn = asyncio.Lock()
        self._asking: asyncio.Future[FitAnswer] | None = None
        self._closed = False
        self._ids = itertools.count(1)
        self._answers: OrderedDict[_Key, FitAnswer] = OrderedDict()
        self._kept = answers
        self._disk = asyncio.Lock()
        self._decoder = msgspec.json.Decoder(FitAnswer)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

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
        """Start the child where nobody uses it yet: it takes as long as a header needs to arrive."""
        if self._child is None and not self._closed and not self._turn.locked():
            with suppress(AppError):  # who asks then is told
                self._new_child()

    async def close(self) -> None:
        """End the child, and close what is kept; a question that is open then is cancelled."""
        self._closed = True
        await self._end_child()
        if self._asking is not None and not self._asking.done():
            await asyncio.wait([self._asking])
        if self._kept is not None:
            async with self._disk:
                await asyncio.to_thread(self._kept.close)

    @asynccontextmanager
    async def paused(self) -> AsyncIterator[None]:
        """No child, and no new one: a driver holds memory for it that a load needs. Who asks meanwhile waits."""
        async with self._turn:
            await self._end_child()
            yield

    def _go_on(self) -> None:
        # As if the asker was cancelled: the program ends, so that nobody waits for an answer or for words about it.
        if self._closed:
            raise asyncio.CancelledError("the dry runs are closed")

    async def _on_disk(self, function: Callable[..., _T], *arguments: object) -> _T:
        async with self._disk:  # used after it was closed, the file would be opened again
            self._go_on()
            return await asyncio.to_thread(function, *arguments)

    async def _end_child(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            await child.close()

    async def _new_answer(self, plan: LoadPlan, imagined: Sequence[ImaginedDevice]) -> FitAnswer:
        await self._turn.acquire()
        question = FitQuestion(question_id=next(self._ids), plan=plan, imagined=tuple(imagined))
        # Who is cancelled leaves at once; the answer is still waited for and dropped, as a new child costs more.
        self._asking = asyncio.ensure_future(self._asked(question))
        self._asking.add_done_callback(lambda _: self._turn.release())
        answer = await asyncio.shield(self._asking)
        if answer.failure is not None:
            raise explain_failure(answer.failure)
        return answer

    async def _asked(self, question: FitQuestion) -> FitAnswer:
        if self._child is not None and self._child.exit_code is not None:
            await self._end_child()  # it died while nobody asked it anything
        before = self._child
        child = before or self._new_child()
        line = await self._line_of(child, question)
        if line is None and child is before:  # it was there before, and may have ended before it read this
            child = self._new_child()
            _log.info("the child of dry runs ended with %s; a new one is asked the same", before.exit_code)
            line = await self._line_of(child, question)
        if line is None:
            self._go_on()
            raise explain_failure(decode_exit(child.exit_code or 0, child.last_words().splitlines()))
        return self._decoder.decode(line)

    def _new_child(self) -> LineChild:
        self._go_on()
        try:
            self._child = LineChild("dry-run")
        except OSError as error:
            raise explain_failure(EngineFailure(kind=FailureKind.ENGINE_MISSING, detail=str(error))) from error
        return self._child

    async def _line_of(self, child: LineChild, question: FitQuestion) -> bytes | None:
        """What the child answers; None where it ended, and then, as after a failure, it is not asked again."""
        answered = False
        try:
            child.write_line(msgspec.json.encode(question))
            line = await child.read_line(TIMEOUT)
            answered = line is not None
        except TimeoutError:
            failure = EngineFailure(kind=FailureKind.UNRESPONSIVE, detail=f"no answer within {TIMEOUT:g} s")
            raise explain_failure(failure) from None
        finally:
            if not answered:  # what it may still say would be taken for the next one's answer
                self._child = None
                await child.close()
        return line


def exact_fit(
    header: GgufHeader,
    answer: FitAnswer,
    plan: LoadPlan,
    *,
    shards: Sequence[GgufHeader] = (),
    companions: Companions | None = None,
) -> ExactFit:
    """Add up what the engine's answer means in bytes per device, with all that the plan names beside its model.

    shards: headers of the model's other parts. companions: those of the files beside it; None reads them (blocking).
    """
    beside = companions or read_companions(plan)
    sums = _Sums()
    tensors = [tensor for part in (header, *shards) for tensor in part.tensors]
    homes = _homes(tensors, answer.layers, plan, header.architecture)
    sums.add_weights(tensors, homes)
    by_arithmetic = sums.add_kv(_shape(header, tuple(shards)), answer, plan)
    sums.add_compute(answer.layers, answer.compute)
    if beside.draft is not None and answer.draft is not None:
        small, layers = draft_request(plan), answer.draft.layers
        tensors = list(beside.draft.tensors)
        sums.add_weights(tensors, _homes(tensors, layers, small, beside.draft.architecture))
        by_arithmetic &= sums.add_kv(_shape(beside.draft, ()), answer.draft, small)
        sums.add_compute(layers, answer.draft.compute)
    if beside.projector is not None:
        target = plan.devices[0] if plan.devices else CPU
        sums.add("weights", {target: sum(tensor.size for tensor in beside.projector.tensors)})
        sums.add_compute((target,), answer.projector)
    sums.add("weights", adapter_weights(beside.adapters, homes))
    experts_used = header.number("expert_used_count")
    sums.add("compute", adapter_compute(beside.adapters, homes, plan, experts_used))
    return ExactFit(
        memory=sums.memory(plan.devices),
        layers=answer.layers,
        n_ctx=answer.n_ctx,
        engine=answer.engine,
        by_arithmetic=by_arithmetic,
    )


_shapes: OrderedDict[int, tuple[GgufHeader, tuple[GgufHeader, ...], ModelShape]] = OrderedDict()


def _shape(header: GgufHeader, shards: tuple[GgufHeader, ...]) -> ModelShape:
    """The shape of a model; of the last few headers it is known: a slider asks for one again and again."""
    known = _shapes.get(id(header))
    if known is not None and known[0] is header and known[1] == shards:
        return known[2]
    shape = shape_of_header(header, shards=shards)
    _shapes[id(header)] = header, shards, shape  # kept alive, so that its id is nobody else's
    if len(_shapes) > KEPT_SHAPES:
        _shapes.popitem(last=False)
    return shape


class _Sums:
    """Bytes per device and kind, added up."""

    def __init__(self) -> None:
        self._bytes: dict[str, dict[str, int]] = {CPU: {}}

    def add(self, kind: str, sizes: Mapping[str, int]) -> None:
        for device, size in sizes.items():
            kinds = self._bytes.setdefault(device, {})
            kinds[kind] = kinds.get(kind, 0) + size

    def add_weights(self, tensors: Iterable[TensorInfo], homes: Mapping[str, Sequence[str]]) -> None:
        sizes: dict[str, int] = {}
        for tensor in tensors:
            for device in homes[tensor.name]:
                sizes[device] = sizes.get(device, 0) + tensor.size
        self.add("weights", sizes)

    def add_kv(self, shape: ModelShape, answer: FitAnswer, plan: LoadPlan) -> bool:
        """Return whether the arithmetic came to the engine's own sum."""
        kv, by_arithmetic = _kv(shape, answer, plan)
        self.add("kv", kv)
        return by_arithmetic

    def add_compute(self, layers: Sequence[str], told: Iterable[DeviceMemory]) -> None:
        # Rounded to the nearest in the log, "0.00" too, and of several lines: what is needed is never stated as less.
        self.add("compute", dict.fromkeys((CPU, *layers), 2 * _ROUNDING))
        self.add("compute", {part.device: part.compute for part in told})

    def memory(self, devices: Sequence[str]) -> tuple[DeviceMemory, ...]:
        """The CPU first, then the plan's devices."""
        names = dict.fromkeys([CPU, *devices, *self._bytes])
        return tuple(DeviceMemory(device=name, **self._bytes.get(name, {})) for name in names)


def _homes(
    tensors: Sequence[TensorInfo], layers: Sequence[str], plan: LoadPlan, architecture: str
) -> dict[str, list[str]]:
    """The devices of each tensor by its name (llama-model.cpp, load_tensors); two where there is a copy."""
    tied = not any(tensor.name == "output.weight" for tensor in tensors)
    return {
        tensor.name: _devices_of(tensor, place_of(tensor, architecture), layers, plan, tied=tied) for tensor in tensors
    }


def _devices_of(
    tensor: TensorInfo, place: int | str, layers: Sequence[str], plan: LoadPlan, *, tied: bool
) -> list[str]:
    if place == "shared":  # every device with a layer has its own
        return list(dict.fromkeys(layers[:-1]))
    if place == "head":
        devices = [layers[-1]]
    elif place == "input":
        # A tied head is a copy of the token embeddings where it is not on the CPU.
        copied = tied and tensor.name == "token_embd.weight" and layers[-1] != CPU
        devices = [CPU, layers[-1]] if copied else [CPU]
    else:
        devices = [layers[int(place)]]
    moved = next((o.device for o in plan.tensor_overrides if re.search(o.pattern, tensor.name)), None)
    return [moved] * len(devices) if moved is not None else devices


def _kv(shape: ModelShape, answer: FitAnswer, plan: LoadPlan) -> tuple[dict[str, int], bool]:
    """Bytes per device of what layers keep, and whether the arithmetic came to the engine's own sum."""
    costs = Costs(shape, request_of(plan))
    computed = [costs.kv(index, index + 1) for index in range(shape.n_layer)]
    told = sum(cache.size for cache in answer.caches)
    sums: dict[str, int] = {}
    if not plan.swa_full and abs(sum(computed) - told) <= _ROUNDING * max(len(answer.caches), 1):
        for device, size in zip(answer.layers, computed, strict=False):
            sums[device] = sums.get(device, 0) + size
        return sums, True
    for cache in answer.caches:
        for device, size in _shared_out(cache):
            sums[device] = sums.get(device, 0) + size
    return sums, False


def _shared_out(cache: CacheSize) -> list[tuple[str, int]]:
    count = len(cache.layers)
    return [(device, cache.size * cache.layers.count(device) // count) for device in dict.fromkeys(cache.layers)]


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
    plan = msgspec.structs.replace(plan, model_path="", model_name="", reasons=(), predicted=(), placement=None)
    return msgspec.json.encode((plan, imagined, hardware, [_mark(path) for path in beside]))


def _mark(path: str) -> tuple[int, int]:
    """Size and time of a file, (0, 0) where it cannot be seen: what is wrong with it, the engine says."""
    try:
        status = Path(path).stat() if path else None
    except OSError:
        status = None
    return (status.st_size, status.st_mtime_ns) if status else (0, 0)
