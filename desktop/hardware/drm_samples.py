"""AMD and Intel cards at one moment, for the gauge: from sysfs, and our own part from the kernel's lists of clients."""

from collections.abc import Collection, Iterator
from pathlib import Path

import msgspec

from desktop.hardware.amd import amd_devices, card_name
from desktop.hardware.amd_nodes import KFD_ROOT, vram_of_compute
from desktop.hardware.believable import within
from desktop.hardware.drm import DRM_ROOT, pci_address, sensor
from desktop.hardware.drm_clients import PROC_ROOT, vram_of
from desktop.hardware.intel import intel_devices, intel_name
from desktop.hardware.kernel_files import number
from desktop.hardware.types import GpuSample


def sample_drm(
    own_pids: Collection[int], root: Path = DRM_ROOT, proc: Path = PROC_ROOT, kfd: Path = KFD_ROOT
) -> tuple[GpuSample, ...]:
    """Return one sample per card that tells its memory; `used_by_us` of integrated ones is in main memory's figures."""
    samples = (*_amd(root), *_intel(root))
    if all(sample.uses_ram for sample in samples):
        return samples
    drawing, computing = vram_of(own_pids, proc), vram_of_compute(own_pids, kfd)
    return tuple(sample if sample.uses_ram else _with_ours(sample, drawing, computing) for sample in samples)


def _with_ours(sample: GpuSample, drawing: dict[str, int], computing: dict[str, int]) -> GpuSample:
    """A buffer of ROCm may stand in both lists, so the larger one counts."""
    address = sample.pci_address or ""
    ours = max(drawing.get(address, 0), computing.get(address, 0))
    return msgspec.structs.replace(sample, used_by_us=min(ours, sample.vram_used))


def _amd(root: Path) -> Iterator[GpuSample]:
    for device, memory in amd_devices(root):
        yield GpuSample(
            name=card_name(device),
            vram_total=memory.total,
            vram_used=memory.total - memory.free,
            utilization=within(number(device / "gpu_busy_percent"), 0, 100),
            temperature=sensor(device, "temp1_input", 1000, 150),
            power=sensor(device, "power1_average", 1_000_000, 5000) or sensor(device, "power1_input", 1_000_000, 5000),
            pci_address=pci_address(device),
            uses_ram=memory.integrated,
        )


def _intel(root: Path) -> Iterator[GpuSample]:
    for device, memory in intel_devices(root):
        yield GpuSample(
            name=intel_name(device),
            vram_total=memory.total,
            vram_used=memory.total - memory.free,
            temperature=sensor(device, "temp2_input", 1000, 150) or sensor(device, "temp1_input", 1000, 150),
            pci_address=pci_address(device),
        )
