"""What a loaded model really takes, so that it can stand beside what was predicted."""

import hashlib
from pathlib import Path

import msgspec

from desktop.engine.protocol import CacheLimits, DeviceMemory, LoadedModel, LoadPlan
from desktop.fit.memory.placement import CPU


def actual_memory(plan: LoadPlan, loaded: LoadedModel) -> tuple[DeviceMemory, ...]:
    """Bytes per device from the engine's own buffers, what drivers take for themselves left out.

    Weights that are mapped from their file are stated by the engine as a range of addresses, in which the tensors of
    other devices lie as well; where layers are elsewhere too, the tensors that the plan puts on the CPU are counted.
    """
    predicted = {part.device: part for part in plan.predicted}
    parts = []
    for part in loaded.memory:
        stated = predicted.get(part.device)
        mapped = part.device == CPU and plan.use_mmap and plan.devices and stated is not None
        weights = min(part.weights, stated.weights) if mapped and stated else part.weights
        parts.append(msgspec.structs.replace(part, weights=weights, overhead=0))
    return tuple(parts)


def predicted_memory(plan: LoadPlan) -> tuple[DeviceMemory, ...]:
    """What was predicted of the same."""
    return tuple(msgspec.structs.replace(part, overhead=0) for part in plan.predicted)


def _version(path: Path) -> tuple[int, int]:
    """Size and time of the last change of a file, so that another in its place is told from it; zeros without one."""
    try:
        found = path.stat()
    except OSError:  # a model that is not on this disk was not loaded from it either
        return 0, 0
    return found.st_size, found.st_mtime_ns


def load_key(plan: LoadPlan) -> str:
    """Identify a file and all of a plan that decides what it needs, so that what a load took is found again."""
    plan = msgspec.structs.replace(
        plan, model_name="", reasons=(), predicted=(), placement=None, exact=False, n_threads=0, n_threads_batch=0,
        speculation="auto", cache=CacheLimits(),
    )  # fmt: skip
    return hashlib.sha256(msgspec.json.encode((plan, _version(Path(plan.model_path))))).hexdigest()
