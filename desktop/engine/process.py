"""One engine child as the owner sees it: typed messages in and out, its last lines, its end."""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable

import msgspec

from desktop.childprocess import child_command, child_options
from desktop.engine.exits import decode_exit
from desktop.engine.protocol import AppMessage, EngineFailure, EngineMessage, FailureKind

LONGEST_LINE = 64 * 1024 * 1024
"""Bytes of one message; asyncio's own limit of 64 KiB is too small for a reply in one piece."""
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
        return cls(process, on_message=on_message, on_end=on_end)

    @property
    def pid(self) -> int:
        """Process id of the child."""
        return self._process.pid

    def send(self, message: AppMessage) -> None:
        """Queue a message; a child that is gone is reported by `on_end`, not here."""
        stdin = self._process.stdin
        if stdin is not None and not stdin.is_closing():
            stdin.write(self._encoder.encode(message) + b"\n")

    def kill(self, verdict: EngineFailure) -> None:
        """End the child at once, and report `verdict` as the reason."""
        if self._verdict is None:
            self._verdict = verdict
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    async def stop(self) -> None:
        """End the child in good order: stdin closed, then SIGTERM, then SIGKILL."""
        self._expected = True
        if self._process.stdin is not None:
            self._process.stdin.close()
        for seconds, force in ((SHUTDOWN_TIMEOUT, self._process.terminate), (TERMINATE_TIMEOUT, self._process.kill)):
            done, _ = await asyncio.wait([self._end], timeout=seconds)
            if done:
                break
            with contextlib.suppress(ProcessLookupError):
                force()
        await self._end

    async def _wait_for_end(self) -> None:
        exit_code = await self._process.wait()
        # What the child said before it died is still in the pipes; a grandchild may hold them open.
        _done, late = await asyncio.wait(self._tasks, timeout=1.0)
        for task in late:
            task.cancel()
        if self._process.stdin is not None:
            self._process.stdin.close()
        if self._expected:
            return
        failure = self._verdict or decode_exit(exit_code, tuple(self._last_lines))
        if self._verdict is not None:
            failure = msgspec.structs.replace(failure, exit_code=exit_code, last_lines=tuple(self._last_lines))
        self._on_end(failure)

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
