"""How a dry run of a case of chance is asked, and how its answer is compared with what a real load took."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from desktop.engine.protocol import ImaginedDevice, LoadPlan, TensorOverride
from desktop.fit.dry_run.dry_runs import DryRuns
from desktop.fit.dry_run.exact import ExactFit, exact_fit
from desktop.gguf.header import read_header
from desktop.gguf.stub import stub_of_file
from tests.unit.fit.engine_answers import KV_CODES

EXPERTS = r"\.ffn_(up|down|gate)_exps"
LARGEST_OVER = 8 << 20
"""Bytes by which a compute buffer may be said to be larger than it is, on each device."""
_OF_BOTH = ("n_ctx", "flash", "ubatch", "sequences", "outputs", "unified", "split", "overrides")


class Difference(NamedTuple):
    """Bytes that were said beyond those that a load took on a device; less than 0: too few were said."""

    device: str
    weights: int
    kv: int
    compute: int


def real_load(case: Mapping[str, Any], **devices: Sequence[str]) -> dict[str, Any]:
    """The question to the real engine (engine_answers.ask_engine); devices: its `devices` or `workers`."""
    code = KV_CODES[case["kind"]]
    same = {key: case[key] for key in _OF_BOTH}
    return {**same, **devices, "path": str(case["path"]), "type_k": code, "type_v": code, "dry": False}


async def dry_run(
    case: Mapping[str, Any], runs: DryRuns, *, devices: Sequence[str], imagined: Sequence[ImaginedDevice] = ()
) -> ExactFit:
    """What the dry run says of the same case on `devices`, over a stub."""
    path: Path = case["path"]
    header = read_header(path)
    stub = path.with_suffix(".stub")
    stub_of_file(path, header).write(stub)
    plan = LoadPlan(
        model_path=str(stub),
        model_name=case["name"],
        n_ctx=case["n_ctx"],
        n_ubatch=case["ubatch"],
        n_seq_max=case["sequences"],
        n_outputs_max=case["outputs"],
        type_k=case["kind"],
        type_v=case["kind"],
        flash_attention=case["flash"],
        kv_unified=case["unified"],
        n_gpu_layers=sum(case["split"]),
        devices=tuple(devices),
        tensor_split=tuple(case["split"]),
        tensor_overrides=tuple(TensorOverride(pattern=pattern, device="CPU") for pattern in case["overrides"]),
    )
    return exact_fit(header, await runs.ask(plan, imagined=imagined), plan)


def differences(
    fit: ExactFit, actual: Mapping[str, Any], buffers: Mapping[str, str] | None = None
) -> tuple[Difference, ...]:
    """Compare per device; buffers: the name that a device's buffers have in `actual`, where it is another one."""
    found = []
    for part in fit.memory:
        name = (buffers or {}).get(part.device, part.device)
        taken = [actual.get(f"{name} {kind}", 0) for kind in ("weights", "kv", "compute")]
        found.append(Difference(part.device, part.weights - taken[0], part.kv - taken[1], part.compute - taken[2]))
    return tuple(found)
