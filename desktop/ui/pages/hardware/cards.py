"""Cards of what this machine has."""

from PySide6.QtWidgets import QWidget

from desktop.engine.protocol import DeviceMemory
from desktop.hardware.types import BusCard, Cpu, Disk, Gpu, GpuSample, HardwareSample, Ram
from desktop.ui.bridge import sentences, translate_core
from desktop.ui.figures import gb, gib
from desktop.ui.widgets.card import Card
from desktop.ui.widgets.gauge import GaugeBar
from desktop.ui.widgets.labels import PlainLabel

_NO_BREAK = "\u00a0"


class FoundCard(Card):
    """One thing this machine has: name, facts, how full it is, and what is wrong with it."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent=parent)
        self._facts = PlainLabel(tone="muted", wrap=True)
        self._use = PlainLabel(wrap=True)
        self._bar = GaugeBar()
        self._warning = PlainLabel(tone="warn", wrap=True)
        self._warning.hide()
        self._of_the_look = ""  # what was wrong with it when the machine was looked at
        self.body.addWidget(self._facts)
        self.body.addStretch(1)
        for widget in (self._use, self._bar, self._warning):
            self.body.addWidget(widget)

    def texts(self) -> str:
        """Everything the card says, for who cannot see it and for tests."""
        shown = "\n".join(label.text() for label in (self._facts, self._use, self._warning) if label.text())
        return shown.replace(_NO_BREAK, " ")

    def show_gpu(self, gpu: Gpu) -> None:
        """Show a graphics card, and why the engine does not use it if it does not."""
        self.set_title(gpu.name)
        self._facts.setText(" · ".join(self._gpu_facts(gpu)))
        self.show_use(gpu.vram_total - gpu.vram_free, gpu.vram_total)
        self._of_the_look = translate_core(gpu.unused_reason) if gpu.unused_reason else ""
        self._warn(self._of_the_look)

    def _gpu_facts(self, gpu: Gpu) -> list[str]:
        facts = [gib(gpu.vram_total)]
        if gpu.bandwidth:
            facts.append(self.tr("{number} GB/s").format(number=round(gpu.bandwidth / 1e9)))
        if gpu.pcie is not None and (gpu.pcie.generation_max or gpu.pcie.width):
            facts.append(f"PCIe {gpu.pcie.generation_max or '?'}.0 ×{gpu.pcie.width or '?'}")
        if gpu.driver:
            facts.append(self.tr("driver {version}").format(version=gpu.driver))
        if gpu.uses_ram:
            facts.append(self.tr("shares the main memory"))
        if gpu.backend:
            facts.append(self.tr("used by the engine as {name}").format(name=gpu.backend))
        return facts

    def show_silent_card(self, card: BusCard) -> None:
        """Show a graphics card that no driver answers for."""
        self.set_title(card.name)
        self._facts.setText(self.tr("On the bus at {address}").format(address=card.pci_address))
        self._show_live(False)
        self._warn(self.tr("No driver answers for this card, so it cannot be used."))

    def show_cpu(self, cpu: Cpu, ram: Ram) -> None:
        """Show the processor and main memory."""
        self.set_title(cpu.name)
        facts = [
            gib(ram.total),
            self.tr("{cores} cores, {threads} threads").format(cores=cpu.cores, threads=cpu.threads),
            *(feature.upper().replace("_", "-") for feature in cpu.features),
        ]
        if ram.machine_total is not None and ram.machine_total > ram.total:
            facts.insert(1, self.tr("of {total} in the machine").format(total=gib(ram.machine_total)))
        self._facts.setText(" · ".join(facts))
        self.show_use(ram.total - ram.available, ram.total)

    def show_disk(self, disk: Disk) -> None:
        """Show the disk that holds the models."""
        self.set_title(self.tr("Disk"))
        self._facts.setText(self.tr("Models folder: {path}").format(path=_breakable(disk.path)))
        self._use.setText(self.tr("{free} free of {total}").format(free=gb(disk.free), total=gb(disk.total)))
        self._bar.set_values(total=disk.total, others=disk.total - disk.free, described_as=self._use.text())

    def show_use(
        self, used: int, total: int, ours: int | None = None, *, held: DeviceMemory | None = None, also: str = ""
    ) -> None:
        """Show how full a memory is, in bytes; `ours` is what Snug uses of it, None where nobody can tell.

        held: what of that the engine names: weights, KV cache; the rest of ours is shown as compute.
        """
        text = self.tr("{used} of {total}").format(used=gib(used, unit=False), total=gib(total))
        ours = max(ours or 0, held.total if held is not None else 0)
        if ours:
            text += " · " + self.tr("Snug {size}").format(size=gib(ours))
        words = " · ".join(part for part in (text, also) if part)
        self._use.setText(words.replace(" ·", f"{_NO_BREAK}·"))  # a line may end in a dot, none begins with one
        known = min(ours, used)
        weights, kv = self._named(held, known)
        self._bar.set_values(
            total=total,
            weights=weights,
            kv=kv,
            compute=known - weights - kv,
            others=used - known,
            described_as=words,
        )

    @staticmethod
    def _named(held: DeviceMemory | None, known: int) -> tuple[int, int]:
        if held is None:
            return known, 0
        weights = min(held.weights, known)
        return weights, min(held.kv, known - weights)

    def show_gpu_sample(self, sample: GpuSample, held: DeviceMemory | None = None) -> None:
        """Follow one GPU; `held` is what the engine says the loaded model has on it."""
        facts = []
        if sample.utilization is not None:
            facts.append(self.tr("{percent} % busy").format(percent=round(sample.utilization)))
        if sample.temperature is not None:
            facts.append(f"{sample.temperature:.0f} °C")
        if sample.power is not None:
            facts.append(f"{sample.power:.0f} W")
        self.show_use(sample.vram_used, sample.vram_total, sample.used_by_us, held=held, also=" · ".join(facts))
        self._show_live(True)
        self._warn(self._of_the_look)

    def show_no_gpu_sample(self, why: str) -> None:
        """Nobody tells how this GPU is now: what was true a moment ago is not shown any longer."""
        self._use.setText("")
        self._show_live(False)
        self._warn(sentences((self._of_the_look, why)))

    def show_ram_sample(self, sample: HardwareSample, held: DeviceMemory | None = None) -> None:
        """Follow main memory; a mapped model counts, though the system could take its pages back."""
        used = sample.ram_used + sample.ram_mapped_by_us
        self.show_use(min(used, sample.ram_total), sample.ram_total, sample.ram_used_by_us, held=held)

    def _show_live(self, known: bool) -> None:
        self._use.setVisible(known)
        self._bar.setVisible(known)

    def _warn(self, text: str) -> None:
        self._warning.setText(text)
        self._warning.setVisible(bool(text))


def _breakable(path: str) -> str:
    """A path that a label may break after a separator: zero-width spaces, which nobody sees."""
    return path.replace("/", "/\u200b").replace("\\", "\\\u200b")
