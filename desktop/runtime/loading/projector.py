"""A projector: the eye or ear beside a chat model (libmtmd)."""

import ctypes
import hashlib
import os
import weakref
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import llama_cpp.llama_cpp as llama
import llama_cpp.mtmd_cpp as mtmd
import numpy as np

from desktop.engine.protocol import Attachment, FailureKind, LoadPlan
from desktop.runtime.devices.backends import Ggml
from desktop.runtime.engine_log import EngineLog
from desktop.runtime.failures import EngineError, decode_load_failure
from desktop.runtime.loading.parameters import FLASH_ATTENTION, find_device, planned_threads
from desktop.runtime.media.images import check_image
from desktop.runtime.media.places import pseudo_tokens
from desktop.runtime.media.refusal import refuse
from desktop.runtime.media.sounds import check_sound

LARGEST = 20 << 20
"""Bytes of one attached file."""
MOST = 16
"""Attachments of one request."""
STOPPED = -1000
"""What reading a chunk comes to that was given up; no code of llama_decode."""
_NODES = 8
"""Of the projector's graph that are computed between two looks at whether to go on."""
_ROWS = 256
"""Of a chunk that are decoded between two such looks, unless it must be read as a whole."""
_TEXT = 0  # enum mtmd_input_chunk_type of mtmd.h
_NOWHERE = os.fsencode(Path(os.devnull) / "none")


class MediaChunk:
    """A piece of a prompt that is read through the projector. places: in the context; cells: of the KV cache.

    With M-RoPE an image takes more cells than places; everything else takes as many.
    """

    def __init__(self, owner: Any, handle: Any, name: bytes) -> None:
        self._owner, self.handle = owner, handle  # the owner frees the handle
        self.cells = int(mtmd.mtmd_input_chunk_get_n_tokens(handle))
        self.tokens = pseudo_tokens(name, int(mtmd.mtmd_input_chunk_get_n_pos(handle)))


class MediaPrompt(NamedTuple):
    """tokens: of text, and pseudo tokens of media; chunks: by their first pseudo token."""

    tokens: list[int]
    chunks: dict[int, MediaChunk]


class Piece(NamedTuple):
    """A stretch of text, or (where `attachment` is set) a file."""

    text: str = ""
    literal: bool = False
    attachment: Attachment | None = None


