"""How fast a device is, measured without a model. Rates are per second, times seconds, sizes bytes."""

import msgspec


class TypeSpeed(msgspec.Struct, frozen=True, kw_only=True):
    """Matrix products with weights of one type.

    kind: ggml's name ("q4_K"). byte_seconds: per byte of weights that one token reads; row_seconds: per row of a matrix
    beside that. flops: multiplications and additions per second while a prompt is read. spread: of the repeated
    measurements, slowest over fastest.
    """

    kind: str
    byte_seconds: float
    row_seconds: float
    flops: float
    spread: float = 1.0


class DeviceSpeeds(msgspec.Struct, frozen=True, kw_only=True):
    """What the probe measured on one device. threads: 0 on a graphics card."""

    device: str
    description: str
    threads: int = 0
    types: tuple[TypeSpeed, ...] = ()
