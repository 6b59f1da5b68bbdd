"""How a model is loaded: the plan, and what the engine made of it. Sizes are bytes, lengths tokens."""

from typing import Literal

import msgspec

from desktop.engine.protocol.devices import DeviceMemory, Placement
from desktop.engine.protocol.failures import EngineFailure
from desktop.errors import Phrase

KvType = Literal["f32", "f16", "bf16", "q8_0", "q5_1", "q5_0", "q4_1", "q4_0", "iq4_nl"]
UNQUANTIZED_KV: frozenset[str] = frozenset({"f32", "f16", "bf16"})
FlashAttention = Literal["auto", "on", "off"]
SplitMode = Literal["none", "layer"]
Purpose = Literal["chat", "embedding", "rerank"]
Pooling = Literal["model", "mean", "cls", "last"]
Speculation = Literal["auto", "off", "prompt_lookup", "draft"]
SpeculationReason = Literal["", "switched_off", "cannot_go_back", "one_row", "no_draft", "when_faster"]
"""Codes, so that each face can say it in its own words; "" where nothing is known."""
Numa = Literal["off", "distribute", "isolate"]

MOST_CONTEXT = 1 << 24
"""Tokens, more than any model was trained for. The engine keeps a record of each in main memory, in a dry run too."""


class TensorOverride(msgspec.Struct, frozen=True, kw_only=True):
    """Tensors whose name matches `pattern` (a regular expression) live on `device`."""

    pattern: str
    device: str


class LoraAdapter(msgspec.Struct, frozen=True, kw_only=True):
    """An adapter on top of the weights; `scale` is what a request gets that does not say otherwise (0: off)."""

    path: str
    scale: float = 1.0


class CacheLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Where conversations wait that are not in the KV cache, so that they need not be read again.

    ram_bytes: of the first tier; 0 turns it off. disk_folder: of the second, shared by all models; empty turns it
    off. disk_bytes: the most that folder may hold; with 0 it is turned off, and what was kept there is removed.
    """

    ram_bytes: int = 0
    disk_folder: str = ""
    disk_bytes: int = 0


class LoadPlan(msgspec.Struct, frozen=True, kw_only=True):
    """Everything the engine needs to load a model, exactly as planned; the engine never fills a gap by itself.

    n_gpu_layers: how many of n_layer + 1 layers leave the CPU, counted from the END (the output head is the last).
    devices: engine names of the devices to use, in order; empty means CPU only.
    tensor_split: layers per entry of `devices`.
    n_parallel: requests that are answered at the same time. n_seq_max: sequences the KV cache can hold, those that
    wait for their next turn among them; at least n_parallel.
    n_outputs_max: rows of logits of one step; at least n_seq_max, more lets speculation check several tokens at once.
    n_threads: 0 lets the engine choose (physical cores). adapt_threads: fewer while other programs use the cores.
    purpose: an embedding or reranking model answers Embed or Rerank instead of Generate. pooling: of embeddings;
    "model" is what its file says.
    mmproj_path: a projector, for images and audio. draft_path: a small model of the same vocabulary that proposes
    tokens. speculation: "auto" uses what was measured to help on this machine.
    predicted: memory per device, as fit computed it; `exact` tells whether from the engine's own dry run.
    reasons: why the plan is as it is, in words, for the person.
    """

    model_path: str
    model_name: str
    n_ctx: int
    n_batch: int = 512
    n_ubatch: int = 512
    n_parallel: int = 1
    n_seq_max: int = 1
    n_outputs_max: int = 1
    n_threads: int = 0
    n_threads_batch: int = 0
    adapt_threads: bool = True
    numa: Numa = "off"
    warm_up: bool = True
    type_k: KvType = "f16"
    type_v: KvType = "f16"
    flash_attention: FlashAttention = "auto"
    swa_full: bool = False
    kv_unified: bool = True
    split_mode: SplitMode = "layer"
    n_gpu_layers: int = 0
    devices: tuple[str, ...] = ()
    tensor_split: tuple[int, ...] = ()
    tensor_overrides: tuple[TensorOverride, ...] = ()
    rpc_endpoints: tuple[str, ...] = ()
    use_mmap: bool = True
    use_mlock: bool = False
    lora: tuple[LoraAdapter, ...] = ()
    purpose: Purpose = "chat"
    pooling: Pooling = "model"
    mmproj_path: str = ""
    draft_path: str = ""
    speculation: Speculation = "auto"
    cache: CacheLimits = CacheLimits()
    placement: Placement | None = None
    predicted: tuple[DeviceMemory, ...] = ()
    exact: bool = False
    reasons: tuple[Phrase, ...] = ()


class LoadedModel(msgspec.Struct, frozen=True, kw_only=True):
    """What the engine really did with a plan.

    layers: device of each layer as the engine's log assigned it, index n_layer is the output head.
    memory: actual bytes per device, from the engine's own buffers.
    speculation: how replies are speculated ("off", "prompt_lookup", "draft"), and in speculation_reason why.
    "when_faster": reply by reply, where this machine's own steps were measured to gain. "switched_off": by the plan.
    "cannot_go_back": this kind of model cannot take a wrong guess out of its memory. "one_row": the plan has logits
    for one token per step. "no_draft": the plan wants a draft model and names none.
    n_embd_out: length of an embedding; 0 for a chat model. sees_images, hears_audio: a projector for it is loaded.
    notes: what did not go as planned though the model is usable, in words for the person.
    """

    name: str
    architecture: str
    n_layer: int
    n_ctx: int
    n_ctx_train: int
    n_vocab: int
    n_params: int
    n_threads: int
    has_chat_template: bool
    layers: tuple[str, ...]
    memory: tuple[DeviceMemory, ...]
    load_seconds: float
    n_parallel: int = 1
    speculation: Speculation = "off"
    speculation_reason: SpeculationReason = ""
    n_embd_out: int = 0
    sees_images: bool = False
    hears_audio: bool = False
    notes: tuple[Phrase, ...] = ()


class ImaginedDevice(msgspec.Struct, frozen=True, kw_only=True):
    """A graphics card that need not be there: the engine plans for it as for a real one, and computes nothing.

    remote: as the device of an RPC worker is, which takes over no products of layers that stay on the CPU.
    """

    name: str
    memory_total: int
    memory_free: int
    remote: bool = False


class FitQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """What would this plan need? Asked of a child of the role "dry-run", a JSON line each.

    plan: its model_path, draft_path and mmproj_path name stubs (gguf/stub.py) or whole files. imagined: devices that
    the plan names and that are not there.
    """

    question_id: int
    plan: LoadPlan
    imagined: tuple[ImaginedDevice, ...] = ()


class CacheSize(msgspec.Struct, frozen=True, kw_only=True):
    """One of the engine's caches (full attention, a window, a recurrent state): the device of each of its layers.

    size: bytes over all its layers, to 0.01 MiB.
    """

    size: int
    layers: tuple[str, ...]


class FitAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What the engine said to a FitQuestion: an answer or a failure.

    layers: the device of each layer, the output head last. caches: see there. compute: bytes per device.
    n_ctx: tokens that the context really has. seconds: what the answer took. engine: its version.
    draft: the same of the draft model, where the plan has one. projector: compute of the plan's projector per device.
    Adapters take none of the engine's time: what they add is arithmetic.
    """

    question_id: int
    engine: str
    layers: tuple[str, ...] = ()
    caches: tuple[CacheSize, ...] = ()
    compute: tuple[DeviceMemory, ...] = ()
    n_ctx: int = 0
    seconds: float = 0.0
    draft: "FitAnswer | None" = None
    projector: tuple[DeviceMemory, ...] = ()
    failure: EngineFailure | None = None
