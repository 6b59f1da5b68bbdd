"""Runs every check. Pure but for the look for the starter model: the facts were read before, in children."""

import asyncio
from pathlib import Path

import msgspec

from desktop.doctor.check import Check
from desktop.doctor.engine import check_engine, check_gpu_offload, check_starter
from desktop.doctor.links import check_pcie, check_resizable_bar, check_vulkan
from desktop.doctor.machine import check_cpu, check_disk, check_probe, check_ram, check_swap
from desktop.doctor.nvidia import check_cudnn, check_driver
from desktop.engine.protocol import EngineInfo
from desktop.errors import AppError
from desktop.hardware.types import HardwareProfile

_OF_THE_MACHINE = (
    check_probe,
    check_driver,
    check_cudnn,
    check_resizable_bar,
    check_pcie,
    check_vulkan,
    check_cpu,
    check_ram,
    check_swap,
    check_disk,
)


async def run_checks(
    *,
    profile: HardwareProfile,
    engine: EngineInfo | None,
    models_folder: Path,
    engine_failure: AppError | None = None,
) -> tuple[Check, ...]:
    """Return every check, the engine's first.

    profile: joined with the engine's devices (engine.inventory.join_devices) where the engine answered.
    engine: None when it did not; then `engine_failure` says why. models_folder: what the disk check names.
    """
    disk = msgspec.structs.replace(profile.disk, path=str(models_folder))
    profile = msgspec.structs.replace(profile, disk=disk)
    starter = await asyncio.to_thread(check_starter)
    return (
        check_engine(engine, engine_failure),
        check_gpu_offload(profile, engine),
        *(check(profile) for check in _OF_THE_MACHINE),
        starter,
    )
