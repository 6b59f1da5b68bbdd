"""What is checked before native code opens a file, and what it made of the plan afterwards. Loads no native code."""

from collections.abc import Iterable
from pathlib import Path

from desktop.engine.protocol import FailureKind, LoadPlan
from desktop.errors import AppError
from desktop.gguf.errors import CorruptGguf, NotAGguf, TruncatedGguf
from desktop.gguf.header import GgufHeader, read_header
from desktop.runtime.failures import EngineError

MAX_SEQUENCES = 256
"""LLAMA_MAX_SEQ of llama-cparams.h."""


def check_file(path: str) -> GgufHeader:
    """Read the file's header with our own bounded reader, before native code opens it.

    Counts, offsets and sizes that point outside the file have been used to corrupt memory (CVE-2026-7482 and its
    kin). Raises EngineError(FILE_MISSING | NOT_A_MODEL | CORRUPT_FILE | LOAD_FAILED).
    """
    try:
        if not Path(path).is_file():
            raise EngineError(FailureKind.FILE_MISSING, path=path)
        return read_header(Path(path))
    except NotAGguf as error:
        raise EngineError(FailureKind.NOT_A_MODEL, str(error), path=path) from error
    except (TruncatedGguf, CorruptGguf) as error:
        raise EngineError(FailureKind.CORRUPT_FILE, str(error), path=path) from error
    except AppError as error:
        raise EngineError(FailureKind.LOAD_FAILED, str(error), path=path) from error
    except OSError as error:  # a name that is too long
        raise EngineError(FailureKind.FILE_MISSING, str(error), path=path[:1000]) from error


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
    if plan.purpose == "chat" and plan.n_outputs_max < plan.n_parallel:
        yield "each request that is answered needs an output"
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
