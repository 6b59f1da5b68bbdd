"""What the gauge shows: the sampler's reading of this second joined with what the engine says it holds."""

from collections.abc import Sequence

from PySide6.QtCore import QCoreApplication

from desktop.engine.protocol import DeviceKind, DeviceMemory, EngineDevice, LoadedModel, LoadPlan
from desktop.fit.remembered.actual import actual_memory, predicted_memory
from desktop.hardware.types import GpuSample, HardwareSample
from desktop.ui.card_names import short_card_name
from desktop.ui.figures import gib
from desktop.ui.pages.chat.memory_panel import GaugeRow
from desktop.ui.widgets.pill import PillKind

CLOSE_ENOUGH = 0.05
"""A prediction within this share of what is used counts as met."""


def gauge_rows(
    sample: HardwareSample, *, model: LoadedModel | None, devices: Sequence[EngineDevice]
) -> tuple[GaugeRow, ...]:
    """One row per GPU, then main memory; main memory leads and is alone where there is no GPU."""
    held = {memory.device: memory for memory in model.memory} if model else {}
    cards = [_gpu_row(gpu, _held_on(gpu, index, devices, held)) for index, gpu in enumerate(sample.gpus)]
    return (*cards, _ram_row(sample, held.get("CPU", DeviceMemory(device="CPU"))))


def _held_on(
    gpu: GpuSample, index: int, devices: Sequence[EngineDevice], held: dict[str, DeviceMemory]
) -> DeviceMemory:
    """What the engine holds on this card: found by its PCI address, else by its place among the engine's GPUs."""
    gpus = [device for device in devices if device.kind in (DeviceKind.GPU, DeviceKind.INTEGRATED)]
    by_address = [device for device in gpus if gpu.pci_address and device.pci_address == gpu.pci_address]
    by_place = gpus[index : index + 1] if not any(device.pci_address for device in gpus) else []
    for device in (*by_address, *by_place):
        return held.get(device.name, DeviceMemory(device=device.name))
    return DeviceMemory(device="")


def _gpu_row(gpu: GpuSample, held: DeviceMemory) -> GaugeRow:
    ours = max(held.total, gpu.used_by_us or 0)
    return GaugeRow(
        name=short_card_name(gpu.name),
        figure=_of(gpu.vram_used, gpu.vram_total),
        total=gpu.vram_total,
        weights=held.weights,
        kv=held.kv,
        compute=max(0, ours - held.weights - held.kv),
        others=max(0, gpu.vram_used - ours),
    )


def _ram_row(sample: HardwareSample, held: DeviceMemory) -> GaugeRow:
    """Weights are mapped from their file: the system counts them as cache, so they stand beside what is "used"."""
    mapped = min(held.weights, sample.ram_mapped_by_us)
    own = max(0, sample.ram_used_by_us - sample.ram_mapped_by_us)
    copied = min(held.weights - mapped, max(0, own - held.kv - held.compute))
    weights = mapped + max(0, copied)
    rest = max(held.compute, own - held.kv - max(0, copied))
    others = sample.ram_used_by_others
    used = min(sample.ram_total, weights + held.kv + rest + others)
    return GaugeRow(
        name=QCoreApplication.translate("ChatMemory", "Main memory"),
        figure=_of(used, sample.ram_total),
        total=sample.ram_total,
        weights=weights,
        kv=held.kv,
        compute=rest,
        others=others,
    )


def comparison(plan: LoadPlan | None, model: LoadedModel | None) -> tuple[str, str, PillKind]:
    """Predicted against used, in words, and the verdict on the prediction; empty without a model."""
    if plan is None or model is None or not plan.predicted:
        return "", "", "neutral"
    predicted = sum(part.total for part in predicted_memory(plan))
    used = sum(part.total for part in actual_memory(plan, model))
    words = QCoreApplication.translate("ChatMemory", "predicted {predicted}, used {used}").format(
        predicted=gib(predicted, unit=False), used=gib(used)
    )
    if abs(used - predicted) <= predicted * CLOSE_ENOUGH:
        return words, QCoreApplication.translate("ChatMemory", "as predicted"), "fits"
    if used < predicted:
        return words, QCoreApplication.translate("ChatMemory", "less than predicted"), "fits"
    return words, QCoreApplication.translate("ChatMemory", "more than predicted"), "tight"


def comparison_by_device(plan: LoadPlan | None, model: LoadedModel | None) -> str:
    """Predicted and used on each device, and how it was predicted: a line each."""
    if plan is None or model is None or not plan.predicted:
        return ""
    predicted = {part.device: part.total for part in predicted_memory(plan)}
    template = QCoreApplication.translate("ChatMemory", "{device}: predicted {predicted}, used {used}")
    lines = [
        template.format(
            device=part.device,
            predicted=gib(predicted.get(part.device, 0), unit=False),
            used=gib(part.total),
        )
        for part in actual_memory(plan, model)
    ]
    if plan.exact:
        lines.append(QCoreApplication.translate("ChatMemory", "Predicted by the engine itself, before loading."))
    else:
        lines.append(QCoreApplication.translate("ChatMemory", "Predicted by arithmetic: an estimate."))
    return "\n".join(lines)


def _of(used: int, total: int) -> str:
    words = QCoreApplication.translate("ChatMemory", "{used} of {total}")
    return words.format(used=gib(used, unit=False), total=gib(total))
