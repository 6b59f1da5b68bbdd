"""`snug probe`: what this machine has."""

import argparse
from typing import TYPE_CHECKING, Any

import msgspec

from desktop.cli.output import print_json, print_note
from desktop.sizes import gib

if TYPE_CHECKING:
    from desktop.hardware.types import Cpu, Gpu, HardwareProfile, Ram
    from desktop.services import Services


def add_parser(subparsers: Any) -> None:
    """Declare the verb."""
    parser = subparsers.add_parser("probe", help="show the hardware that was found")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=run)


async def run(arguments: argparse.Namespace, services: "Services") -> int:
    """Print the hardware, and which of it the engine uses. A part that fails is told, and the rest is printed."""
    from desktop.actions.survey import survey

    found = await survey(services)
    profile = found.profile
    if found.failure is not None:
        message, hint = found.failure.explain()
        print_note(f"note: the engine could not be asked: {message}\nhint: {hint}")
    if arguments.json:
        print_json(as_json(profile))
    else:
        print("\n".join(_lines(profile)))
    for problem in profile.problems:
        print_note(f"note: {problem.message}")
    return 0


def as_json(profile: "HardwareProfile") -> dict[str, Any]:
    """Return the profile as docs/cli.md describes it; problems are sentences."""
    fields: dict[str, Any] = msgspec.to_builtins(profile)
    fields["problems"] = [{"source": p.source, "message": p.message} for p in profile.problems]
    return fields


def _lines(profile: "HardwareProfile") -> list[str]:
    disk = profile.disk
    rows = [
        ("System", profile.system),
        ("Processor", _cpu(profile.cpu)),
        ("", " ".join(profile.cpu.features)),
        ("Memory", _ram(profile.ram)),
        *(row for gpu in profile.gpus for row in _gpu(gpu)),
        *([] if profile.gpus else [("Graphics", "no card with a driver was found: models run on the processor")]),
        ("Disk", f"{gib(disk.free)} of {gib(disk.total)} free for {disk.path}"),
        ("Engine", ", ".join(profile.backends) or "not asked"),
    ]
    return [f"{label:<10} {text}".rstrip() for label, text in rows if text]


def _cpu(cpu: "Cpu") -> str:
    limited = f" (of {cpu.machine_threads} in the machine)" if cpu.machine_threads else ""
    return f"{cpu.name}, {cpu.cores} cores, {cpu.threads} threads{limited}"


def _ram(ram: "Ram") -> str:
    limited = f" (a container's limit; the machine has {gib(ram.machine_total)})" if ram.machine_total else ""
    swap = f", swap {gib(ram.swap_used)} of {gib(ram.swap_total)} used" if ram.swap_total else ""
    return f"{gib(ram.available)} of {gib(ram.total)} available{limited}{swap}"


def _gpu(gpu: "Gpu") -> list[tuple[str, str]]:
    shared = " of main memory" if gpu.uses_ram else ""
    memory = f"{gpu.name}, {gib(gpu.vram_free)} of {gib(gpu.vram_total)}{shared} free"
    use = f"used as {gpu.backend}" if gpu.backend else f"not used: {gpu.unused_reason or 'the engine was not asked'}"
    return [("Graphics", memory), ("", ", ".join(_details(gpu))), ("", use)]


def _details(gpu: "Gpu") -> list[str]:
    details = [gpu.pci_address or ""]
    if gpu.bandwidth:
        details.append(f"{gpu.bandwidth / 1e9:.0f} GB/s")
    if gpu.pcie and gpu.pcie.width:
        generation = gpu.pcie.generation_max or gpu.pcie.generation
        details.append(f"PCIe {f'{generation}.0 ' if generation else ''}x{gpu.pcie.width}")
    if gpu.resizable_bar is not None:
        details.append(f"Resizable BAR {'on' if gpu.resizable_bar else 'off'}")
    if gpu.driver:
        details.append(f"driver {gpu.driver}")
    if gpu.cuda_version:
        details.append(f"CUDA {gpu.cuda_version}")
    return [detail for detail in details if detail]
