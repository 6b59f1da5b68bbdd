"""The table of tensor types is ggml's own."""

import subprocess
import sys

import msgspec
import pytest

from desktop.gguf.types import GGML_TYPES, GGML_TYPES_BY_NAME

_ASK_THE_ENGINE = """
import ctypes, json, pathlib, llama_cpp
base = ctypes.CDLL(str(next((pathlib.Path(llama_cpp.__file__).parent / "lib").glob("*ggml-base*"))))
base.ggml_type_name.restype = ctypes.c_char_p
base.ggml_type_size.restype = ctypes.c_size_t
base.ggml_blck_size.restype = ctypes.c_int64
print(json.dumps([[c, base.ggml_type_name(c).decode(), base.ggml_blck_size(c), base.ggml_type_size(c)]
                  for c in range(43)]))
"""


def test_every_type_has_the_engines_own_size() -> None:
    answer = subprocess.run([sys.executable, "-c", _ASK_THE_ENGINE], capture_output=True, check=True, timeout=60)
    rows = msgspec.json.decode(answer.stdout, type=list[tuple[int, str, int, int]])
    known = {(row[0], row[1], row[2], row[3]) for row in rows if row[2] > 0}
    assert {tuple(kind) for kind in GGML_TYPES.values()} == known


@pytest.mark.parametrize(
    ("name", "width", "expected"), [("f16", 10, 20), ("q8_0", 64, 68), ("q8_0", 65, 102), ("q4_K", 256, 144)]
)
def test_a_row_takes_whole_blocks(name: str, width: int, expected: int) -> None:
    assert GGML_TYPES_BY_NAME[name].row_bytes(width) == expected


def test_bits_per_weight_hold_the_scales() -> None:
    assert GGML_TYPES_BY_NAME["q8_0"].bits_per_weight == 8.5
    assert GGML_TYPES_BY_NAME["q6_K"].bits_per_weight == 6.5625
