"""An image or a sound, made up here, read through a projector with libmtmd. For native_child.py only."""

import ctypes
import math
from typing import Any

import llama_cpp.llama_cpp as llama
import llama_cpp.mtmd_cpp as mtmd

from tests.support.models.projectors import SAMPLE_RATE

SIDE = 100
SECONDS = 2


def read(model: Any, context: Any, request: dict[str, Any]) -> dict[str, Any]:
    """Feed the prompt, with the picture or sound where its marker stands; return how much it took."""
    reader = _open(model, request["projector"])
    medium = _sound(request["pitch"]) if "pitch" in request else _image(request["shade"])
    chunks = mtmd.mtmd_input_chunks_init()
    raw = request["prompt"].encode()
    text = mtmd.mtmd_input_text(raw, len(raw), True, True)
    media = (mtmd.mtmd_bitmap_p_ctypes * 1)(medium)
    status = mtmd.mtmd_tokenize(reader, chunks, ctypes.byref(text), media, 1)
    assert status == 0, f"mtmd_tokenize: {status}"
    end = llama.llama_pos(0)
    status = mtmd.mtmd_helper_eval_chunks(reader, context, chunks, 0, 0, 512, True, ctypes.byref(end))
    assert status == 0, f"mtmd_helper_eval_chunks: {status}"
    counts = [
        mtmd.mtmd_input_chunk_get_n_tokens(mtmd.mtmd_input_chunks_get(chunks, index))
        for index in range(mtmd.mtmd_input_chunks_size(chunks))
    ]
    return {
        "chunk_tokens": counts,
        "positions": end.value,
        "vision": mtmd.mtmd_support_vision(reader),
        "audio": mtmd.mtmd_support_audio(reader),
    }


def _open(model: Any, projector: str) -> Any:
    parameters = mtmd.mtmd_context_params_default()
    parameters.use_gpu, parameters.print_timings, parameters.warmup, parameters.n_threads = False, False, False, 2
    reader = mtmd.mtmd_init_from_file(projector.encode(), model, parameters)
    assert reader, "the projector does not load"
    return reader


def _image(shade: int) -> Any:
    """A square that becomes lighter to the right, from `shade` on."""
    pixels = bytes((shade + column) % 256 for _ in range(SIDE) for column in range(SIDE) for _ in range(3))
    return mtmd.mtmd_bitmap_init(SIDE, SIDE, (ctypes.c_uint8 * len(pixels))(*pixels))


def _sound(pitch: float) -> Any:
    """A tone of `pitch` Hz."""
    count = SECONDS * SAMPLE_RATE
    samples = (math.sin(2 * math.pi * pitch * index / SAMPLE_RATE) for index in range(count))
    return mtmd.mtmd_bitmap_init_from_audio(count, (ctypes.c_float * count)(*samples))
