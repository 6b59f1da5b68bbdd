"""AMD cards through the amdgpu driver's sysfs files. Tested on a recorded tree only, never run on a real card."""

import platform
from pathlib import Path

import psutil

from desktop.hardware.drm import DRM_ROOT, cards, pci_address, pci_name, pcie_link
from desktop.hardware.kernel_files import number, text
from desktop.hardware.sources import Found
from desktop.hardware.types import Gpu, GpuSample

_MOST_CARVED_OUT = 4 << 30
"""An integrated GPU's own memory is carved out of main memory; firmware gives it at most this much by default."""


def read_amd(root: Path = DRM_ROOT) -> Found:
    """Return every card the amdgpu driver shows with its memory."""
    return Found(gpus=tuple(gpu for device in cards("amd", root) if (gpu := _read_card(device)) is not None))


def _read_card(device: Path) -> Gpu | None:
    total = number(device / "mem_info_vram_total")
    if not total:
        return None  # the old radeon driver: ggml has no backend for its cards
    free = total - min(number(device / "mem_info_vram_used") or 0, total)
    visible = number(device / "mem_info_vis_vram_total")
    integrated = _integrated(device, total)
    if integrated:
        window = number(device / "mem_info_gtt_total") or 0
        total, free = total + window, free + window - min(number(device / "mem_info_gtt_used") or 0, window)
        free = min(free, psutil.virtual_memory().available)
    return Gpu(
        name=text(device / "product_name") or pci_name(device) or "AMD GPU",
        vendor="amd",
        vram_total=total,
        vram_free=free,
        pci_address=pci_address(device),
        driver=f"amdgpu, Linux {platform.release()}",
        pcie=None if integrated else pcie_link(device),
        resizable_bar=None if integrated or visible is None else visible >= total,
        uses_ram=integrated,
    )


def _integrated(device: Path, vram_total: int) -> bool:
    """A small carve-out beside a larger window into main memory (GTT); the driver has no plainer sign."""
    return vram_total <= _MOST_CARVED_OUT and (number(device / "mem_info_gtt_total") or 0) > vram_total


def sample_amd(root: Path = DRM_ROOT) -> tuple[GpuSample, ...]:
    """Return one sample per card; the driver does not tell the bytes of our own processes."""
    return tuple(
        GpuSample(
            name=gpu.name,
            vram_total=gpu.vram_total,
            vram_used=gpu.vram_total - gpu.vram_free,
            utilization=_float(device / "gpu_busy_percent"),
            temperature=_sensor(device, "temp1_input", 1000),
            power=_sensor(device, "power1_average", 1_000_000),
            pci_address=gpu.pci_address,
            uses_ram=gpu.uses_ram,
        )
        for device in cards("amd", root)
        if (gpu := _read_card(device)) is not None
    )


def _sensor(device: Path, name: str, scale: int) -> float | None:
    """A hwmon figure: millidegrees or microwatts, divided by `scale`."""
    for file in device.glob(f"hwmon/hwmon*/{name}"):
        value = _float(file)
        return value / scale if value is not None else None
    return None


def _float(file: Path) -> float | None:
    value = number(file)
    return float(value) if value is not None else None
