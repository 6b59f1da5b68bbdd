"""One engine child as the owner sees it: typed messages in and out, its last lines, its end."""

import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections import deque
from collections.abc import Callable

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


class EngineProcess:
    """A running child. `on_message` gets each message, `on_end` the failure of an end that nobody asked for."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        *,
        on_message: Callable[[EngineMessage], None],
        on_end: Callable[[EngineFailure], None],
    ) -> None:
        self._process = process
        self.evidence = Evidence(process.pid)
        self._on_message, self._on_end = on_message, on_end
        self._encoder, self._decoder = msgspec.json.Encoder(), msgspec.json.Decoder(EngineMessage)
        self._last_lines: deque[str] = deque(maxlen=KEPT_LINES)
        self._verdict: EngineFailure | None = None
        self._expected = False
        self._tasks = [
            asyncio.create_task(self._read_messages(), name="engine messages"),
            asyncio.create_task(self._read_lines(), name="engine lines"),
        ]
        self._end = asyncio.create_task(self._wait_for_end(), name="engine end")

    @classmethod
    async def spawn(
        cls,
        *,
        on_message: Callable[[EngineMessage], None],
        on_end: Callable[[EngineFailure], None],
    ) -> "EngineProcess":
        """Start a child. Raises OSError where it cannot be started."""
        pipe = asyncio.subprocess.PIPE
        command, options = child_command("engine"), child_options()
        process = await asyncio.create_subprocess_exec(
            *command, stdin=pipe, stdout=pipe, stderr=pipe, limit=LONGEST_LINE, **options
        )
        end_with_this_process(process.pid)
        return cls(process, on_message=on_message, on_end=on_end)

    @property
    def pid(self) -> int:
        """Process id of the child."""
        return self._process.pid

    def is_stopped(self) -> bool:
        """Whether the system says that the child is stopped (SIGSTOP, a debugger)."""
        try:
            return psutil.Process(self.pid).status() in {psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP}
        except psutil.Error:
            return False  # it has just ended

    def send(self, message: AppMessage) -> None:
        """Queue a message; a child that is gone is reported by `on_end`, not here."""
        stdin = self._process.stdin
        if stdin is not None and not stdin.is_closing():
            stdin.write(self._encoder.encode(message) + b"\n")

    def kill(self, verdict: EngineFailure) -> None:
        """End the child at once, and report `verdict` as the reason."""
        if self._verdict is None:
            self._verdict = verdict
        self._signal("SIGKILL")

    async def stop(self) -> None:
        """End the child in good order: stdin closed, then SIGTERM, then SIGKILL."""
        self._expected = True
        if self._process.stdin is not None:
            self._process.stdin.close()
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
                self._process.kill()  # which is all there is
            elif self._process.returncode is None:
                # Not Process.kill(): before Python 3.12.8 that reaps a child that has just died (gh-127049), so that
                # its exit code is lost.
                os.kill(self.pid, signal.Signals[name])

    async def _wait_for_end(self) -> None:
        exit_code = await self._process.wait()
        # What the child said before it died is still in the pipes; a grandchild may hold them open.
        _done, late = await asyncio.wait(self._tasks, timeout=1.0)
        for task in late:
            task.cancel()
        if self._process.stdin is not None:
            self._process.stdin.close()
        if not self._expected:
            failure = await self._explain(exit_code)
            if not self._expected:
                self._on_end(failure)

    async def _explain(self, exit_code: int) -> EngineFailure:
        lines = tuple(self._last_lines)
        if self._verdict is not None:
            return msgspec.structs.replace(self._verdict, exit_code=exit_code, last_lines=lines)
        # Files are looked at, and they may be on a disk that does not answer.
        return await asyncio.to_thread(self.evidence.explain, decode_exit(exit_code, lines))

    async def _read_messages(self) -> None:
        while (message := await self._next_message()) is not None:
            self._on_message(message)

    async def _next_message(self) -> EngineMessage | None:
        """The next message; None at the end, or after garbage, which is the end of this child as well."""
        assert self._process.stdout is not None  # noqa: S101 - asked for at spawn
        try:
            line = await self._process.stdout.readline()
            return self._decoder.decode(line) if line else None
        except (msgspec.DecodeError, ValueError, RecursionError) as error:
            # ValueError: a line beyond the limit, or not UTF-8.
            detail = f"it said something that is not the protocol ({error})"
            self.kill(EngineFailure(kind=FailureKind.INTERNAL, detail=detail))
        except ConnectionError as error:
            log.debug("the engine's pipe broke: %s", error)
        return None

    async def _read_lines(self) -> None:
        assert self._process.stderr is not None  # noqa: S101 - asked for at spawn
        rest = ""
        while chunk := await self._process.stderr.read(1 << 16):
            *whole, rest = (rest + chunk.decode("utf-8", "replace")).split("\n")
            self._keep_lines(whole)
            rest = rest[-10_000:]
        self._keep_lines([rest])

    def _keep_lines(self, lines: list[str]) -> None:
        for line in lines:
            if line.strip():
                self._last_lines.append(line.rstrip()[:500])
                log.debug("engine %d: %s", self.pid, line)
