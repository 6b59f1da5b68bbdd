"""Runs a slow command: all its output goes to a log, a person sees a line at least every 15 seconds."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from snug_setup.missing import SetupError

INTERVAL = 15.0
"""Seconds between two lines."""

TAIL_LINES = 25
"""How much of the log is shown when a command fails."""

_TAIL_BYTES = 8192
_COUNTER = re.compile(rb"\[(\d+)/(\d+)\]")

_KNOWN_CAUSES = (
    ("No space left on device", "The disk is full: free some space (the set-up needs about 4 GB)."),
    ("Killed signal", "The compiler was ended, most often because memory ran out: close programs or add swap."),
    ("cannot allocate memory", "Memory ran out: close programs or add swap."),
    ("THESE PACKAGES DO NOT MATCH THE HASHES", "A package is not the one that was locked. Do not use it; tell us."),
    ("Temporary failure in name resolution", "The network is not there: the first set-up needs it."),
    ("Could not find a version that satisfies", "The package index did not offer a package; is the network there?"),
)


def say(text: str) -> None:
    """One line for the person, at once even through a pipe."""
    print(text, flush=True)


def duration(seconds: float) -> str:
    """Minutes and seconds: 75.4 -> "1:15"."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}:{rest:02d}"


def run(command: Sequence[str], *, title: str, log: Path, environ: Mapping[str, str] | None = None) -> None:
    """Run `command` with its output appended to `log`; say `title` while it lasts.

    Raises SetupError with the log's last lines when the command fails. An interruption ends the command first.
    """
    say(f"  {title} ...")
    log.parent.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    with log.open("ab") as output:
        output.write(f"\n$ {' '.join(command)}\n".encode())
        output.flush()
        start = output.tell()
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environ, start_new_session=True
        )
        try:
            _wait(child, title=title, log=log, start=start, began=began)
        except BaseException:
            _end(child)
            raise
    if child.returncode != 0:
        raise _failure(title, log, start)
    if time.monotonic() - began >= INTERVAL:
        say(f"  {title}: done in {duration(time.monotonic() - began)}")


def _wait(child: "subprocess.Popen[bytes]", *, title: str, log: Path, start: int, began: float) -> None:
    while True:
        try:
            child.wait(timeout=INTERVAL)
            return
        except subprocess.TimeoutExpired:
            say(f"  {title} ... {duration(time.monotonic() - began)}{counter(tail(log, start))}")


def _end(child: "subprocess.Popen[bytes]") -> None:
    """End the command with all that it started: a build tool's compilers would go on without it."""
    _signal_all(child, signal.SIGTERM)
    try:
        child.wait(timeout=5)
    except subprocess.TimeoutExpired:
        _signal_all(child, signal.SIGTERM if sys.platform == "win32" else signal.SIGKILL)
        child.wait()


def _signal_all(child: "subprocess.Popen[bytes]", number: int) -> None:
    if sys.platform == "win32":
        child.terminate()
        return
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, number)


def tail(log: Path, start: int) -> bytes:
    """The end of what was written to `log` after the byte `start`."""
    with log.open("rb") as stream:
        size = stream.seek(0, 2)
        stream.seek(max(start, size - _TAIL_BYTES))
        return stream.read()


def counter(text: bytes) -> str:
    """The newest "[12/240]" of a build tool in `text`, as " (12 of 240 files)"; empty when there is none."""
    found = _COUNTER.findall(text)
    return f" ({int(found[-1][0])} of {int(found[-1][1])} files)" if found else ""


def _failure(title: str, log: Path, start: int) -> SetupError:
    text = tail(log, start).decode(errors="replace")
    lines = [line for line in text.splitlines() if line.strip()][-TAIL_LINES:]
    causes = [advice for sign, advice in _KNOWN_CAUSES if sign.lower() in text.lower()]
    hint = causes[0] if causes else "Read the lines above; run the same command again after mending it."
    return SetupError(f"{title} failed. The last lines of {log}:\n  | " + "\n  | ".join(lines), hint)