class Projector:
    """The projector at plan.mmproj_path for a model. Raises EngineError(LOAD_FAILED ...) with the path.

    on_progress: told the fraction loaded, returns whether to go on.
    """

    def __init__(
        self, plan: LoadPlan, model: Any, *, ggml: Ggml, log: EngineLog, on_progress: Callable[[float], bool]
    ) -> None:
        self._plan, self._log = plan, log
        self._free: Callable[[], object] = lambda: None
        mtmd.mtmd_helper_log_set(log.callback, None)
        parameters = mtmd.mtmd_context_params_default()
        parameters.use_gpu = bool(plan.devices)
        parameters.device = find_device(ggml, plan.devices[0]) if plan.devices else None
        parameters.n_threads = planned_threads(plan)[1]
        parameters.flash_attn_type = FLASH_ATTENTION[plan.flash_attention]
        parameters.print_timings, parameters.warmup = False, plan.warm_up
        self._go_on: Callable[[], bool] = lambda: True
        self._nodes = 0
        self._on_node = llama.ggml_backend_sched_eval_callback(self._look)
        self._on_rows = mtmd.mtmd_helper_post_decode_callback(lambda _rows, _data: 0 if self._go_on() else STOPPED)
        parameters.cb_eval = self._on_node
        callback = mtmd.mtmd_progress_callback(lambda fraction, _data: on_progress(fraction))
        parameters.progress_callback = callback
        mark = log.mark()
        self._native = mtmd.mtmd_init_from_file(os.fsencode(plan.mmproj_path), model, parameters)
        if not self._native:
            if not on_progress(1.0):
                raise EngineError(FailureKind.CANCELLED, "the load was cancelled")
            raise self._load_failure(mark)
        self._free = weakref.finalize(self, mtmd.mtmd_free, self._native)
        self.sees_images = bool(mtmd.mtmd_support_vision(self._native))
        self.hears_audio = bool(mtmd.mtmd_support_audio(self._native))
        self.marker = mtmd.mtmd_default_marker().decode()

    def close(self) -> None:
        """Free it; safe to call twice."""
        self._free()

    def read(self, pieces: Sequence[Piece]) -> MediaPrompt:
        """Tokenize text and files together: some models put marks around media, between their parts, and count them.

        Raises EngineError(BAD_MEDIA) for files that cannot be used.
        """
        files = [piece.attachment for piece in pieces if piece.attachment is not None]
        check_attachments(files, sees_images=self.sees_images, hears_audio=self.hears_audio)
        bitmaps = [self._decode(attachment) for attachment in files]
        owner = _Chunks()
        native = _NativeParts(pieces, bitmaps)
        mark = self._log.mark()
        status = mtmd.mtmd_tokenize_from_parts(self._native, owner.handle, native.pointers, len(pieces), False)
        if status != 0:
            raise refuse(f"the projector cannot take it: {self._last_words(mark)}")
        return self._collect(owner)

    def encode_into(
        self,
        context: Any,
        chunk: MediaChunk,
        *,
        position: int,
        sequence: int,
        n_batch: int,
        go_on: Callable[[], bool],
    ) -> int:
        """Put a chunk into the KV cache; returns what llama_decode returns, or STOPPED.

        go_on: asked now and then, since an image can take a minute on a slow machine. Raises EngineError(INTERNAL)
        where the projector fails.
        """
        self._go_on = go_on
        try:
            return self._encode_into(context, chunk, position, sequence, n_batch)
        finally:
            self._go_on = lambda: True

    def _encode_into(self, context: Any, chunk: MediaChunk, position: int, sequence: int, n_batch: int) -> int:
        mark = self._log.mark()
        if mtmd.mtmd_encode_chunk(self._native, chunk.handle) != 0:
            raise EngineError(FailureKind.INTERNAL, f"the projector failed: {self._last_words(mark)}")
        if not self._go_on():
            return STOPPED
        values = mtmd.mtmd_get_output_embd(self._native)
        width = int(llama.llama_model_n_embd_inp(llama.llama_get_model(context)))
        # What is no number would stay in the KV cache that all requests share: attention multiplies the cells of the
        # others by zero, and that is no number either.
        if not np.isfinite(np.ctypeslib.as_array(values, shape=(chunk.cells * width,))).all():
            raise EngineError(FailureKind.INTERNAL, "the projector computes values that are no numbers")
        whole = mtmd.mtmd_decode_use_non_causal(self._native, chunk.handle)
        end = llama.llama_pos(0)
        return int(
            mtmd.mtmd_helper_decode_image_chunk(
                self._native,
                context,
                chunk.handle,
                values,
                position,
                sequence,
                n_batch if whole else min(n_batch, _ROWS),
                ctypes.byref(end),
                self._on_rows,
                None,
            )
        )

    def _look(self, _tensor: int, ask: bool, _data: int) -> bool:
        """Tell ggml, which asks before each node, whether to stop after it, and then whether to go on."""
        if not ask:
            return self._go_on()
        self._nodes += 1
        return self._nodes % _NODES == 0

    def _collect(self, owner: "_Chunks") -> MediaPrompt:
        tokens: list[int] = []
        chunks: dict[int, MediaChunk] = {}
        seen: Counter[bytes] = Counter()
        for handle in owner:
            if mtmd.mtmd_input_chunk_get_type(handle) == _TEXT:
                tokens += _text_tokens(handle)
                continue
            name = mtmd.mtmd_input_chunk_get_id(handle) or b""
            chunk = MediaChunk(owner, handle, name + b" %d" % seen[name])
            seen[name] += 1
            self._check_size(chunk)
            chunks[chunk.tokens[0]] = chunk
            tokens += chunk.tokens
        return MediaPrompt(tokens, chunks)

    def _check_size(self, chunk: MediaChunk) -> None:
        """llama_decode aborts where attention that looks ahead does not get its rows in one piece."""
        if not chunk.tokens:
            raise refuse("the projector makes nothing of it")
        most = min(self._plan.n_batch, self._plan.n_ubatch)
        if chunk.cells > most and mtmd.mtmd_decode_use_non_causal(self._native, chunk.handle):
            raise refuse(f"it takes {chunk.cells} tokens, and the plan's batch is only {most}")

    def _decode(self, attachment: Attachment) -> "_Bitmap":
        data = check_sound(attachment.data) if attachment.kind == "audio" else attachment.data
        if attachment.kind == "image":
            check_image(data)
        options = mtmd.mtmd_helper_init_opt_default()
        # What stb_image cannot read is handed to the ffprobe and ffmpeg of the PATH otherwise.
        options.video_params.ffmpeg_bin_dir = _NOWHERE
        buffer = (ctypes.c_uint8 * len(data)).from_buffer_copy(data)
        bitmap = mtmd.mtmd_helper_bitmap_init_from_buf(self._native, buffer, len(data), False, options)
        if not bitmap:
            raise refuse(f"the {attachment.kind} file is damaged")
        name = hashlib.sha256(attachment.kind.encode() + data).hexdigest().encode()
        return _Bitmap(bitmap, name)

    def _last_words(self, mark: int) -> str:
        return next(filter(None, reversed(self._log.problems_since(mark))), "it gives no reason")

    def _load_failure(self, mark: int) -> EngineError:
        told = self._log.problems_since(mark)
        path = self._plan.mmproj_path
        found = decode_load_failure(told, path)
        if found.failure.kind == FailureKind.OUT_OF_MEMORY:
            return found
        # libmtmd says why in one line, and may add a hint and an empty one.
        reason = next((line.partition("error: ")[2] for line in told if "error: " in line), found.failure.detail)
        detail = f"the projector {Path(path).name} does not load: {reason}"
        return EngineError(FailureKind.LOAD_FAILED, detail, last_lines=told[-20:], path=path)


