"""The engine's own log: kept in memory for what only the log tells, and passed on to stderr.

ggml hands its lines to one callback per process. DEBUG is needed: it is where libllama says which device a layer
went to. Log levels are ggml's: 1 debug, 2 info, 3 warning, 4 error, 5 continues the line before (ggml.h).
"""

import re
import sys
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Mapping

import llama_cpp.llama_cpp as llama

from desktop.engine.protocol import DeviceMemory

MIB = 1024 * 1024
_DEBUG, _INFO, _WARNING, _CONTINUED = 1, 2, 3, 5
_KEPT_LINES = 20_000
_NOISE = re.compile(r"print_info:|llama_model_loader: - |load: control token|^\.+$")
_LAYER = re.compile(r"load_tensors: layer\s+(\d+) assigned to device ([^,]+),")
_BUFFER = re.compile(r":\s+(\S.*?)\s+(model|LoRA|KV|RS|compute|output) buffer size =\s+([\d.]+) MiB")
_PART = {"model": "weights", "LoRA": "weights", "KV": "kv", "RS": "kv", "compute": "compute", "output": "compute"}


class EngineLog:
    """Collects what the engine logs; `mark` and `since` cut out what one load said."""

    def __init__(self) -> None:
        self._lines: deque[tuple[int, str]] = deque(maxlen=_KEPT_LINES)
        self._seen = 0
        self._open = ""
        self._level = _INFO
        self._lock = threading.RLock()  # a tokenizer may speak while a step runs, and a finalizer inside a line
        self.callback = llama.llama_log_callback(self._on_line)
        """For libraries that have a log of their own; as long as this object lives."""

    def install(self) -> None:
        """Take over the process's engine log."""
        llama.llama_log_set(self.callback, None)

    def mark(self) -> int:
        """A place in the log, for `since`."""
        return self._seen

    def since(self, mark: int, *, level: int = _DEBUG) -> list[str]:
        """The lines of at least `level` that came after `mark`, oldest first."""
        fresh = min(self._seen - mark, len(self._lines))
        tail = list(self._lines)[len(self._lines) - fresh :]
        return [line for line_level, line in tail if line_level >= level]

    def problems_since(self, mark: int) -> list[str]:
        """Warnings and errors that came after `mark`."""
        return self.since(mark, level=_WARNING)

    def _on_line(self, level: int, text: bytes, _data: object) -> None:
        # Called from native code: nothing may escape from here, and nothing can (decode replaces, append is bounded).
        with self._lock:
            if level != _CONTINUED:
                self._level = level
            self._open += text.decode("utf-8", "replace")
            *whole, self._open = self._open.split("\n")
            for line in whole:
                self._keep(line.rstrip())

    def _keep(self, line: str) -> None:
        self._lines.append((self._level, line))
        self._seen += 1
        if self._level >= _INFO and line and not _NOISE.search(line):
            sys.stderr.write(line + "\n")


def assigned_layers(lines: Iterable[str]) -> tuple[str, ...]:
    """Device of each layer as the loader assigned it; the last is the output head."""
    found = {int(match[1]): match[2] for line in lines if (match := _LAYER.search(line))}
    return tuple(found[layer] for layer in sorted(found))


def device_of_buffer(buffer: str) -> str:
    """The device a buffer type belongs to: "CPU_Mapped", "CPU_REPACK" and "CUDA_Host" are memory of the CPU."""
    if buffer.startswith(("CPU", "AMX", "BLAS")) or buffer.endswith("_Host"):
        return "CPU"
    return re.sub(r"_(Mapped|Split|Private|Shared)$", "", buffer)


def buffer_sizes(lines: Iterable[str], aliases: Mapping[str, str]) -> tuple[DeviceMemory, ...]:
    """Bytes per device from the "buffer size" lines, exact to 0.01 MiB; CPU first, then in order of appearance.

    aliases: device by name of a buffer, where one does not tell the other (RPC).
    """
    sums: dict[str, dict[str, int]] = {"CPU": {}}
    for device, part, size in _buffers(lines):
        parts = sums.setdefault(aliases.get(device, device), {})
        parts[part] = parts.get(part, 0) + size
    return tuple(DeviceMemory(device=device, **parts) for device, parts in sums.items() if parts)


def _buffers(lines: Iterable[str]) -> Iterator[tuple[str, str, int]]:
    for line in lines:
        if match := _BUFFER.search(line):
            yield device_of_buffer(match[1]), _PART[match[2]], round(float(match[3]) * MIB)
