"""The child's end of the pipe: JSON lines out, a reader thread for JSON lines in."""

import os
import queue
import sys
import threading
from collections.abc import Iterator, Sequence

import msgspec

from desktop.engine.protocol import (
    AppMessage,
    Cancel,
    CancelLoad,
    EngineFailure,
    EngineMessage,
    FailureKind,
    FitAnswer,
    Load,
    Ping,
    Pong,
    RequestFailed,
    Shutdown,
    SpeedAnswer,
)

LONGEST_LINE = 256 * 1024 * 1024
"""Bytes; a longer line is no conversation any more."""
GRACE = 1.8
"""Seconds that native code may take to return after the owner is gone."""


class Wire:
    """Writes events to the owner. Takes descriptor 1 for itself, because native code prints to it."""

    def __init__(self) -> None:
        self._descriptor = os.dup(1)
        os.dup2(2, 1)
        if sys.platform == "win32":
            import msvcrt

            msvcrt.setmode(self._descriptor, os.O_BINARY)
            msvcrt.setmode(0, os.O_BINARY)
        self._encoder = msgspec.json.Encoder()
        self._lock = threading.Lock()

    def send(self, event: EngineMessage | FitAnswer | SpeedAnswer) -> None:
        """Write one line; callable from any thread. Ends the process when the owner is gone."""
        self.send_all((event,))

    def send_all(self, events: Sequence[EngineMessage | FitAnswer | SpeedAnswer]) -> None:
        """Write a line each, in one piece."""
        line = memoryview(b"".join([self._encoder.encode(event) + b"\n" for event in events]))
        try:
            with self._lock:
                while line:
                    line = line[os.write(self._descriptor, line) :]
        except OSError:
            os._exit(0)  # nobody reads any more


class Inbox:
    """What the owner says. A thread of its own reads it, so that heartbeat and cancel work while tokens are made."""

    def __init__(self, wire: Wire) -> None:
        self.commands: queue.SimpleQueue[AppMessage] = queue.SimpleQueue()
        self.load_cancelled = threading.Event()
        self.closing = threading.Event()
        self.cancelled: set[str] = set()
        self._wire = wire
        self._decoder = msgspec.json.Decoder(AppMessage)
        self._thread = threading.Thread(target=self._read, name="inbox", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def _read(self) -> None:
        for line in _lines():
            try:
                self._on_command(self._decoder.decode(line))
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                failure = EngineFailure(kind=FailureKind.BAD_REQUEST, detail=str(error))
                self._wire.send(RequestFailed(request_id=_request_of(line), failure=failure))
        self._on_command(Shutdown())
        # Native code may be in the middle of a load or of a driver call that never returns.
        threading.Event().wait(GRACE)
        os._exit(0)

    def _on_command(self, command: AppMessage) -> None:
        if isinstance(command, Ping):
            self._wire.send(Pong(nonce=command.nonce))
            return
        if isinstance(command, Cancel):
            self.cancelled.add(command.request_id)
        elif isinstance(command, CancelLoad):
            self.load_cancelled.set()
        elif isinstance(command, Load):
            if not self.closing.is_set():
                self.load_cancelled.clear()
        elif isinstance(command, Shutdown):
            self.load_cancelled.set()
            self.closing.set()
        self.commands.put(command)


class _Named(msgspec.Struct):
    request_id: str = ""


def _request_of(line: bytes) -> str:
    """The request that a line is about that is no command, so that whoever asked hears of it; "" where none is."""
    try:
        return msgspec.json.decode(line, type=_Named).request_id
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""


def _lines() -> Iterator[bytes]:
    """Whole lines of descriptor 0; what is left without a line end when it closes was cut and is dropped."""
    pending = bytearray()
    while chunk := _read_some():
        pending += chunk
        if b"\n" in chunk:
            *whole, rest = bytes(pending).split(b"\n")
            yield from filter(None, whole)
            pending = bytearray(rest)
        elif len(pending) > LONGEST_LINE:
            raise MemoryError("the owner sent a line without an end")


def _read_some() -> bytes:
    try:
        return os.read(0, 1 << 18)
    except OSError:
        return b""  # a broken pipe is the end as well
