"""Real RPC workers on loopback, for tests and for the command that shows a split."""

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

from desktop.childprocess import child_command, child_options


def free_port() -> int:
    """A port of 127.0.0.1 on which nobody listens now."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@contextmanager
def nobody_there() -> Iterator[str]:
    """An endpoint that refuses every connection: its port is taken while the block runs, and nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{taken.getsockname()[1]}"


@contextmanager
def rpc_worker() -> Iterator[str]:
    """A worker in a process of its own; its endpoint, once it listens. Ends with its stdin."""
    endpoint = f"127.0.0.1:{free_port()}"
    pipe, silent = subprocess.PIPE, subprocess.DEVNULL
    command, options = child_command("rpc-worker", endpoint), child_options()
    with subprocess.Popen(command, stdin=pipe, stdout=silent, stderr=silent, **options) as worker:
        try:
            _wait_until_it_listens(endpoint, worker)
            yield endpoint
        finally:
            assert worker.stdin is not None
            worker.stdin.close()
            worker.wait(60)


def _wait_until_it_listens(endpoint: str, worker: "subprocess.Popen[bytes]") -> None:
    host, port = endpoint.split(":")
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert worker.poll() is None, f"the worker ended with {worker.returncode}"
        try:
            with socket.create_connection((host, int(port)), 1):
                return
        except OSError:
            time.sleep(0.05)
    raise TimeoutError(endpoint)
