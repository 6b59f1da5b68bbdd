"""The owner's end of a hardware child: lines out of a process, into an event loop.

A thread per child reads its pipe, because that works under every event loop (asyncio's own child watching differs
between systems and is not complete under Qt's loop). The threads are daemons: a child that cannot even be killed,
stuck inside a driver, does not keep the program from ending.
"""

import asyncio
import collections
import contextlib
import errno
import subprocess
import threading
from collections.abc import Iterator
from typing import IO

from desktop.childprocess import ChildRole, child_command, child_options
from desktop.threads import tell_loop

_KILL_GRACE = 2.0
"""Seconds a killed child may take to be gone; beyond that it is stuck in the kernel and left to it."""


class LineChild:
    """A running child that says lines of JSON. Belongs to the event loop that made it."""

    def __init__(self, role: ChildRole, *arguments: str) -> None:
        """Start the child. Raises OSError when it cannot be started."""
        self._loop = asyncio.get_running_loop()
        self._lines: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._ended = asyncio.Event()
        self._last_words: collections.deque[bytes] = collections.deque(maxlen=20)
        self._process = subprocess.Popen(
            child_command(role, *arguments),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            **child_options(),
        )
        self.pid = self._process.pid
        self._stdin, stdout, stderr = _pipes(self._process)
        complaints = threading.Thread(target=self._listen, args=(stderr,), name=f"{role} stderr", daemon=True)
        complaints.start()
        threading.Thread(target=self._read, args=(stdout, complaints), name=f"{role} stdout", daemon=True).start()

    async def read_line(self, timeout: float) -> bytes | None:
        """Return the next line, None at the child's end. Raises TimeoutError after `timeout` seconds."""
        async with asyncio.timeout(timeout):
            return await self._lines.get()

    def write_line(self, line: bytes) -> None:
        """Send a line; a child that has ended does not hear it."""
        with _unless_it_ended():
            self._stdin.write(line + b"\n")
            self._stdin.flush()

    def last_words(self) -> str:
        """Return the end of what the child wrote to stderr."""
        return b"".join(self._last_words).decode(errors="replace").strip()

    @property
    def exit_code(self) -> int | None:
        """The exit code, negative for a signal, None while the child runs."""
        return self._process.returncode

    async def close(self) -> None:
        """Kill the child (it holds nothing worth saving) and wait until it and its threads are gone."""
        self._process.kill()
        with _unless_it_ended():  # words it will not hear any more
            self._stdin.close()
        with contextlib.suppress(TimeoutError):  # stuck in the kernel: its daemon threads wait for it
            async with asyncio.timeout(_KILL_GRACE):
                await self._ended.wait()

    def _listen(self, stderr: IO[bytes]) -> None:
        with stderr:
            self._last_words.extend(stderr)

    def _read(self, stdout: IO[bytes], complaints: threading.Thread) -> None:
        with stdout:
            for line in stdout:
                if line.endswith(b"\n"):  # else the child died in the middle of it, which its end tells
                    tell_loop(self._loop, self._lines.put_nowait, line)
        self._process.wait()
        complaints.join()
        tell_loop(self._loop, self._lines.put_nowait, None)
        tell_loop(self._loop, self._ended.set)


@contextlib.contextmanager
def _unless_it_ended() -> Iterator[None]:
    """What is written to a child that has ended is lost: EPIPE, on Windows also EINVAL (CPython's bpo-19612)."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.EPIPE, errno.EINVAL):
            raise


def _pipes(process: subprocess.Popen[bytes]) -> tuple[IO[bytes], IO[bytes], IO[bytes]]:
    """The three pipes, which Popen types as optional."""
    if process.stdin is None or process.stdout is None or process.stderr is None:
        raise OSError("the child was started without pipes")
    return process.stdin, process.stdout, process.stderr
