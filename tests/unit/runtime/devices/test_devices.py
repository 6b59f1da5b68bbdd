"""RPC workers: on loopback only, and asked before they are used."""

import socket
import struct
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from desktop.childprocess import child_command, child_options
from desktop.engine.protocol import FailureKind
from desktop.runtime.devices.rpc import ask_worker, split_endpoint
from desktop.runtime.failures import EngineError
from tests.support.engine_workers import nobody_there, rpc_worker


@contextmanager
def answering(reply: bytes) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(64)
                connection.sendall(reply)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
        thread.join()


def test_a_worker_that_is_not_there_is_a_failure_with_its_address() -> None:
    with nobody_there() as endpoint, pytest.raises(EngineError) as caught:
        ask_worker(endpoint)
    assert caught.value.failure.kind == FailureKind.WORKER_UNREACHABLE
    assert caught.value.failure.arguments == {"endpoint": endpoint}


@pytest.mark.parametrize("reply", [b"", b"HTTP/1.1 400", struct.pack("<Q", 3) + bytes([6, 0, 0])])
def test_something_else_that_answers_there_is_a_failure(reply: bytes) -> None:
    with answering(reply) as endpoint, pytest.raises(EngineError) as caught:
        ask_worker(endpoint)
    assert caught.value.failure.kind == FailureKind.WORKER_UNREACHABLE


def test_a_worker_that_keeps_silent_is_a_failure_within_its_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, pytest.raises(EngineError, match="timed out"):
        ask_worker(f"127.0.0.1:{server.getsockname()[1]}", timeout=0.2)


def test_a_real_worker_says_its_version() -> None:
    with rpc_worker() as endpoint:
        assert ask_worker(endpoint)[0] == 7


@pytest.mark.parametrize("endpoint", ["0.0.0.0:5000", "192.168.1.2:5000", "localhost:5000", "[::]:5000", "5000", "a:b"])
def test_a_worker_refuses_to_listen_beyond_loopback(endpoint: str) -> None:
    done = subprocess.run(
        child_command("rpc-worker", endpoint),
        stdin=subprocess.PIPE,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        **child_options(),
    )
    assert done.returncode == 2
    assert "refused" in done.stderr or "not an endpoint" in done.stderr


@pytest.mark.parametrize("endpoint", ["", "host", "host:", ":1", "host:0", "host:65536", "host:1x"])
def test_what_is_no_endpoint_is_refused(endpoint: str) -> None:
    with pytest.raises(ValueError, match="not an endpoint"):
        split_endpoint(endpoint)
