"""Loaded by every Python that starts with this folder on its path: notes each connection and look-up of a name.

The file is named by SNUG_TEST_CONNECTIONS. Local sockets (AF_UNIX) do not count: they reach no other machine.
"""

import os
import sys

_NOTES = os.environ.get("SNUG_TEST_CONNECTIONS", "")
_WITH_SOCKET = ("socket.connect", "socket.sendto", "socket.bind")
_LOOK_UPS = ("socket.getaddrinfo", "socket.gethostbyname")


def _note(event: str, arguments: tuple[object, ...]) -> None:
    if event not in _WITH_SOCKET and event not in _LOOK_UPS:
        return
    address = arguments[1] if event in _WITH_SOCKET else arguments[0]
    if event in _WITH_SOCKET and isinstance(address, str | bytes):  # a path: AF_UNIX
        return
    descriptor = os.open(_NOTES, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(descriptor, f"{event} {address!r} {' '.join(sys.orig_argv[1:6])}\n".encode())
    os.close(descriptor)


if _NOTES:
    sys.addaudithook(_note)
