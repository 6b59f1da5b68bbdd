"""What crosses between the app and its engine child: messages, and the values inside them.

Wire format: one JSON object per line, UTF-8, on the child's stdin and stdout; each has a `type`, the first in each
direction a `version`. Sizes are bytes, times seconds, lengths tokens. Values are declared here so that `fit` (which
fills a LoadPlan), `engine` and `runtime` can grow apart.
"""

from enum import StrEnum
from typing import Literal

import msgspec

from desktop.errors import Phrase

PROTOCOL_VERSION = 1

EXIT_VERSION_MISMATCH = 64  # of a child that was opened by an app of another protocol version
EXIT_ENGINE_MISSING = 65  # of a child that could not load the engine's libraries

KvType = Literal["f32", "f16", "bf16", "q8_0", "q5_1", "q5_0", "q4_1", "q4_0", "iq4_nl"]
FlashAttention = Literal["auto", "on", "off"]
SplitMode = Literal["none", "layer"]
FinishReason = Literal["stop", "length", "cancelled", "context_full"]
Role = Literal["system", "user", "assistant", "tool"]


class DeviceKind(StrEnum):
    """What ggml says a device is."""

    CPU = "cpu"
    GPU = "gpu"
    INTEGRATED = "igpu"
    ACCELERATOR = "accel"


class EngineDevice(msgspec.Struct, frozen=True, kw_only=True):
    """A device the engine can compute on, in the engine's own order and with its own name ("CUDA0", "RPC0[...]")."""

    name: str
    description: str
    kind: DeviceKind
    backend: str
    memory_total: int
    memory_free: int
    pci_address: str | None = None


class EngineInfo(msgspec.Struct, frozen=True, kw_only=True):
    """Which engine a child runs."""

    version: str
    system_info: str
    supports_gpu_offload: bool
    supports_rpc: bool
    devices: tuple[EngineDevice, ...]


class Placement(msgspec.Struct, frozen=True, kw_only=True):
    """Where each layer of a model lives.

    layers: one device name per layer; the last entry (index n_layer) is the output head.
    tensor_split: layers per GPU, in the engine's device order; integers, so that it never depends on free memory.
    """

    layers: tuple[str, ...]
    tensor_split: tuple[int, ...] = ()


class DeviceMemory(msgspec.Struct, frozen=True, kw_only=True):
    """What a model needs on one device, in bytes."""

    device: str
    weights: int = 0
    kv: int = 0
    compute: int = 0
    overhead: int = 0

    @property
    def total(self) -> int:
        """Sum of all parts, in bytes."""
        return self.weights + self.kv + self.compute + self.overhead


class TensorOverride(msgspec.Struct, frozen=True, kw_only=True):
    """Tensors whose name matches `pattern` (a regular expression) live on `device`."""

    pattern: str
    device: str


class LoraAdapter(msgspec.Struct, frozen=True, kw_only=True):
    """An adapter applied on top of the weights."""

    path: str
    scale: float = 1.0


class LoadPlan(msgspec.Struct, frozen=True, kw_only=True):
    """Everything the engine needs to load a model, exactly as planned; the engine never fills a gap by itself.

    n_gpu_layers: how many of n_layer + 1 layers leave the CPU, counted from the END (the output head is the last).
    devices: engine names of the devices to use, in order; empty means CPU only.
    tensor_split: layers per entry of `devices`.
    n_threads: 0 lets the engine choose (physical cores).
    predicted: memory per device, as fit computed it; `exact` tells whether from the engine's own dry run.
    reasons: why the plan is as it is, in words, for the person.
    """

    model_path: str
    model_name: str
    n_ctx: int
    n_batch: int = 512
    n_ubatch: int = 512
    n_seq_max: int = 1
    n_outputs_max: int = 1
    n_threads: int = 0
    n_threads_batch: int = 0
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
    placement: Placement | None = None
    predicted: tuple[DeviceMemory, ...] = ()
    exact: bool = False
    reasons: tuple[Phrase, ...] = ()


class LoadedModel(msgspec.Struct, frozen=True, kw_only=True):
    """What the engine really did with a plan.

    layers: device of each layer as the engine's log assigned it, index n_layer is the output head.
    memory: actual bytes per device, from the engine's own buffers.
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


class FitQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """What would this plan need? Asked of the engine's dry run over a header-only file."""

    question_id: str
    plan: LoadPlan


class FitAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Memory per device and placement for a FitQuestion; `exact` when the engine itself answered."""

    question_id: str
    memory: tuple[DeviceMemory, ...]
    placement: Placement
    exact: bool


class FailureKind(StrEnum):
    """Why the engine, a load or a request failed; engine/failure.py turns each into words with a next step."""

    OUT_OF_MEMORY = "out_of_memory"
    FILE_MISSING = "file_missing"
    NOT_A_MODEL = "not_a_model"
    CORRUPT_FILE = "corrupt_file"
    UNSUPPORTED_ARCHITECTURE = "unsupported_architecture"
    DEVICE_MISSING = "device_missing"
    WORKER_UNREACHABLE = "worker_unreachable"
    NO_CHAT_TEMPLATE = "no_chat_template"
    BAD_CHAT_TEMPLATE = "bad_chat_template"
    CONTEXT_FULL = "context_full"
    NO_MODEL = "no_model"
    BAD_REQUEST = "bad_request"
    VERSION_MISMATCH = "version_mismatch"
    ENGINE_MISSING = "engine_missing"
    ILLEGAL_INSTRUCTION = "illegal_instruction"
    SEGMENTATION_FAULT = "segmentation_fault"
    ABORTED = "aborted"
    KILLED = "killed"
    UNRESPONSIVE = "unresponsive"
    EXITED = "exited"
    LOAD_FAILED = "load_failed"
    CANCELLED = "cancelled"
    INTERNAL = "internal"


class EngineFailure(msgspec.Struct, frozen=True, kw_only=True):
    """A failure as plain data.

    exit_code: of the child, negative for a signal, None while it lives. last_lines: the end of its stderr.
    arguments: what the words need (device, path, architecture, needed and available tokens ...).
    """

    kind: FailureKind
    detail: str = ""
    exit_code: int | None = None
    last_lines: tuple[str, ...] = ()
    arguments: dict[str, str] = {}


class PromptMessage(msgspec.Struct, frozen=True, kw_only=True):
    """One turn of a conversation as the model sees it."""

    role: Role
    content: str


class Sampling(msgspec.Struct, frozen=True, kw_only=True):
    """How the next token is chosen.

    max_length: the most NEW tokens of one reply; 0: up to the end of the context. Off is: top_k 0, top_p 1, min_p 0,
    repeat_penalty 1, the other penalties 0. temperature 0 is greedy; seed None draws one.
    """

    temperature: float = 0.8
    top_p: float = 0.95
    max_length: int = 1024
    top_k: int = 40
    min_p: float = 0.05
    repeat_penalty: float = 1.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    seed: int | None = None
    stop: tuple[str, ...] = ()


class GenerationStats(msgspec.Struct, frozen=True, kw_only=True):
    """Figures of one reply. Times in seconds, speeds in tokens per second (0 where nothing was measured)."""

    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    ttft: float = 0.0
    prefill_speed: float = 0.0
    decode_speed: float = 0.0
    seconds: float = 0.0
    context_used: int = 0
    seed: int = 0


class Command(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag=True):
    """Base of what the app says."""


class Open(Command, frozen=True):
    """The first message: which protocol the app speaks."""

    version: int = PROTOCOL_VERSION


class Load(Command, frozen=True):
    """Load a model; answered by LoadProgress ... Loaded or LoadFailed. Replaces a loaded model.

    load_id: comes back in every answer, so that the end of a load that was given up is not taken for that of the next.
    """

    plan: LoadPlan
    load_id: int = 0


class CancelLoad(Command, frozen=True):
    """Give up the load that runs; it ends with LoadFailed(CANCELLED), or with Loaded when it was just done."""


class Generate(Command, frozen=True):
    """Answer a conversation; answered by deltas and one Done or RequestFailed."""

    request_id: str
    messages: tuple[PromptMessage, ...]
    sampling: Sampling
    continue_last: bool = False


class Cancel(Command, frozen=True):
    """Stop a request; it ends with Done(finish_reason="cancelled")."""

    request_id: str


class Ping(Command, frozen=True):
    """Heartbeat; answered by Pong even while tokens are made."""

    nonce: int


class Shutdown(Command, frozen=True):
    """End the child in good order."""


AppMessage = Open | Load | CancelLoad | Generate | Cancel | Ping | Shutdown


class Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag=True):
    """Base of what the child says."""


class Hello(Event, frozen=True):
    """The first message: the child is up and this is what it can use."""

    version: int
    pid: int
    engine: EngineInfo


class LoadProgress(Event, frozen=True):
    """How far a load came, 0 to 1."""

    fraction: float
    load_id: int = 0


class Loaded(Event, frozen=True):
    """The model is ready."""

    model: LoadedModel
    load_id: int = 0


class LoadFailed(Event, frozen=True):
    """The load ended without a model."""

    failure: EngineFailure
    load_id: int = 0


class PromptProgress(Event, frozen=True):
    """Prefill: tokens read so far, of all."""

    request_id: str
    done: int
    total: int


class TextDelta(Event, frozen=True):
    """New text of a reply."""

    request_id: str
    text: str


class ReasoningDelta(Event, frozen=True):
    """New text of a reply's reasoning block."""

    request_id: str
    text: str


class ToolCallDelta(Event, frozen=True):
    """A piece of a tool call: the name comes first, arguments are JSON text in pieces."""

    request_id: str
    index: int
    name: str
    arguments: str


class Done(Event, frozen=True):
    """The end of a reply."""

    request_id: str
    finish_reason: FinishReason
    stats: GenerationStats


class RequestFailed(Event, frozen=True):
    """A reply that ended in a failure; other requests go on."""

    request_id: str
    failure: EngineFailure


class Pong(Event, frozen=True):
    """Answer to Ping."""

    nonce: int


ReplyPart = PromptProgress | TextDelta | ReasoningDelta | ToolCallDelta | Done
"""What a reply consists of; Done is the last."""
EngineMessage = Hello | LoadProgress | Loaded | LoadFailed | Pong | ReplyPart | RequestFailed
