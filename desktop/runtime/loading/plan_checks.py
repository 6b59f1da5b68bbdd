"""What is checked before native code opens a file, and what it made of the plan afterwards. Loads no native code."""

import struct
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from desktop.engine.protocol import FailureKind, LoadPlan
from desktop.errors import AppError
from desktop.gguf.errors import CorruptGguf, NotAGguf, TruncatedGguf
from desktop.gguf.header import GgufHeader, read_header
from desktop.gguf.shards import all_shards
from desktop.runtime.cache.identity import model_key
from desktop.runtime.failures import EngineError

MAX_SEQUENCES = 256
"""LLAMA_MAX_SEQ of llama-cparams.h."""


def check_file(path: str) -> GgufHeader:
    """Read the file's header with our own bounded reader, before native code opens it; of all its parts where split.

    Counts, offsets and sizes that point outside the file have been used to corrupt memory (CVE-2026-7482 and its
    kin). The header that is returned has the tensors of all parts. Raises EngineError(FILE_MISSING | NOT_A_MODEL |
    CORRUPT_FILE | LOAD_FAILED), with the path of the part that is missing or bad.
    """
    header = _check_part(path)
    if header.metadata.get("split.no"):
        detail = f"{Path(path).name} is a later part of a model in several files; it is loaded by its first"
        raise EngineError(FailureKind.LOAD_FAILED, detail, path=path)
    others = [_check_part(str(part)) for part in all_shards(Path(path)) if part != Path(path)]
    tensors = tuple(tensor for part in (header, *others) for tensor in part.tensors)
    return msgspec.structs.replace(header, tensors=tensors)


def _check_part(path: str) -> GgufHeader:
    if not Path(path).is_file():
        raise EngineError(FailureKind.FILE_MISSING, path=path)
    with _reading(path):
        return read_header(Path(path))


def check_projector(path: str) -> int:
    """Check a projector's file; return the bytes of its weights.

    Raises what check_file raises, and EngineError(LOAD_FAILED) with the path for what is no projector. Whether it fits
    the model, libmtmd finds by the shapes of its tensors.
    """
    header = check_file(path)
    senses = (header.metadata.get(f"clip.has_{sense}_encoder") for sense in ("vision", "audio"))
    if header.architecture != "clip" or not any(senses):
        detail = f"{Path(path).name} is no projector for images or audio"
        raise EngineError(FailureKind.LOAD_FAILED, detail, path=path)
    return sum(tensor.size for tensor in header.tensors)


def identify_file(path: str, header: GgufHeader | None = None, **parameters: str | bool) -> str:
    """Return a hash of the weights in a file that was checked, and of `parameters`; raises as check_file."""
    with _reading(path):
        return model_key(Path(path), header=header, **parameters)


@contextmanager
def _reading(path: str) -> Iterator[None]:
    try:
        yield
    except NotAGguf as error:
        raise EngineError(FailureKind.NOT_A_MODEL, str(error), path=path) from error
    except (TruncatedGguf, CorruptGguf) as error:
        raise EngineError(FailureKind.CORRUPT_FILE, str(error), path=path) from error
    except AppError as error:
        raise EngineError(FailureKind.LOAD_FAILED, str(error), path=path) from error


def check_plan(plan: LoadPlan) -> None:
    """Raise EngineError(BAD_REQUEST) for a plan that leaves a choice to the engine or contradicts itself."""
    problem = next((problem for problem in (*_device_problems(plan), *_size_problems(plan)) if problem), "")
    if problem:
        raise EngineError(FailureKind.BAD_REQUEST, problem)


def _device_problems(plan: LoadPlan) -> Iterable[str]:
    if plan.n_gpu_layers > 0 and not plan.devices:
        yield "layers leave the CPU, but no device is named"
    if plan.n_gpu_layers < 0:
        yield "the number of layers that leave the CPU is not stated"
    if plan.tensor_split and len(plan.tensor_split) != len(plan.devices):
        yield "the tensor split does not have one entry per device"
    if len(plan.devices) > 1 and not sum(plan.tensor_split) > 0:
        yield "several devices are named without a tensor split"


