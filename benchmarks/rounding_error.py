"""What each tensor type loses of random weights, by the engine's functions: `python -m benchmarks.rounding_error`.

Normally distributed weights are quantized and restored without an importance matrix; printed is the squared error
relative to the squared weights, one JSON object. Takes some ten seconds with 16 rows.
"""

import argparse
import ctypes
import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from desktop.gguf.types import GGML_TYPES, GgmlType

ROWS, COLUMNS, SEED = 16, 4096, 1
NOT_FOR_WEIGHTS = ("q8_1", "q8_K")
"""Types of intermediate results."""


class _Traits(ctypes.Structure):
    """The beginning of ggml_type_traits in ggml.h."""

    _fields_ = [
        ("type_name", ctypes.c_char_p),
        ("blck_size", ctypes.c_int64),
        ("blck_size_interleave", ctypes.c_int64),
        ("type_size", ctypes.c_size_t),
        ("is_quantized", ctypes.c_bool),
        ("to_float", ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)),
    ]


def measured(rows: int = ROWS) -> dict[str, float]:
    """Return the relative squared error of every type that weights are quantized to."""
    library = _ggml()
    weights = np.random.default_rng(SEED).standard_normal((rows, COLUMNS)).astype(np.float32)
    errors = {}
    for kind in GGML_TYPES.values():
        traits = library.ggml_get_type_traits(kind.code).contents
        if traits.is_quantized and kind.name not in NOT_FOR_WEIGHTS:
            errors[kind.name] = _error(library, kind, traits, weights)
    return errors


def _error(library: Any, kind: GgmlType, traits: Any, weights: "np.ndarray[Any, np.dtype[np.float32]]") -> float:
    alike = np.ones(COLUMNS, np.float32)
    importance = alike.ctypes.data if library.ggml_quantize_requires_imatrix(kind.code) else None
    packed = np.zeros(kind.row_bytes(COLUMNS) * len(weights), np.uint8)
    library.ggml_quantize_chunk(
        kind.code, weights.ctypes.data, packed.ctypes.data, 0, len(weights), COLUMNS, importance
    )
    restored = np.zeros_like(weights)
    traits.to_float(packed.ctypes.data, restored.ctypes.data, weights.size)
    return float(np.square(restored - weights).sum() / np.square(weights).sum())


def _ggml() -> Any:
    found = importlib.util.find_spec("llama_cpp")
    if found is None or not found.submodule_search_locations:
        raise FileNotFoundError("llama_cpp")
    folder = Path(next(iter(found.submodule_search_locations))) / "lib"
    library = ctypes.CDLL(str(next(folder.glob("*ggml-base*"))))
    library.ggml_get_type_traits.restype = ctypes.POINTER(_Traits)
    library.ggml_quantize_requires_imatrix.restype = ctypes.c_bool
    library.ggml_quantize_chunk.restype = ctypes.c_size_t
    pointer, number = ctypes.c_void_p, ctypes.c_int64
    library.ggml_quantize_chunk.argtypes = [ctypes.c_int, pointer, pointer, number, number, number, pointer]
    return library


def main() -> int:
    """Print them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=ROWS, help="of 4096 weights")
    errors = measured(parser.parse_args().rows)
    json.dump({name: float(f"{error:.4g}") for name, error in errors.items()}, sys.stdout, indent=1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
