"""What a projector's computing takes: libmtmd makes its graph for an image of its usual size, on a device not there.

libmtmd has a dry run of its own, which allocates all the same and is exported as C++. So the projector is loaded as
for a chat (loading/projector.py), onto an imagined device that takes in weights without keeping them: of a stub
nothing but holes is read.
"""

import os

import llama_cpp.mtmd_cpp as mtmd

from desktop.engine.protocol import DeviceMemory, LoadPlan
from desktop.runtime.dry_run.imagined import STAND_IN
from desktop.runtime.dry_run.stubs import stub_for
from desktop.runtime.engine_log import EngineLog, buffer_sizes
from desktop.runtime.failures import decode_load_failure
from desktop.runtime.loading.parameters import FLASH_ATTENTION, planned_threads
from desktop.runtime.loading.plan_checks import check_file, check_projector

_CPU = "CPU"


def projector_compute(plan: LoadPlan, *, stand_in: int, log: EngineLog) -> tuple[DeviceMemory, ...]:
    """Compute in bytes of the projector at plan.mmproj_path, on the plan's first device (else the CPU) and on the CPU.

    stand_in: the engine's handle of a device. Raises EngineError for a file that is no projector.
    """
    check_projector(plan.mmproj_path)
    header = check_file(plan.mmproj_path)
    mtmd.mtmd_helper_log_set(log.callback, None)
    parameters = mtmd.mtmd_context_params_default()
    parameters.use_gpu, parameters.device = True, stand_in
    parameters.n_threads = planned_threads(plan)[1]
    parameters.flash_attn_type = FLASH_ATTENTION[plan.flash_attention]
    parameters.print_timings, parameters.warmup = False, True
    mark = log.mark()
    with stub_for(plan.mmproj_path, header) as path:
        native = mtmd.mtmd_init_from_file(os.fsencode(path), None, parameters)
    if not native:
        raise decode_load_failure(log.problems_since(mark), plan.mmproj_path)
    mtmd.mtmd_free(native)
    sizes = {part.device: part.compute for part in buffer_sizes(log.since(mark), {})}
    target = plan.devices[0] if plan.devices else _CPU
    # On the CPU nothing is handed over: what waits there for a card is not needed twice.
    waiting = {_CPU: sizes.get(_CPU, 0)} if plan.devices else {}
    parts = {target: sizes.get(STAND_IN, 0)} | waiting
    return tuple(DeviceMemory(device=device, compute=size) for device, size in parts.items())
