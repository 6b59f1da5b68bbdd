"""`snug probe`: what this machine has."""

import argparse
from typing import TYPE_CHECKING, Any

import msgspec

from desktop.cli.output import print_json, print_note, print_text
from desktop.sizes import gib

if TYPE_CHECKING:
    from desktop.hardware.types import Cpu, Disk, Gpu, GpuPath, HardwareProfile, LostCard, Ram, Vulkan
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
        print_text("\n".join(lines(profile)))
    for problem in profile.problems:
        print_note(f"note: {problem.message}")
    return 0


def as_json(profile: "HardwareProfile") -> dict[str, Any]:
    """Return the profile as docs/cli.md describes it; problems are sentences."""
    fields: dict[str, Any] = msgspec.to_builtins(profile)
    fields["problems"] = [{"source": p.source, "message": p.message, "seconds": p.seconds} for p in profile.problems]
    return fields


def lines(profile: "HardwareProfile") -> list[str]:
    """Return the profile as a person reads it."""
    rows = [
        ("System", profile.system),
        ("Processor", _cpu(profile.cpu)),
        ("", " ".join(profile.cpu.features)),
        ("Memory", _ram(profile.ram)),
        *(row for gpu in profile.gpus for row in _gpu(gpu)),
        *(("Graphics", _lost(card)) for card in profile.lost_cards),
        *([] if profile.gpus else [("Graphics", "no card with a driver was found: models run on the processor")]),
        ("Vulkan", _vulkan(profile.vulkan) if profile.vulkan else ""),
        ("Disk", _disk(profile.disk)),
        ("Engine", ", ".join(profile.backends) or "not asked"),
    ]
    return [f"{label:<10} {text}".rstrip() for label, text in rows if text]


def _cpu(cpu: "Cpu") -> str:
    limited = f" (of {cpu.machine_threads} in the machine)" if cpu.machine_threads else ""
    return f"{cpu.name}, {cpu.cores} cores, {cpu.threads} threads{limited}"


def _ram(ram: "Ram") -> str:
    limited = f" (a container's limit; the machine has {gib(ram.machine_total)})" if ram.machine_total else ""
    swap = f", swap {gib(ram.swap_used)} of {gib(ram.swap_total)} used" if ram.swap_total else ", no swap"
    return f"{gib(ram.available)} of {gib(ram.total)} available{limited}{swap}"


def _disk(disk: "Disk") -> str:
    kind = f", {disk.kind}" if disk.kind else ""
    return f"{gib(disk.free)} of {gib(disk.total)} free for {disk.path}{kind}"


def _vulkan(vulkan: "Vulkan") -> str:
    if not vulkan.loads:
        return "no loader"
    missing = sum(driver.found is False for driver in vulkan.drivers)
    broken = f", {missing} of them without its library" if missing else ""
    return f"loader {vulkan.version or 'of version 1.0'}, {len(vulkan.drivers)} drivers{broken}"


def _lost(card: "LostCard") -> str:
    return ", ".join(part for part in (card.name, f"not usable: {card.reason}", card.pci_address, card.detail) if part)


def _gpu(gpu: "Gpu") -> list[tuple[str, str]]:
    shared = " of main memory" if gpu.uses_ram else ""
    memory = f"{gpu.name}, {gib(gpu.vram_free)} of {gib(gpu.vram_total)}{shared} free"
    use = f"used as {gpu.backend}" if gpu.backend else f"not used: {gpu.unused_reason or 'the engine was not asked'}"
    rows = (_bus(gpu), _software(gpu), _health(gpu), *map(_path, gpu.paths))
    return [("Graphics", memory), *(("", ", ".join(filter(None, row))) for row in rows), ("", use)]


def _bus(gpu: "Gpu") -> list[str]:
    details = [gpu.pci_address or ""]
    if gpu.bandwidth:
        details.append(f"{gpu.bandwidth / 1e9:.0f} GB/s")
    if gpu.pcie and gpu.pcie.width:
        generation = gpu.pcie.generation_max or gpu.pcie.generation
        details.append(f"PCIe {f'{generation}.0 ' if generation else ''}x{gpu.pcie.width}")
    if gpu.resizable_bar is not None:
        details.append(f"Resizable BAR {'on' if gpu.resizable_bar else 'off'}")
    return details


def _software(gpu: "Gpu") -> list[str]:
    """What drives it, and what it can do."""
    return [
        f"driver {gpu.driver}" if gpu.driver else "",
        f"CUDA {gpu.cuda_version}" if gpu.cuda_version else "",
        f"compute capability {gpu.compute_capability}" if gpu.compute_capability else "",
        f"{gpu.cores} cores" if gpu.cores else "",
        f"divided (MIG), {len(gpu.mig.parts)} parts" if gpu.mig and gpu.mig.enabled else "",
    ]


def _health(gpu: "Gpu") -> list[str]:
    errors = gpu.ecc.uncorrected if gpu.ecc else 0
    holders = len(gpu.processes or ())
    return [
        f"{gpu.temperature:.0f} °C" if gpu.temperature is not None else "",
        f"limit {gpu.power_limit:.0f} W" if gpu.power_limit else "",
        f"slowed down: {', '.join(gpu.throttle).replace('_', ' ')}" if gpu.throttle else "",
        f"its driver asks for: {gpu.recovery.replace('_', ' ')}" if gpu.recovery else "",
        f"{errors} uncorrected memory errors" if errors else "",
        f"{holders} {'process' if holders == 1 else 'processes'} in its memory" if holders else "",
        f"NVLink {gpu.nvlink.active} of {gpu.nvlink.links}" if gpu.nvlink else "",
    ]


def _path(path: "GpuPath") -> list[str]:
    """One way to another card, only where copies between the two are spoken of at all."""
    if path.read is None and path.topology is None:
        return []
    direct = "yes" if path.read == path.write == "ok" else f"no ({path.read or 'not told'})".replace("_", " ")
    over = f", over {path.topology.replace('_', ' ')}" if path.topology else ""
    return [f"to {path.peer}: direct copies {direct}{over}"]
