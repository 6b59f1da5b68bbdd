"""What the engine made of a plan, from its own log and its own figures."""

import ctypes
from collections.abc import Mapping
from typing import Any

import llama_cpp.llama_cpp as llama

from desktop.engine.protocol import DeviceMemory, LoadedModel, LoadPlan
from desktop.runtime.engine_log import assigned_layers, buffer_sizes
from desktop.runtime.loading.notes import lock_notes
from desktop.runtime.loading.plan_checks import check_placement


def describe(
    plan: LoadPlan, *, model: Any, context: Any, lines: list[str], aliases: Mapping[str, str], has_template: bool
) -> LoadedModel:
    """Tell what was loaded. lines: of the load's log; aliases: device by name of an RPC buffer.

    Raises EngineError(LOAD_FAILED) where a layer is not where the plan wants it.
    """
    layers = assigned_layers(lines)
    check_placement(plan, layers)
    return LoadedModel(
        name=plan.model_name,
        architecture=read_metadata(model, "general.architecture"),
        n_layer=llama.llama_model_n_layer(model),
        n_ctx=llama.llama_n_ctx(context),
        n_ctx_train=llama.llama_model_n_ctx_train(model),
        n_vocab=llama.llama_vocab_n_tokens(llama.llama_model_get_vocab(model)),
        n_params=llama.llama_model_n_params(model),
        n_threads=llama.llama_n_threads(context),
        n_parallel=plan.n_parallel,
        has_chat_template=has_template,
        layers=layers,
        memory=buffer_sizes(lines, aliases),
        load_seconds=0.0,
        n_embd_out=0 if plan.purpose == "chat" else outputs(plan, model),
        notes=lock_notes(lines) if plan.use_mlock else (),
    )


def outputs(plan: LoadPlan, model: Any) -> int:
    """Numbers per text: of its embedding, or of its ranking."""
    if plan.purpose == "rerank":
        return int(llama.llama_model_n_cls_out(model))
    return int(llama.llama_model_n_embd_out(model))


def add_memory(one: tuple[DeviceMemory, ...], other: tuple[DeviceMemory, ...]) -> tuple[DeviceMemory, ...]:
    """Add up what two models need on each device, in bytes."""
    sums = {memory.device: memory for memory in one}
    for memory in other:
        there = sums.get(memory.device, DeviceMemory(device=memory.device))
        sums[memory.device] = DeviceMemory(
            device=memory.device,
            weights=there.weights + memory.weights,
            kv=there.kv + memory.kv,
            compute=there.compute + memory.compute,
            overhead=there.overhead + memory.overhead,
        )
    return tuple(sums.values())


def read_metadata(model: Any, key: str) -> str:
    """A metadata entry of a loaded model as text (at most 255 bytes), "" where there is none."""
    buffer = ctypes.create_string_buffer(256)
    count: int = llama.llama_model_meta_val_str(model, key.encode(), buffer, len(buffer))
    return buffer.value.decode("utf-8", "replace") if count >= 0 else ""
