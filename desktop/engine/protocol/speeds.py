"""How fast a device is, measured without a model. Rates are per second, times seconds."""

import msgspec

from desktop.engine.protocol.failures import EngineFailure

NARROW_ROW, WIDE_ROW = 512, 4096
"""Values in a row of the weights that are measured: a small model's, a large one's. desktop/fit interpolates."""

PROMPT_TOKENS = 512
"""Tokens of a prompt that are read at once, where reading one is measured."""


class TypeSpeed(msgspec.Struct, frozen=True, kw_only=True):
    """Matrix products with weights of one type, as a model's are, in rows of many values (wide) and of few (narrow).

    kind: ggml's name ("q4_K"). read_*: bytes per second of weights while one token is written. compute_*: floating
    point operations per second while a prompt is read. spread: slowest over fastest of the repeated measurements.
    """

    kind: str
    read_wide: float
    read_narrow: float
    compute_wide: float
    compute_narrow: float
    spread: float = 1.0


class AttentionSpeed(msgspec.Struct, frozen=True, kw_only=True):
    """Attention over a KV cache: seconds per head and cell of it, for a token that is written, or read in a prompt.

    kind: type of the cache ("f16"). width: values of a head.
    """

    kind: str
    width: int
    decode: float
    prefill: float


class LayerSpeed(msgspec.Struct, frozen=True, kw_only=True):
    """What a layer takes beside its products and its attention: norms, positions, sums. Seconds per token.

    start: however narrow it is. value: per value of the residual stream.
    """

    start: float
    value: float


class DeviceSpeeds(msgspec.Struct, frozen=True, kw_only=True):
    """What the probe measured on one device, as the engine names it. threads: 0 on a graphics card.

    product: seconds that a product of matrices takes however small it is.
    """

    device: str
    description: str
    threads: int
    product: float
    decode_layer: LayerSpeed
    prefill_layer: LayerSpeed
    types: tuple[TypeSpeed, ...]
    attention: tuple[AttentionSpeed, ...]


class SpeedQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """Measure these devices (empty: all); the one line that a child of the role "speed-probe" reads.

    n_threads: of the processor, 0 takes as many as the engine would. types: of weights, empty takes all common ones.
    """

    devices: tuple[str, ...] = ()
    n_threads: int = 0
    types: tuple[str, ...] = ()
    rpc_endpoints: tuple[str, ...] = ()


class SpeedAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What the child says: many with a growing fraction, then one with fraction 1 and the devices, or a failure.

    engine: its version.
    """

    fraction: float
    engine: str
    devices: tuple[DeviceSpeeds, ...] = ()
    failure: EngineFailure | None = None
