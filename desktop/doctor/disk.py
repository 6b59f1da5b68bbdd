"""The disk with the models: room, and speed."""

from pathlib import Path

from desktop.doctor.check import Check, Question, in_gib
from desktop.doctor.facts import Facts
from desktop.errors import QT_TRANSLATE_NOOP, Phrase
from desktop.hardware.types import HardwareProfile

LEAST_DISK, GOOD_DISK = 1 << 30, 10 << 30
"""The smallest useful download, and one good model (an 8B at Q8_0 is 8.5 GB)."""

WANTED_READ = 200e6
"""Bytes per second: what every SSD reaches and hard disks do not; an 8B at Q4 (5 GB) loads in 25 s then."""

_A_MODEL = 5e9

_OWN_CACHES = frozenset({"zfs"})
"""File systems that answer direct reads from a cache of their own."""

_ANOTHER_FOLDER = QT_TRANSLATE_NOOP("core", "Choose another folder for models in the settings.")


_DISK = Question(
    id="disk",
    title=Phrase.of(QT_TRANSLATE_NOOP("core", "Disk space")),
    wanted=Phrase.of(QT_TRANSLATE_NOOP("core", "at least {wanted:.0f} GiB free"), wanted=in_gib(GOOD_DISK)),
)


def check_disk(profile: HardwareProfile, models_folder: Path) -> Check:
    """Room for models."""
    disk, path = profile.disk, str(models_folder)
    if not disk.total:
        what = QT_TRANSLATE_NOOP("core", "the disk with {path} does not answer")
        remedy = QT_TRANSLATE_NOOP(
            "core", "Connect the disk or the network again, or choose another folder for models in the settings."
        )
        return _DISK.answered("fail", Phrase.of(what, path=path), Phrase.of(remedy))
    found = Phrase.of(QT_TRANSLATE_NOOP("core", "{free:.1f} GiB free for {path}"), free=in_gib(disk.free), path=path)
    if disk.kind == "memory":
        what = QT_TRANSLATE_NOOP("core", "{path} is in memory, so models are gone after a restart")
        return _DISK.answered("warn", Phrase.of(what, path=path), Phrase.of(_ANOTHER_FOLDER))
    if disk.free >= GOOD_DISK:
        return _DISK.answered("pass", found)
    remedy = QT_TRANSLATE_NOOP("core", "Free some space, or choose another folder for models in the settings.")
    return _DISK.answered("warn" if disk.free >= LEAST_DISK else "fail", found, Phrase.of(remedy))


_SPEED = Question(
    id="disk-speed",
    title=Phrase.of(QT_TRANSLATE_NOOP("core", "Disk speed")),
    wanted=Phrase.of(QT_TRANSLATE_NOOP("core", "reads at least {wanted:.0f} MB/s"), wanted=WANTED_READ / 1e6),
)


def check_disk_speed(profile: HardwareProfile, facts: Facts) -> Check:
    """How fast a model comes from the disk, the first time; later it comes from memory if there is room."""
    speed = facts.disk_speed
    if speed.unknown is not None:
        return _SPEED.answered("skip", speed.unknown)
    if profile.disk.file_system in _OWN_CACHES:
        what = QT_TRANSLATE_NOOP("core", "not known: {file_system} answers from its own cache what was just written")
        return _SPEED.answered("skip", Phrase.of(what, file_system=profile.disk.file_system or ""))
    if speed.read is None:
        return _SPEED.answered("skip", Phrase.of(QT_TRANSLATE_NOOP("core", "not measured")))
    what = QT_TRANSLATE_NOOP(
        "core",
        "reads {read:,.0f} MB/s, writes {write:,.0f} MB/s: a model of 5 GB takes about {seconds:.0f} s the first time",
    )
    found = Phrase.of(
        what,
        read=speed.read / 1e6,
        write=(speed.write or 0) / 1e6,
        seconds=max(_A_MODEL / speed.read, 1),
    )
    if speed.read >= WANTED_READ:
        return _SPEED.answered("pass", found)
    return _SPEED.answered("warn", found, _faster(profile))


def _faster(profile: HardwareProfile) -> Phrase:
    if profile.disk.kind == "network":
        return Phrase.of(
            QT_TRANSLATE_NOOP("core", "The folder is on the network: choose one on this computer in the settings.")
        )
    return Phrase.of(
        QT_TRANSLATE_NOOP(
            "core",
            "Choose a folder on an SSD in the settings, or look whether another program keeps the disk busy now. Only "
            "loading is slow, not the answers.",
        )
    )
