"""What stands beside a model in a plan: a draft model, adapters, a projector. Where their bytes go."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

from desktop.engine.protocol import LoadPlan
from desktop.fit.memory.placement import CPU
from desktop.gguf.header import GgufHeader, TensorInfo, other_headers, read_header

_F32 = 4
_HALVES = (".lora_a", ".lora_b")
_HEAD = "output.weight"


class Companions(msgspec.Struct, frozen=True, kw_only=True):
    """Headers of the files that a plan names beside its model; draft: with the tensors of all its parts."""

    draft: GgufHeader | None = None
    adapters: tuple[GgufHeader, ...] = ()
    projector: GgufHeader | None = None


def read_companions(plan: LoadPlan) -> Companions:
    """Read them. Blocking where the plan names any; raises what gguf.header.read_header raises."""
    return Companions(
        draft=_whole(plan.draft_path) if plan.draft_path else None,
        adapters=tuple(read_header(Path(adapter.path)) for adapter in plan.lora),
        projector=read_header(Path(plan.mmproj_path)) if plan.mmproj_path else None,
    )


def _whole(path: str) -> GgufHeader:
    header = read_header(Path(path))
    tensors = tuple(tensor for part in (header, *other_headers(Path(path))) for tensor in part.tensors)
    return msgspec.structs.replace(header, tensors=tensors)


def draft_request(plan: LoadPlan) -> LoadPlan:
    """The plan of the draft model, as far as its memory depends on it (draft_plan of runtime/loading/draft.py)."""
    return msgspec.structs.replace(
        plan, n_seq_max=plan.n_parallel, n_outputs_max=plan.n_parallel, devices=plan.devices[:1], tensor_overrides=()
    )


def adapter_weights(adapters: Iterable[GgufHeader], homes: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """Bytes per device: each pair lies where the tensor lies that it adapts (llama-adapter.cpp).

    homes: the devices of the model's tensors by name. A tied head's adapter stays with the embeddings.
    """
    sums: dict[str, int] = {}
    for tensor in (tensor for adapter in adapters for tensor in adapter.tensors):
        name = _adapted(tensor)
        if name is not None:  # norms are passed over
            device = next(iter(homes.get(name, ())), CPU)
            sums[device] = sums.get(device, 0) + tensor.size
    return sums


def adapter_compute(
    adapters: Iterable[GgufHeader], homes: Mapping[str, Sequence[str]], plan: LoadPlan, experts_used: int
) -> dict[str, int]:
    """Bytes per device that products with adapters take at most beside those without (build_lora_mm, llama-graph.cpp).

    One product is computed after the other: its row of the rank and what it adds live at the same time as the result.
    experts_used: per token, of a mixture of experts; an adapter of theirs computes a row for each.
    """
    most: dict[str, int] = {}
    for tensor in (tensor for adapter in adapters for tensor in adapter.tensors if tensor.name.endswith(_HALVES[1])):
        name = _adapted(tensor)
        rows = plan.n_outputs_max if name == _HEAD else min(plan.n_ubatch, plan.n_ctx)
        rows *= max(experts_used, 1) if len(tensor.shape) > 2 else 1
        size = _F32 * rows * sum(tensor.shape[:2])
        for device in homes.get(name or "", ()):
            most[device] = max(most.get(device, 0), size)
    return most


def _adapted(tensor: TensorInfo) -> str | None:
    """The model's tensor that a tensor of an adapter belongs to; None for what the engine does not use."""
    return next((tensor.name.removesuffix(half) for half in _HALVES if tensor.name.endswith(half)), None)
