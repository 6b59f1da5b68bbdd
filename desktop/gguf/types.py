"""Sizes of ggml's tensor types: how many weights share a block, and how many bytes a block has.

Source: `type_traits` in ggml/src/ggml.c of the vendored llama.cpp; a test compares every row with the engine's own
ggml_blck_size and ggml_type_size.
"""

from typing import NamedTuple


class GgmlType(NamedTuple):
    """A tensor type. code: as a GGUF stores it; block_size: weights per block; block_bytes: bytes per block."""

    code: int
    name: str
    block_size: int
    block_bytes: int

    @property
    def bits_per_weight(self) -> float:
        """Bits that one weight takes, its share of the scales included."""
        return self.block_bytes * 8 / self.block_size

    def row_bytes(self, width: int) -> int:
        """Bytes of a row of `width` values, rounded up to whole blocks."""
        return -(-width // self.block_size) * self.block_bytes


_ROWS = (
    (0, "f32", 1, 4),
    (1, "f16", 1, 2),
    (2, "q4_0", 32, 18),
    (3, "q4_1", 32, 20),
    (6, "q5_0", 32, 22),
    (7, "q5_1", 32, 24),
    (8, "q8_0", 32, 34),
    (9, "q8_1", 32, 36),
    (10, "q2_K", 256, 84),
    (11, "q3_K", 256, 110),
    (12, "q4_K", 256, 144),
    (13, "q5_K", 256, 176),
    (14, "q6_K", 256, 210),
    (15, "q8_K", 256, 292),
    (16, "iq2_xxs", 256, 66),
    (17, "iq2_xs", 256, 74),
    (18, "iq3_xxs", 256, 98),
    (19, "iq1_s", 256, 50),
    (20, "iq4_nl", 32, 18),
    (21, "iq3_s", 256, 110),
    (22, "iq2_s", 256, 82),
    (23, "iq4_xs", 256, 136),
    (24, "i8", 1, 1),
    (25, "i16", 1, 2),
    (26, "i32", 1, 4),
    (27, "i64", 1, 8),
    (28, "f64", 1, 8),
    (29, "iq1_m", 256, 56),
    (30, "bf16", 1, 2),
    (34, "tq1_0", 256, 54),
    (35, "tq2_0", 256, 66),
    (39, "mxfp4", 32, 17),
    (40, "nvfp4", 64, 36),
    (41, "q1_0", 128, 18),
    (42, "q2_0", 64, 18),
)

GGML_TYPES: dict[int, GgmlType] = {row[0]: GgmlType(*row) for row in _ROWS}
"""By the code a GGUF stores. Codes that are not here were removed from ggml or are newer than this table."""

GGML_TYPES_BY_NAME: dict[str, GgmlType] = {kind.name: kind for kind in GGML_TYPES.values()}
"""By ggml's own name ("q4_K", "iq2_xxs")."""