def check_attachments(files: Sequence[Attachment], *, sees_images: bool, hears_audio: bool) -> None:
    """Raise EngineError(BAD_MEDIA) for too many files, too large ones, and kinds the model does not take."""
    if len(files) > MOST:
        raise refuse(f"{len(files)} files are attached, at most {MOST} can be read at once")
    for file in files:
        if len(file.data) > LARGEST:
            raise refuse(f"the file has {len(file.data) >> 20} MiB, at most {LARGEST >> 20} can be read")
        if file.kind == "image" and not sees_images:
            raise refuse("this model cannot see images")
        if file.kind == "audio" and not hears_audio:
            raise refuse("this model cannot hear audio")


class _Bitmap:
    """A decoded file; freed with this object."""

    def __init__(self, handle: Any, name: bytes) -> None:
        self.handle = handle
        weakref.finalize(self, mtmd.mtmd_bitmap_free, handle).atexit = False
        mtmd.mtmd_bitmap_set_id(handle, name)


class _Chunks:
    """A native list of chunks; freed with the last MediaChunk of it."""

    def __init__(self) -> None:
        self.handle = mtmd.mtmd_input_chunks_init()
        weakref.finalize(self, mtmd.mtmd_input_chunks_free, self.handle).atexit = False

    def __iter__(self) -> Iterator[Any]:
        return (
            mtmd.mtmd_input_chunks_get(self.handle, index) for index in range(mtmd.mtmd_input_chunks_size(self.handle))
        )


class _NativeParts:
    """An array of pointers to mtmd_input_part, and all that they point to."""

    def __init__(self, pieces: Sequence[Piece], bitmaps: Sequence[_Bitmap]) -> None:
        self._bitmaps, left = bitmaps, iter(bitmaps)
        self._parts = [self._text(piece) if piece.attachment is None else self._file(next(left)) for piece in pieces]
        pointer = ctypes.POINTER(mtmd.mtmd_input_part)
        self.pointers = (pointer * len(pieces))(*(ctypes.pointer(part) for part in self._parts))

    @staticmethod
    def _text(piece: Piece) -> Any:
        raw = piece.text.encode("utf-8", "replace")
        text = mtmd.mtmd_input_text(raw, len(raw), False, not piece.literal)
        return mtmd.mtmd_input_part(ctypes.pointer(text), None)

    @staticmethod
    def _file(bitmap: _Bitmap) -> Any:
        return mtmd.mtmd_input_part(None, bitmap.handle)


def _text_tokens(handle: Any) -> list[int]:
    count = ctypes.c_size_t(0)
    tokens = mtmd.mtmd_input_chunk_get_tokens_text(handle, ctypes.byref(count))
    return list(tokens[: count.value]) if tokens else []
