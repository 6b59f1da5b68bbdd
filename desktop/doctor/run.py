"""Runs every check. The checks are pure: what they judge was read before, each source with a time-out of its own."""

import asyncio
from pathlib import Path

from desktop.doctor.card_health import check_lost, check_memory_errors, check_parts, check_throttling
from desktop.doctor.check import Check
from desktop.doctor.disk import check_disk, check_disk_speed
from desktop.doctor.engine import check_engine, check_gpu_offload, check_starter
from desktop.doctor.facts import Facts, find_facts
from desktop.doctor.links import check_pcie, check_pcie_generation, check_peer_to_peer, check_resizable_bar
from desktop.doctor.memory import check_ram, check_swap
from desktop.doctor.nvidia import check_cuda, check_cudnn, check_driver
from desktop.doctor.probe import check_probe
from desktop.doctor.processor import check_cpu, check_cpu_build
from desktop.doctor.vulkan import check_vulkan
from desktop.doctor.xid import check_xid
from desktop.engine.protocol import EngineInfo
from desktop.errors import AppError
from desktop.hardware.types import HardwareProfile


async def run_checks(
    *,
    profile: HardwareProfile,
    engine: EngineInfo | None,
    models_folder: Path,
    engine_failure: AppError | None = None,
    facts: Facts | None = None,
) -> tuple[Check, ...]:
    """Return every check, the engine's first.

    profile: joined with the engine's devices (engine.inventory.join_devices) where the engine answered.
    engine: None when it did not; then `engine_failure` says why. models_folder: whose disk is measured.
    facts: what the doctor itself asks about; by default it asks now, which takes about a second, and about four and
    a half at most (facts.TIMEOUT).
    """
    if facts is None:
        facts = await find_facts(profile, models_folder=models_folder)
    starter = await asyncio.to_thread(check_starter)
    return (
        check_engine(engine, engine_failure),
        check_gpu_offload(profile, engine),
        starter,
        check_probe(profile),
        *_of_the_cards(profile, engine, facts),
        check_cpu(profile),
        check_cpu_build(profile, engine),
        check_ram(profile),
        check_swap(profile),
        check_disk(profile, models_folder),
        check_disk_speed(profile, facts),
    )


def _of_the_cards(profile: HardwareProfile, engine: EngineInfo | None, facts: Facts) -> tuple[Check, ...]:
    return (
        check_driver(profile, engine, facts),
        check_cuda(profile, engine, facts),
        check_cudnn(profile),
        check_vulkan(profile, engine, facts),
        check_lost(profile),
        check_xid(profile, facts),
        check_throttling(profile),
        check_memory_errors(profile),
        check_parts(profile),
        check_resizable_bar(profile),
        check_pcie(profile),
        check_pcie_generation(profile, facts),
        check_peer_to_peer(profile),
    )