def _size_problems(plan: LoadPlan) -> Iterable[str]:
    if plan.n_ctx <= 0 or plan.n_batch <= 0 or plan.n_ubatch <= 0 or plan.n_seq_max <= 0:
        yield "context, batch and sequences must be more than zero"
    if plan.n_seq_max > MAX_SEQUENCES:
        yield f"the engine holds at most {MAX_SEQUENCES} sequences"
    if plan.purpose == "chat" and not 0 < plan.n_parallel <= plan.n_seq_max:
        yield "each request that is answered needs a sequence"
    if plan.purpose == "chat" and plan.n_outputs_max < plan.n_seq_max:
        # llama_context::output_reserve makes room for one output per sequence, and aborts where there is less.
        yield "each sequence needs an output"
    if plan.purpose != "chat" and plan.mmproj_path:
        yield "only a chat model can use a projector"
    if plan.n_threads < 0 or plan.n_threads_batch < 0:
        yield "the number of threads is negative"


def check_placement(plan: LoadPlan, layers: tuple[str, ...]) -> None:
    """Raise EngineError(LOAD_FAILED) when the engine did not do what the plan says: never a silent fallback."""
    if not layers:
        raise EngineError(FailureKind.INTERNAL, "the engine's log does not tell where the layers went")
    expected = min(plan.n_gpu_layers, len(layers))
    offloaded = [device for device in layers if device != "CPU"]
    if len(offloaded) != expected:
        detail = f"{len(offloaded)} of {expected} planned layers were placed on a device"
        raise EngineError(FailureKind.LOAD_FAILED, detail, path=plan.model_path)
    if plan.placement is not None and plan.placement.layers != layers:
        detail = f"planned {' '.join(plan.placement.layers)}, placed {' '.join(layers)}"
        raise EngineError(FailureKind.LOAD_FAILED, detail, path=plan.model_path)


def check_adapter(path: str, base: GgufHeader) -> None:
    """Check a LoRA adapter against the header of the model it is for: native code aborts the child on some faults.

    Raises what check_file raises, and EngineError(LOAD_FAILED) with the path for what is no adapter of this model.
    """
    header = check_file(path)
    problem = next(_adapter_problems(header, base), "") or _alpha_problem(path, header)
    if problem:
        raise EngineError(FailureKind.LOAD_FAILED, f"{Path(path).name}: {problem}", path=path)


def _adapter_problems(header: GgufHeader, base: GgufHeader) -> Iterator[str]:
    if header.text("general.type") != "adapter" or header.text("adapter.type") != "lora":
        yield "this is no LoRA adapter"
    if header.architecture != base.architecture:
        yield f"the adapter is for a model of the architecture {header.architecture}, this one is {base.architecture}"
    shapes = {tensor.name: _four(tensor.shape) for tensor in base.tensors}
    halves = {tensor.name: _four(tensor.shape) for tensor in header.tensors}
    for tensor in header.tensors:
        if tensor.kind.name in _NOT_MULTIPLIED:
            yield f"{tensor.name} has the type {tensor.kind.name}"
        name, half = tensor.name.rsplit(".", 1)
        if half == "lora_a":
            yield _pair_problem(name, halves[tensor.name], halves.get(f"{name}.lora_b"), shapes.get(name))


_NOT_MULTIPLIED = frozenset({"i8", "i16", "i32", "i64", "f64", "q8_1", "q8_K"})
"""Types without a matrix product in ggml: computing with one aborts."""


def _four(shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    one, two, three, four = (*shape, 1, 1, 1)[:4]
    return one, two, three, four


def _pair_problem(
    name: str,
    a: tuple[int, int, int, int],
    b: tuple[int, int, int, int] | None,
    base: tuple[int, int, int, int] | None,
) -> str:
    """Compare the two factors of a tensor with the tensor; libllama looks at fewer of the numbers."""
    if b is None or base is None:
        return ""  # libllama refuses the one; the other may be in another file of a split model, and it looks there
    if name.endswith("token_embd.weight"):  # a and b change places: llm_graph_context::build_inp_embd
        fits = a == (b[0], base[1], 1, 1) and b[1:] == (base[0], 1, 1)
    else:
        fits = a[0] == base[0] and b[1] == base[1] and a[1] == b[0] and a[2:] == b[2:] == base[2:]
    return "" if fits else f"{name} has another shape than in the model"


def _alpha_problem(path: str, header: GgufHeader) -> str:
    """Find an alpha of another type than float32, on which ggml aborts; our reader does not keep the width."""
    key = b"adapter.lora.alpha"
    with Path(path).open("rb") as file:
        _, found, after = file.read(header.data_offset).partition(struct.pack("<Q", len(key)) + key)
    return "" if not found or after[:4] == _FLOAT32 else "the type of its alpha is unknown"


_FLOAT32 = struct.pack("<I", 6)  # enum gguf_type of gguf.h
