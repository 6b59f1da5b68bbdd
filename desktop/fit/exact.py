"""What a model needs, as the engine itself says: a dry run in a child of its own, over a file that holds no weights.

The child tells which layer goes where, the sizes of its caches and of its compute buffers. Weights are added up here,
tensor by tensor, on the devices that it named; the KV cache is shared out by the arithmetic of `placement`, which has
to come to the same sum, else by the engine's own sums.
"""

import asyncio
import itertools
import re
from collections import OrderedDict
from collections.abc import Sequence
from types import TracebackType
from typing import NamedTuple, Self

import msgspec

from desktop.engine.exits import decode_exit
from desktop.engine.failure import explain_failure
from desktop.engine.protocol import (
    CacheSize,
    DeviceMemory,
    EngineFailure,
    FailureKind,
    FitAnswer,
    FitQuestion,
    ImaginedDevice,
    LoadPlan,
)
from desktop.fit.header_shape import place_of, shape_of_header
from desktop.fit.placement import CPU, Costs, request_of
from desktop.fit.shape import ModelShape
from desktop.gguf.header import GgufHeader, TensorInfo
from desktop.hardware.pipe import LineChild

TIMEOUT = 30.0
"""Seconds for an answer; most take some hundredths, the first of a child one."""
KEPT_ANSWERS = 4096
_ROUNDING = 5243 + 1  # the engine's log states sizes to 0.01 MiB


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

    One child answers many questions, one after the other, and is replaced when it dies. What was answered is kept.
    """

    def __init__(self) -> None:
        self._child: LineChild | None = None
        self._turn = asyncio.Lock()
        self._ids = itertools.count(1)
        self._answers: OrderedDict[_Key, FitAnswer] = OrderedDict()
        self._decoder = msgspec.json.Decoder(FitAnswer)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def ask(self, plan: LoadPlan, *, stub_key: str = "", imagined: Sequence[ImaginedDevice] = ()) -> FitAnswer:
        """Ask what `plan` would need; its model_path names a stub or a model.

        stub_key: identifies what is in the file, so that the same question need not be asked twice; "" asks again.
        Raises an AppError of engine.failure for what the engine refuses (UnsupportedArchitecture ...), and for a child
        that dies of the question or does not answer.
        """
        key = _Key(stub_key, _canonical(plan, imagined))
        if stub_key and key in self._answers:
            self._answers.move_to_end(key)
            return self._answers[key]
        async with self._turn:
            answer = await self._asked(FitQuestion(question_id=next(self._ids), plan=plan, imagined=tuple(imagined)))
        if answer.failure is not None:
            raise explain_failure(answer.failure)
        if stub_key:
            self._answers[key] = answer
            if len(self._answers) > KEPT_ANSWERS:
                self._answers.popitem(last=False)
        return answer

    async def close(self) -> None:
        """End the child."""
        child, self._child = self._child, None
        if child is not None:
            await child.close()

    async def _asked(self, question: FitQuestion) -> FitAnswer:
        try:
            self._child = self._child or LineChild("dry-run")
        except OSError as error:
            raise explain_failure(EngineFailure(kind=FailureKind.ENGINE_MISSING, detail=str(error))) from error
        child = self._child
        answered = False
        try:
            child.write_line(msgspec.json.encode(question))
            line = await child.read_line(TIMEOUT)
            answered = line is not None
        except TimeoutError:
            failure = EngineFailure(kind=FailureKind.UNRESPONSIVE, detail=f"no answer within {TIMEOUT:g} s")
            raise explain_failure(failure) from None
        finally:
            if not answered:  # also where this was cancelled: the answer would be taken for the next one's
                self._child = None
                await child.close()
        if line is None:
            raise explain_failure(decode_exit(child.exit_code or 0, child.last_words().splitlines()))
        return self._decoder.decode(line)


def exact_fit(header: GgufHeader, answer: FitAnswer, plan: LoadPlan, *, shards: Sequence[GgufHeader] = ()) -> ExactFit:
    """Add up what the engine's answer means in bytes per device. `shards`: headers of the other parts."""
    tensors = [tensor for part in (header, *shards) for tensor in part.tensors]
    weights = _weights(tensors, answer.layers, plan, header.architecture)
    kv, by_arithmetic = _kv(shape_of_header(header, shards=shards), answer, plan)
    # Rounded to the nearest in the log, "0.00" too, and of several lines: what is needed is never stated as less.
    compute = dict.fromkeys((CPU, *answer.layers), 2 * _ROUNDING)
    for part in answer.compute:
        compute[part.device] = compute.get(part.device, 0) + part.compute
    devices = dict.fromkeys([CPU, *plan.devices, *weights, *kv, *compute])
    return ExactFit(
        memory=tuple(
            DeviceMemory(device=name, weights=weights.get(name, 0), kv=kv.get(name, 0), compute=compute.get(name, 0))
            for name in devices
        ),
        layers=answer.layers,
        n_ctx=answer.n_ctx,
        engine=answer.engine,
        by_arithmetic=by_arithmetic,
    )


def _weights(tensors: Sequence[TensorInfo], layers: Sequence[str], plan: LoadPlan, architecture: str) -> dict[str, int]:
    """Bytes of weights per device (llama-model.cpp, load_tensors)."""
    sums: dict[str, int] = {}
    tied = not any(tensor.name == "output.weight" for tensor in tensors)
    for tensor in tensors:
        place = place_of(tensor, architecture)
        for device in _devices_of(tensor, place, layers, plan, tied=tied):
            sums[device] = sums.get(device, 0) + tensor.size
    return sums


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


def _canonical(plan: LoadPlan, imagined: Sequence[ImaginedDevice]) -> bytes:
    """The question as bytes; where the stub lies makes no difference."""
    plan = msgspec.structs.replace(plan, model_path="", model_name="", reasons=(), predicted=(), placement=None)
    return msgspec.json.encode((plan, imagined))
