"""What a model needs, as the engine itself says: what it answered to a dry run over a file that holds no weights.

It tells which layer goes where, the sizes of its caches and of its compute buffers. Weights are added up here, tensor
by tensor, on the devices that it named; the KV cache is shared out by the arithmetic of `placement`, which has to come
to the same sum, else by the engine's own sums.
"""

import re
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from desktop.engine.protocol import CacheSize, DeviceMemory, FitAnswer, LoadPlan
from desktop.fit.dry_run.companions import Companions, adapter_compute, adapter_weights, draft_request, read_companions
from desktop.fit.memory.header_shape import place_of, shape_of_header
from desktop.fit.memory.placement import CPU, Costs, request_of
from desktop.fit.memory.shape import ModelShape
from desktop.gguf.header import GgufHeader, TensorInfo

_ROUNDING = 5243 + 1  # the engine's log states sizes to 0.01 MiB


class ExactFit(msgspec.Struct, frozen=True, kw_only=True):
    """Memory per device in bytes, overhead left out, the CPU first; layers: the device of each, the head last.

    by_arithmetic: whether the KV cache per device is exact to the byte (else to 0.01 MiB, and shared out evenly).
    """

    memory: tuple[DeviceMemory, ...]
    layers: tuple[str, ...]
    by_arithmetic: bool


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
    by_arithmetic = sums.add_kv(shape_of_header(header, shards=shards), answer, plan)
    sums.add_compute(answer.layers, answer.compute)
    if beside.draft is not None and answer.draft is not None:
        small, layers = draft_request(plan), answer.draft.layers
        tensors = list(beside.draft.tensors)
        sums.add_weights(tensors, _homes(tensors, layers, small, beside.draft.architecture))
        by_arithmetic &= sums.add_kv(shape_of_header(beside.draft), answer.draft, small)
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
        by_arithmetic=by_arithmetic,
    )


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
