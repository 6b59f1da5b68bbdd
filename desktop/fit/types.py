"""Answers about fit, as plain values. Sizes are bytes, speeds tokens per second."""

from typing import Literal, NamedTuple

import msgspec

from desktop.engine.protocol import DeviceMemory, KvType, Placement
from desktop.errors import Phrase

Verdict = Literal["fits", "tight", "partial", "does_not_fit"]
"""fits: with its margin everywhere; tight: without the margin; partial: some layers stay on the CPU; does_not_fit."""

QualityWord = Literal["lossless in practice", "near-lossless", "good", "acceptable", "poor"]

KeptKind = Literal["experts", "feed_forward"]


class Kept(NamedTuple):
    """Tensors of the first `blocks` blocks that stay on the CPU though their blocks are on a graphics card."""

    kind: KeptKind
    blocks: int


class Speed(msgspec.Struct, frozen=True, kw_only=True):
    """Expected decode and prefill speed, an interval; `measured` when this machine's own runs stand behind it.

    prefill: the middle of its interval; None while the machine was not measured, as its bounds.
    """

    decode_low: float
    decode_high: float
    prefill: float | None = None
    prefill_low: float | None = None
    prefill_high: float | None = None
    measured: bool = False

    @property
    def decode(self) -> float:
        """The middle of the interval."""
        return (self.decode_low + self.decode_high) / 2


class Quality(msgspec.Struct, frozen=True, kw_only=True):
    """Loss by quantization: mean KL divergence to f16 (nats), and its word.

    source: "mix" when the tensor types in the file's header were scored, "name" when only its quantization is known.
    """

    kld: float
    word: QualityWord
    source: Literal["mix", "name"] = "name"


class DeviceBudget(msgspec.Struct, frozen=True, kw_only=True):
    """A device as fit sees it: what may be used of it. `margin` is kept free on top of everything predicted.

    overhead: what the driver or the program itself takes. bandwidth: theoretical, bytes per second.
    shares_ram: its memory is main memory, so what it holds counts there too.
    """

    name: str
    label: str
    total: int
    free: int
    is_gpu: bool
    bandwidth: float | None = None
    overhead: int = 0
    margin: int = 0
    shares_ram: bool = False

    @property
    def usable(self) -> int:
        """Bytes for weights, KV cache and compute buffers."""
        return max(self.free - self.overhead - self.margin, 0)


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """One way to run one model on one machine, with its reasons.

    download_size: bytes of the file; `size_is_estimate` when computed from parameters and bits per weight.
    missing: bytes that would have to be free in addition (0 unless the verdict is does_not_fit).
    kept: what stays on the CPU of layers that are off it.
    spare: bytes left free after margin on the tightest device. exact: the engine itself answered.
    installed_as: of a file of the Hub that is on this disk the id of that model; the catalog's go by their own ids.
    """

    model_id: str
    model_name: str
    publisher: str
    licence: str
    quantization: str
    repo: str
    file: str
    download_size: int
    size_is_estimate: bool
    context: int
    kv: KvType
    n_gpu_layers: int
    n_layer: int
    placement: Placement
    kept: Kept | None = None
    memory: tuple[DeviceMemory, ...]
    verdict: Verdict
    missing: int = 0
    spare: int = 0
    speed: Speed
    quality: Quality
    capability: float
    installed: bool = False
    installed_as: str = ""
    exact: bool = False
    reasons: tuple[Phrase, ...] = ()

    @property
    def memory_total(self) -> int:
        """Bytes over all devices."""
        return sum(part.total for part in self.memory)

    @property
    def fits(self) -> bool:
        """Whether there is room for it, the margins included, be it with layers on the CPU."""
        return self.verdict in ("fits", "partial")

    @property
    def can_run(self) -> bool:
        """Whether it may be tried: what fits, and what would leave less free than it should."""
        return self.verdict != "does_not_fit"

    @property
    def is_refused(self) -> bool:
        """Whether the engine cannot use the file, or its header contradicts itself: the first reason says why."""
        return not self.exact and not self.can_run and not self.missing


class Recommendation(msgspec.Struct, frozen=True, kw_only=True):
    """Ranked choices for one machine, best first; then everything that was left out, with its verdict."""

    context: int
    budgets: tuple[DeviceBudget, ...]
    choices: tuple[Choice, ...]
    rejected: tuple[Choice, ...] = ()
    notes: tuple[Phrase, ...] = ()
