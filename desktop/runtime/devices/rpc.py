"""Devices of other processes: RPC workers, found before a load and served to others.

ggml's RPC has neither authentication nor encryption, so a worker binds to loopback and nothing else; what comes from
another machine comes through our own tunnel. A worker that does not answer would abort the process that uses it
(ggml-rpc.cpp), so it is asked with the wire handshake first.
"""

import ctypes
import os
import socket
import struct
import sys
import threading
from collections import Counter
from collections.abc import Iterable
from typing import Any

import llama_cpp.llama_cpp as llama

from desktop.engine.protocol import EngineDevice, FailureKind
from desktop.runtime.devices.backends import Ggml
from desktop.runtime.failures import EngineError

PROTOCOL_MAJOR = 7
"""RPC_PROTO_MAJOR_VERSION of ggml-rpc.h (ggml 0.25.3); another major is another wire format."""
HANDSHAKE_TIMEOUT = 3.0
"""Seconds; a busy worker serves one client at a time and lets the next one wait."""
_HELLO = struct.pack("<BQ", 0x0E, 24) + bytes(24)
_registered: set[str] = set()


def split_endpoint(endpoint: str) -> tuple[str, int]:
    """Return host and port of "127.0.0.1:50052". Raises ValueError."""
    host, _, port = endpoint.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise ValueError(f"not an endpoint: {endpoint!r}")
    return host, int(port)


def ask_worker(endpoint: str, *, timeout: float = HANDSHAKE_TIMEOUT) -> tuple[int, int, int]:
    """Return the protocol version a worker speaks.

    Raises EngineError(WORKER_UNREACHABLE) when nobody answers, or with an answer that is not ours.
    """
    try:
        with socket.create_connection(split_endpoint(endpoint), timeout) as connection:
            connection.settimeout(timeout)
            connection.sendall(_HELLO)
            answer = _receive(connection, 8 + 3)
    except (OSError, ValueError) as error:
        raise EngineError(FailureKind.WORKER_UNREACHABLE, str(error), endpoint=endpoint) from error
    major, minor, patch = answer[8:11]
    if major != PROTOCOL_MAJOR:
        detail = f"it speaks version {major}.{minor}.{patch}, this engine {PROTOCOL_MAJOR}"
        raise EngineError(FailureKind.WORKER_UNREACHABLE, detail, endpoint=endpoint)
    return major, minor, patch


def _receive(connection: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        piece = connection.recv(count - len(data))
        if not piece:
            raise ConnectionError("the connection was closed before an answer came")
        data += piece
    return data


def register_workers(ggml: Ggml, endpoints: tuple[str, ...]) -> None:
    """Make the devices of these workers known to the engine; asks each of them first.

    Raises EngineError(WORKER_UNREACHABLE), EngineError(DEVICE_MISSING) where the engine was built without RPC.
    """
    for endpoint in endpoints:
        ask_worker(endpoint)
        if endpoint not in _registered:
            ggml.register(
                _rpc_function(ggml, "ggml_backend_rpc_add_server", ctypes.c_void_p, ctypes.c_char_p)(endpoint.encode())
            )
            _registered.add(endpoint)


def rpc_buffer_names(devices: Iterable[EngineDevice]) -> dict[str, str]:
    """Map names of RPC buffers to device names.

    The registry counts devices through (RPC0, RPC1 ...); a buffer is named by the device's number on its own worker
    and the worker's endpoint, which is the device's description ("RPC0[127.0.0.1:50052]").
    """
    names: dict[str, str] = {}
    seen: Counter[str] = Counter()
    for device in devices:
        if device.backend.startswith("RPC"):
            names[f"RPC{seen[device.description]}[{device.description}]"] = device.name
            seen[device.description] += 1
    return names


def _rpc_function(ggml: Ggml, name: str, result: Any, *arguments: Any) -> Any:
    registry = ggml.reg_by_name(b"RPC")
    address = ggml.reg_proc(registry, name.encode()) if registry else None
    if not address:
        raise EngineError(FailureKind.DEVICE_MISSING, "this engine was built without RPC", device="RPC")
    return ctypes.CFUNCTYPE(result, *arguments)(address)


def run_rpc_worker(endpoint: str) -> int:
    """Serve this machine's CPU to another engine until stdin ends; the hidden role "rpc-worker".

    Binds to 127.0.0.1 only and refuses every other host with exit code 2.
    """
    try:
        host, _port = split_endpoint(endpoint)
    except ValueError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    if host != "127.0.0.1":
        sys.stderr.write(f"refused: RPC has no authentication, so a worker binds to 127.0.0.1 only, not to {host}\n")
        return 2
    threading.Thread(target=_end_with_stdin, name="stdin", daemon=True).start()
    _serve(endpoint)
    return 1  # the server returns only when it could not listen


def _serve(endpoint: str) -> None:
    llama.llama_backend_init()
    ggml = Ggml()
    start = _rpc_function(
        ggml,
        "ggml_backend_rpc_start_server",
        None,
        ctypes.c_char_p,
        ctypes.c_char_p,
        ctypes.c_size_t,
        ctypes.c_size_t,
        ctypes.c_void_p,
    )
    devices = (ctypes.c_void_p * 1)(ggml.dev_by_name(b"CPU"))
    start(endpoint.encode(), None, 1, 1, devices)


def _end_with_stdin() -> None:
    while sys.stdin.buffer.read(4096):
        pass
    os._exit(0)
