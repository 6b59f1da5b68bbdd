"""The child's side: entry points of the roles "hardware" and "sampler".

Both leave with os._exit: a thread that hangs inside a driver must not keep the process from ending.
"""

import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import msgspec

_ALONE = 5.0
"""Seconds for every source when nobody gave a deadline."""

_LEAST = 0.2
"""Seconds that every source gets even when the deadline has passed."""


class SamplerOrder(msgspec.Struct, frozen=True, kw_only=True):
    """What the owner tells the sampler, one JSON object per line: whose memory is "ours"."""

    pids: tuple[int, ...]


def run_probe_child(arguments: list[str]) -> int:
    """`--role hardware MODELS_FOLDER [DEADLINE]`: print one HardwareProfile as a JSON line and end.

    DEADLINE is when the line must be out, in seconds since the epoch: what starting the child takes on a slow machine
    is then not taken twice. All sources run side by side until then.
    """
    from desktop.hardware.read import read_hardware

    output = _protocol_output()
    deadline = float(arguments[1]) if len(arguments) > 1 else time.time() + _ALONE
    timeout = max(deadline - time.time(), _LEAST)
    profile = read_hardware(models_folder=Path(arguments[0]), timeout=timeout)
    _write(output, profile)
    _leave(0)
    return 0


def run_sampler_child(arguments: list[str]) -> int:
    """`--role sampler SECONDS [PID ...]`: print a HardwareSample as a JSON line every SECONDS, until stdin ends."""
    from desktop.hardware.samples import MachineSampler

    output = _protocol_output()
    interval, pids = float(arguments[0]), tuple(map(int, arguments[1:]))
    sampler = MachineSampler(interval=interval, pids=pids)
    threading.Thread(target=_obey, args=(sampler.watch,), name="orders", daemon=True).start()
    due = time.monotonic()
    while True:
        _write(output, sampler.sample())
        due = max(due + interval, time.monotonic())
        time.sleep(max(due - time.monotonic(), 0.0))


def _obey(watch: Callable[[tuple[int, ...]], None]) -> None:
    """Follow the owner's orders; its end is ours."""
    # Not sys.stdin: a windowed program on Windows has none, while the descriptor is there.
    with open(0, "rb", closefd=False) as orders:
        for line in orders:
            watch(msgspec.json.decode(line, type=SamplerOrder).pids)
    _leave(0)


def _protocol_output() -> BinaryIO:
    """Keep stdout for the protocol alone: native libraries print, so descriptor 1 becomes stderr for everyone else."""
    output = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return output


def _write(output: BinaryIO, value: msgspec.Struct) -> None:
    try:
        output.write(msgspec.json.encode(value) + b"\n")
        output.flush()
    except BrokenPipeError:
        _leave(0)  # nobody reads any more


def _leave(code: int) -> None:
    if sys.stderr is not None:
        sys.stderr.flush()
    os._exit(code)
