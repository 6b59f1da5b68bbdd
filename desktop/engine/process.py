"""One engine child as the owner sees it: typed messages in and out, its last lines, its end."""

import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections import deque
from collections.abc import Callable
from typing import cast

import msgspec
import psutil

from desktop.childprocess import child_command, child_options, end_with_this_process
from desktop.engine.evidence import Evidence
from desktop.engine.exits import decode_exit
from desktop.engine.protocol import LONGEST_LINE, AppMessage, EngineFailure, EngineMessage, FailureKind

KEPT_LINES = 60
SHUTDOWN_TIMEOUT, TERMINATE_TIMEOUT = 2.0, 2.0
"""Seconds between closing stdin, SIGTERM and SIGKILL."""

log = logging.getLogger(__name__)


class EngineProcess(asyncio.SubprocessProtocol):
    """A running child. `on_message` gets each message, `on_end` the failure of an end that nobody asked for.

    The loop hands the bytes of the child's pipes over itself: tasks that read streams would wake this process three
    times for a piece of text where once is enough, on the cores that compute the next one.
    """

    def __init__(self, *, on_message: Callable[[EngineMessage], None], on_end: Callable[[EngineFailure], None]) -> None:
        self._on_message, self._on_end = on_message, on_end
        self._encoder, self._decoder = msgspec.json.Encoder(), msgspec.json.Decoder(EngineMessage)
        self._unread: list[bytes] = []
        self._unread_lines = ""
        self._last_lines: deque[str] = deque(maxlen=KEPT_LINES)
        self._verdict: EngineFailure | None = None
        self._expected = self._begun = self._garbled = False
        self._exited, self._open_pipes, self._all_read = asyncio.Event(), {1, 2}, asyncio.Event()

    @classmethod
    async def spawn(
        cls,
        *,
        on_message: Callable[[EngineMessage], None],
        on_end: Callable[[EngineFailure], None],
    ) -> "EngineProcess":
        """Start a child. Raises OSError where it cannot be started."""
        pipe, loop = asyncio.subprocess.PIPE, asyncio.get_running_loop()
        command, options = child_command("engine"), child_options()
        process = cls(on_message=on_message, on_end=on_end)
        try:
            await loop.subprocess_exec(lambda: process, *command, stdin=pipe, stdout=pipe, stderr=pipe, **options)
        except asyncio.CancelledError:
            process._expected = True  # the loop has killed it, and nobody asked for another
            raise
        end_with_this_process(process.pid)
        process._begun = True
        loop.call_soon(process._read, b"")  # what it said before anybody knew of it
        return process

    @property
    def pid(self) -> int:
        """Process id of the child."""
        return self._transport.get_pid()

    def is_stopped(self) -> bool:
        """Whether the system says that the child is stopped (SIGSTOP, a debugger)."""
        try:
            return psutil.Process(self.pid).status() in {psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP}
        except psutil.Error:
            return False  # it has just ended

    def send(self, message: AppMessage) -> None:
        """Queue a message; a child that is gone is reported by `on_end`, not here."""
        if not self._stdin.is_closing():
            self._stdin.write(self._encoder.encode(message) + b"\n")

    def kill(self, verdict: EngineFailure) -> None:
        """End the child at once, and report `verdict` as the reason."""
        if self._verdict is None:
            self._verdict = verdict
        self._signal("SIGKILL")

    async def stop(self) -> None:
        """End the child in good order: stdin closed, then SIGTERM, then SIGKILL."""
        self._expected = True
        self._stdin.close()
        for seconds, force in ((SHUTDOWN_TIMEOUT, "SIGTERM"), (TERMINATE_TIMEOUT, "SIGKILL")):
            done, _ = await asyncio.wait([self._end], timeout=seconds)
            if done:
                break
            self._signal(force)
        await self._end

    def _signal(self, name: str) -> None:
        """End the child; nothing happens when it has ended."""
        with contextlib.suppress(ProcessLookupError):
            if sys.platform == "win32":
                self._transport.kill()  # which is all there is
            elif self._transport.get_returncode() is None:
                # Not the transport's kill(): before Python 3.12.8 that reaps a child that has just died (gh-127049), so
                # that its exit code is lost.
                os.kill(self.pid, signal.Signals[name])

    async def _wait_for_end(self) -> None:
        await self._exited.wait()
        # What the child said before it died is still in the pipes; a grandchild may hold them open.
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._all_read.wait(), timeout=1.0)
        self._keep_lines([self._unread_lines])
        self._transport.close()
        if not self._expected:
            failure = await self._explain(self._transport.get_returncode() or 0)
            if not self._expected:
                self._on_end(failure)

    async def _explain(self, exit_code: int) -> EngineFailure:
        lines = tuple(self._last_lines)
        if self._verdict is not None:
            return msgspec.structs.replace(self._verdict, exit_code=exit_code, last_lines=lines)
        # Files are looked at, and they may be on a disk that does not answer.
        return await asyncio.to_thread(self.evidence.explain, decode_exit(exit_code, lines))

    # --- what the event loop tells ---------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The child runs."""
        self._transport = cast(asyncio.SubprocessTransport, transport)
        self._stdin = cast(asyncio.WriteTransport, self._transport.get_pipe_transport(0))
        self.evidence = Evidence(self.pid)
        self._end = asyncio.create_task(self._wait_for_end(), name="engine end")

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        """Take what the child said."""
        if fd == 1:
            self._read(data)
        else:
            *whole, rest = (self._unread_lines + data.decode("utf-8", "replace")).split("\n")
            self._keep_lines(whole)
            self._unread_lines = rest[-10_000:]

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        """The child closed a pipe, or was ended."""
        if exc is not None:
            log.debug("the engine's pipe %d broke: %s", fd, exc)
        self._open_pipes.discard(fd)
        if not self._open_pipes:
            self._all_read.set()

    def process_exited(self) -> None:
        """The child has ended; its pipes may still hold something."""
        self._exited.set()

    # --- its words -------------------------------------------------------------------------------------------------

    def _read(self, data: bytes) -> None:
        """Tell the messages whose lines are whole."""
        self._unread.append(data)
        if not self._begun or self._garbled:
            return
        if b"\n" in data or not data:
            *lines, rest = b"".join(self._unread).split(b"\n")
            self._unread = [rest]
            for line in lines:
                self._tell(line)
        elif sum(map(len, self._unread)) > LONGEST_LINE:
            self._give_up(ValueError("a line without an end"))

    def _tell(self, line: bytes) -> None:
        if self._garbled:
            return
        try:
            message = self._decoder.decode(line)
        except (msgspec.DecodeError, ValueError, RecursionError) as error:  # ValueError: not UTF-8
            self._give_up(error)
        else:
            self._on_message(message)

    def _give_up(self, error: Exception) -> None:
        """Garbage is the end of this child."""
        self._garbled, self._unread = True, []
        detail = f"it said something that is not the protocol ({error})"
        self.kill(EngineFailure(kind=FailureKind.INTERNAL, detail=detail))

    def _keep_lines(self, lines: list[str]) -> None:
        for line in lines:
            if line.strip():
                self._last_lines.append(line.rstrip()[:500])
                log.debug("engine %d: %s", self.pid, line)
