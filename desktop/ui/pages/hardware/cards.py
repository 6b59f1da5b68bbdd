"""Cards of what this machine has, and the doctor's rows."""

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout, QWidget

from desktop.doctor.check import Check
from desktop.hardware.types import Cpu, Disk, Gpu, GpuSample, HardwareSample, Ram
from desktop.ui.bridge import render
from desktop.ui.figures import gb, gib
from desktop.ui.icons import icon_pixmap
from desktop.ui.theme import current_colours
from desktop.ui.widgets.card import Card
from desktop.ui.widgets.gauge import GaugeBar
from desktop.ui.widgets.labels import PlainLabel


class FoundCard(Card):
    """One thing this machine has: name, facts, how full it is."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent=parent)
        self._facts = PlainLabel(tone="muted", wrap=True)
        self._used = PlainLabel(tone="muted")
        self._bar = GaugeBar()
        self._warning = PlainLabel(tone="warn", wrap=True)
        self._warning.hide()
        for widget in (self._facts, self._used, self._bar, self._warning):
            self.body.addWidget(widget)
        self.body.addStretch(1)

    def show_gpu(self, gpu: Gpu) -> None:
        """Show a graphics card."""
        self.set_title(gpu.name)
        self._facts.setText(" · ".join(self._gpu_facts(gpu)))
        self.show_use(gpu.vram_total - gpu.vram_free, gpu.vram_total)
        self._warning.setText(gpu.unused_reason or "")
        self._warning.setVisible(bool(gpu.unused_reason))

    def _gpu_facts(self, gpu: Gpu) -> list[str]:
        facts = [gib(gpu.vram_total)]
        if gpu.bandwidth:
            facts.append(self.tr("{number} GB/s").format(number=round(gpu.bandwidth / 1e9)))
        if gpu.pcie is not None and (gpu.pcie.generation_max or gpu.pcie.width):
            facts.append(f"PCIe {gpu.pcie.generation_max or '?'}.0 ×{gpu.pcie.width or '?'}")
        if gpu.driver:
            facts.append(self.tr("driver {version}").format(version=gpu.driver))
        if gpu.backend:
            facts.append(self.tr("used by the engine as {name}").format(name=gpu.backend))
        return facts

    def show_cpu(self, cpu: Cpu, ram: Ram) -> None:
        """Show the processor and main memory."""
        self.set_title(cpu.name)
        facts = [
            gib(ram.total),
            self.tr("{cores} cores, {threads} threads").format(cores=cpu.cores, threads=cpu.threads),
            *(feature.upper().replace("_", "-") for feature in cpu.features),
        ]
        self._facts.setText(" · ".join(facts))
        self.show_use(ram.total - ram.available, ram.total)

    def show_disk(self, disk: Disk) -> None:
        """Show the disk that holds the models."""
        self.set_title(self.tr("Disk"))
        self._facts.setText(self.tr("Models folder: {path}").format(path=disk.path))
        self._used.setText(self.tr("{free} free of {total}").format(free=gb(disk.free), total=gb(disk.total)))
        self._bar.set_values(total=disk.total, others=disk.total - disk.free, described_as=self._used.text())

    def show_use(self, used: int, total: int, ours: int = 0) -> None:
        """Show how full a memory is, in bytes; `ours` is what Snug uses of it."""
        self._used.setText(self.tr("{used} of {total}").format(used=gib(used, unit=False), total=gib(total)))
        self._bar.set_values(total=total, weights=ours, others=max(0, used - ours), described_as=self._used.text())

    def show_gpu_sample(self, sample: GpuSample) -> None:
        """Follow one GPU."""
        self.show_use(sample.vram_used, sample.vram_total, sample.used_by_us or 0)

    def show_ram_sample(self, sample: HardwareSample) -> None:
        """Follow main memory."""
        self.show_use(sample.ram_used, sample.ram_total, sample.ram_used_by_us)


class CheckRow(QWidget):
    """A check of the doctor: a shape, what was found, what is wanted, what to do."""

    def __init__(self, check: Check) -> None:
        super().__init__()
        colours = current_colours()
        name, colour = {
            "pass": ("check", colours.fits),
            "warn": ("warning", colours.tight),
            "fail": ("cross", colours.fails),
            "skip": ("info", colours.faint),
        }[check.status]
        picture = QLabel()
        picture.setPixmap(icon_pixmap(name, colour, 18, self.devicePixelRatioF()))
        picture.setAccessibleName(self._status_word(check.status))
        words = QVBoxLayout()
        words.setSpacing(2)
        words.addWidget(PlainLabel(f"{render(check.title)}: {render(check.found)}", wrap=True))
        if check.remedy is not None and check.status in ("warn", "fail"):
            words.addWidget(PlainLabel(render(check.remedy), tone="muted", wrap=True))
        wanted = PlainLabel(render(check.wanted), tone="muted", wrap=True)
        row = QHBoxLayout(self)
        row.setContentsMargins(4, 6, 4, 6)
        row.setSpacing(16)
        row.addWidget(picture, 0, Qt.AlignmentFlag.AlignTop)
        row.addLayout(words, 3)
        row.addWidget(wanted, 2)
        self.setAccessibleName(f"{self._status_word(check.status)}: {render(check.title)}")

    def _status_word(self, status: str) -> str:
        return {
            "pass": self.tr("Good"),
            "warn": self.tr("Hint"),
            "fail": self.tr("Problem"),
            "skip": self.tr("Not checked"),
        }[status]
