"""Xid messages: what NVIDIA's driver wrote into the kernel's log since the system started (Linux).

The log may be forbidden: /dev/kmsg needs CAP_SYSLOG where kernel.dmesg_restrict is 1 (the default of Debian and
Ubuntu), the journal one of its groups (adm, systemd-journal, wheel). What could not be read is said; it is never taken
for "no errors".
"""

import collections
import errno
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from desktop.errors import QT_TRANSLATE_NOOP, Phrase

KMSG = Path("/dev/kmsg")

_XID = re.compile(r"NVRM: Xid \((?:PCI:)?([0-9A-Fa-f:.]+)\): (\d+)")
""" "NVRM: Xid (PCI:0000:01:00): 79, pid=..."; drivers before 390 leave "PCI:" out."""

_LONGEST_RECORD = 8192
_MOST_RECORDS = 200_000
_JOURNAL_TIMEOUT = 2.0

_FORBIDDEN = QT_TRANSLATE_NOOP(
    "core",
    "this user may not read the kernel's log; an administrator sees the messages with: sudo dmesg | grep Xid",
)
_NONE_HERE = QT_TRANSLATE_NOOP("core", "this system shows no kernel log (inside a container it often does not)")
_ELSEWHERE = QT_TRANSLATE_NOOP(
    "core", "not read on Windows: the Event Viewer has such errors under System, source nvlddmkm"
)


class Xid(msgspec.Struct, frozen=True, kw_only=True):
    """Messages of one kind about one card. pci_address: as the driver wrote it, "0000:01:00"."""

    number: int
    pci_address: str
    count: int


class KernelLog(msgspec.Struct, frozen=True, kw_only=True):
    """The Xid messages since the start of the system; `unknown` says why they could not be read."""

    xids: tuple[Xid, ...] = ()
    unknown: Phrase | None = None


def read_kernel_log(kmsg: Path = KMSG) -> KernelLog:
    """Return the Xid messages. Takes a few milliseconds, two seconds at most where the journal has to be asked.

    Raises OSError where the log is there and broken.
    """
    if sys.platform == "win32":
        return KernelLog(unknown=Phrase.of(_ELSEWHERE))
    else:  # noqa: RET505 - the type checker takes each branch for its own system
        try:
            return KernelLog(xids=find_xids(_records(kmsg)))
        except PermissionError:
            return _journal(otherwise=_FORBIDDEN)
        except FileNotFoundError:
            return _journal(otherwise=_NONE_HERE)


def find_xids(lines: Iterable[str]) -> tuple[Xid, ...]:
    """Count the Xid messages among `lines` by card and number."""
    counts = collections.Counter((int(hit[2]), hit[1]) for line in lines for hit in [_XID.search(line)] if hit)
    return tuple(
        Xid(number=number, pci_address=address, count=count) for (number, address), count in sorted(counts.items())
    )


def _records(kmsg: Path) -> Iterator[str]:
    """Every record that is in the kernel's buffer now: one read returns one record."""
    log = os.open(kmsg, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    try:
        for _ in range(_MOST_RECORDS):
            try:
                record = os.read(log, _LONGEST_RECORD)
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno == errno.EPIPE:  # overwritten while we read: the next one is there
                    continue
                raise
            if not record:
                return
            yield record.decode("utf-8", "replace")
    finally:
        os.close(log)


def _journal(*, otherwise: str) -> KernelLog:
    """The kernel's log of this start from the journal. Who may not read it sees nothing, so nothing is no answer."""
    program = shutil.which("journalctl")
    if program is None:
        return KernelLog(unknown=Phrase.of(otherwise))
    command = [program, "--dmesg", "--boot", "--no-pager", "--quiet", "--output=cat"]
    try:
        answer = subprocess.run(
            command, capture_output=True, stdin=subprocess.DEVNULL, timeout=_JOURNAL_TIMEOUT, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise TimeoutError(f"journalctl did not answer within {_JOURNAL_TIMEOUT:.0f} s") from error
    lines = answer.stdout.decode("utf-8", "replace").splitlines()
    if answer.returncode or not lines:
        return KernelLog(unknown=Phrase.of(otherwise))
    return KernelLog(xids=find_xids(lines))
