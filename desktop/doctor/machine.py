"""The processor, main memory, swap and the disk with the models."""

from desktop.doctor.check import Check, Status, in_gib
from desktop.errors import QT_TRANSLATE_NOOP, Phrase
from desktop.hardware.types import HardwareProfile

_ARM_FEATURES = frozenset({"neon", "sve", "i8mm", "dotprod"})

_OTHER_CHECKS = ("NVML", "PCI")
"""Sources whose problems the check of the NVIDIA driver tells."""

LEAST_RAM, GOOD_RAM = 2 << 30, 8 << 30
"""Below the first not even the starter model and the window fit well; from the second on a 7B at Q4 does."""

LEAST_DISK, GOOD_DISK = 1 << 30, 10 << 30
"""The smallest useful download, and one good model (an 8B at Q8_0 is 8.5 GB)."""


def check_probe(profile: HardwareProfile) -> Check:
    """Whether the machine was read completely; what belongs to a graphics driver has a check of its own."""
    problem = next((each for each in profile.problems if not each.source.startswith(_OTHER_CHECKS)), None)
    remedy = Phrase.of(QT_TRANSLATE_NOOP("core", "Look again. If it stays like this, the log has the details."))
    return Check(
        id="hardware",
        status="pass" if problem is None else "warn",
        title=Phrase.of(QT_TRANSLATE_NOOP("core", "Hardware")),
        found=Phrase.of(QT_TRANSLATE_NOOP("core", "read completely")) if problem is None else problem.what,
        wanted=Phrase.of(QT_TRANSLATE_NOOP("core", "every source answers in time")),
        remedy=None if problem is None else remedy,
    )


def check_cpu(profile: HardwareProfile) -> Check:
    """AVX2, without which x86 processors are several times slower and may meet an illegal instruction."""
    cpu = profile.cpu
    if _ARM_FEATURES & set(cpu.features):
        return _cpu(
            "pass", Phrase.of(QT_TRANSLATE_NOOP("core", "{name}, {cores} cores"), name=cpu.name, cores=cpu.cores)
        )
    if "avx2" in cpu.features:
        what = QT_TRANSLATE_NOOP("core", "{name}, {cores} cores, AVX2")
        return _cpu("pass", Phrase.of(what, name=cpu.name, cores=cpu.cores))
    if not cpu.features:
        return _cpu("skip", Phrase.of(QT_TRANSLATE_NOOP("core", "{name} does not tell"), name=cpu.name))
    remedy = Phrase.of(
        QT_TRANSLATE_NOOP("core", "Build the engine on this machine (make run does), and choose small models.")
    )
    return _cpu("warn", Phrase.of(QT_TRANSLATE_NOOP("core", "{name} has no AVX2"), name=cpu.name), remedy)


def _cpu(status: Status, found: Phrase, remedy: Phrase | None = None) -> Check:
    return Check(
        id="cpu",
        status=status,
        title=Phrase.of(QT_TRANSLATE_NOOP("core", "Processor")),
        found=found,
        wanted=Phrase.of(QT_TRANSLATE_NOOP("core", "AVX2 or NEON")),
        remedy=remedy,
    )


def check_ram(profile: HardwareProfile) -> Check:
    """Main memory this program may use."""
    ram = profile.ram
    what = QT_TRANSLATE_NOOP("core", "{available:.1f} of {total:.1f} GiB available")
    arguments = {"available": in_gib(ram.available), "total": in_gib(ram.total)}
    if ram.machine_total is not None:
        what = QT_TRANSLATE_NOOP(
            "core",
            "{available:.1f} of {total:.1f} GiB available (a container's limit; the machine has {machine:.1f} GiB)",
        )
        arguments["machine"] = in_gib(ram.machine_total)
    status: Status = "pass" if ram.total >= GOOD_RAM else "warn" if ram.total >= LEAST_RAM else "fail"
    remedy = Phrase.of(QT_TRANSLATE_NOOP("core", "Choose models below 3B, or close other programs."))
    return Check(
        id="ram",
        status=status,
        title=Phrase.of(QT_TRANSLATE_NOOP("core", "Main memory")),
        found=Phrase.of(what, **arguments),
        wanted=Phrase.of(QT_TRANSLATE_NOOP("core", "at least {wanted:.0f} GiB"), wanted=in_gib(GOOD_RAM)),
        remedy=None if status == "pass" else remedy,
    )


def check_swap(profile: HardwareProfile) -> Check:
    """A machine that already swaps reads a model's weights from the disk for every word."""
    ram = profile.ram
    if not ram.swap_total:
        return _swap("pass", Phrase.of(QT_TRANSLATE_NOOP("core", "none")))
    what = QT_TRANSLATE_NOOP("core", "{used:.1f} of {total:.1f} GiB in use")
    found = Phrase.of(what, used=in_gib(ram.swap_used), total=in_gib(ram.swap_total))
    if ram.swap_used * 2 < ram.swap_total:
        return _swap("pass", found)
    return _swap(
        "warn", found, Phrase.of(QT_TRANSLATE_NOOP("core", "Close other programs before you load a large model."))
    )


def _swap(status: Status, found: Phrase, remedy: Phrase | None = None) -> Check:
    return Check(
        id="swap",
        status=status,
        title=Phrase.of(QT_TRANSLATE_NOOP("core", "Swap")),
        found=found,
        wanted=Phrase.of(QT_TRANSLATE_NOOP("core", "less than half in use")),
        remedy=remedy,
    )


def check_disk(profile: HardwareProfile) -> Check:
    """Room for models."""
    disk = profile.disk
    status: Status = "pass" if disk.free >= GOOD_DISK else "warn" if disk.free >= LEAST_DISK else "fail"
    what = QT_TRANSLATE_NOOP("core", "{free:.1f} GiB free for {path}")
    remedy = Phrase.of(
        QT_TRANSLATE_NOOP("core", "Free some space, or choose another folder for models in the settings.")
    )
    if not disk.total:
        what = QT_TRANSLATE_NOOP("core", "the disk with {path} does not answer")
    return Check(
        id="disk",
        status=status,
        title=Phrase.of(QT_TRANSLATE_NOOP("core", "Disk")),
        found=Phrase.of(what, free=in_gib(disk.free), path=disk.path),
        wanted=Phrase.of(QT_TRANSLATE_NOOP("core", "at least {wanted:.0f} GiB free"), wanted=in_gib(GOOD_DISK)),
        remedy=None if status == "pass" else remedy,
    )
