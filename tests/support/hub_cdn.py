"""The second host of the Hub of our tests: it has the bytes, and its line misbehaves on demand."""

import os
import socket
import struct
import sys
import time
from pathlib import Path
from typing import IO
from urllib.parse import unquote, urlsplit

from tests.support.hub_handler import Handler
from tests.support.hub_values import Fault, ServedFile

_PIECE = 64 * 1024
_PAUSE = 0.05  # seconds between two pieces of a limited connection, at most
_DROP = 0.1  # seconds between two bytes that are held: nobody takes the line for a dead one


def is_unread(host: str, port: int) -> bool:
    """Whether bytes wait at the client's end of an IPv4 connection; False where the system does not tell it."""
    table, wanted = Path("/proc/net/tcp"), f"{int.from_bytes(socket.inet_aton(host), sys.byteorder):08X}:{port:04X}"
    rows = [line.split() for line in table.read_text().splitlines()[1:]] if table.exists() else []
    return any(row[1] == wanted and int(row[4].partition(":")[2], 16) for row in rows)


class CdnHandler(Handler):
    """The bytes, and the faults."""

    host = "cdn"

    def do_GET(self) -> None:  # noqa: N802 - the name in the base class
        with self.hub.answering():
            self._answer()

    def _answer(self) -> None:
        self.begin()
        parts = unquote(urlsplit(self.path).path).strip("/").split("/")
        repository = self.hub.repositories.get("/".join(parts[:2]))
        file = repository.files.get("/".join(parts[2:])) if repository else None
        most = self.hub.uses_of_an_address
        if file is None or (most is not None and [each.path for each in self.hub.of("cdn")].count(self.path) > most):
            self.answer(404 if file is None else 403)
            return
        self.recorded.fault = fault = self.hub.next_fault(self.hub.faults)
        if fault is not None and fault.kind == "status":
            self.answer_status(fault)
        elif fault is not None and fault.kind == "page":
            self.answer(200, b"<html>Welcome to our hotel</html>", Content_Type="text/html")
        else:
            self._send(file, fault)

    def _send(self, file: ServedFile, fault: Fault | None) -> None:
        if self.hub.send_buffer is not None:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, self.hub.send_buffer)
        kind = fault.kind if fault else None
        asked = None if kind == "full" else self._asked_range(file)
        if asked is not None and asked[0] >= file.size:
            self.answer(416, Content_Range=f"bytes */{file.size}")
            return
        start, end = asked or (0, file.size)
        if kind == "wrong_range" and asked is not None:
            start = max(0, start - 1000) if start else 1000
        length = end - start
        declared = length + {"too_long": 1000, "truncate": -max(1, length // 3)}.get(kind or "", 0)
        self.recorded.status = 206 if asked is not None else 200
        self.send_response(self.recorded.status)
        self.send_header("Content-Length", str(declared))
        self.send_header("ETag", f'"{self.hub.etag_prefix}{file.sha256}"')
        self.send_header("Accept-Ranges", "bytes")
        if asked is not None:
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{file.size}")
        self.end_headers()
        with file.path.open("rb") as opened:
            opened.seek(start)
            self._send_body(opened, declared, fault)

    def _asked_range(self, file: ServedFile) -> tuple[int, int] | None:
        """First byte and end of the range that was asked for, None without one or when If-Range says otherwise."""
        asked = self.recorded.range
        if not self.hub.ranges or asked is None:
            return None
        if self.recorded.if_range not in (None, f'"{self.hub.etag_prefix}{file.sha256}"'):
            return None
        first, last = asked.removeprefix("bytes=").split("-")
        return int(first), min(int(last) + 1, file.size) if last else file.size

    def _send_body(self, opened: IO[bytes], declared: int, fault: Fault | None) -> None:
        kind, at = (fault.kind, fault.at) if fault else (None, 0)
        began = time.monotonic()
        limited = self.hub.bytes_per_second or self.hub.send_buffer  # few bytes on their way: sendfile is slow then
        if not fault and not limited and self.hub.held_from is None and hasattr(os, "sendfile"):
            self._send_fast(opened, declared)
            return
        while self.recorded.sent < declared and not self.hub.stopping.is_set():
            if kind in ("cut", "reset", "stall") and self.recorded.sent >= at:
                self._break_off(fault)
                return
            piece = self._next_piece(opened, declared, kind, at)
            self.wfile.write(piece)
            self.recorded.sent += len(piece)
            self._throttle(began, opened.tell(), slow=kind == "drip" and self.recorded.sent < at)

    def _send_fast(self, opened: IO[bytes], declared: int) -> None:
        """The kernel copies: a limit of this server is not taken for one of the client's."""
        self.wfile.flush()
        start = opened.tell()
        while self.recorded.sent < declared and not self.hub.stopping.is_set():
            left = min(declared - self.recorded.sent, 1 << 20)
            if not (sent := os.sendfile(self.connection.fileno(), opened.fileno(), start + self.recorded.sent, left)):
                break
            self.recorded.sent += sent

    def _next_piece(self, opened: IO[bytes], declared: int, kind: str | None, at: int) -> bytes:
        sent = self.recorded.sent
        length = min(_PIECE, declared - sent)
        if self.hub.bytes_per_second:  # else all of a small file would be there before the first pause
            length = min(length, max(1, int(self.hub.bytes_per_second * _PAUSE)))
        if (held_from := self.hub.held_from) is not None:
            length = min(length, max(1, held_from - opened.tell()))
        if kind in ("cut", "reset", "stall"):
            length = min(length, at - sent)
        elif kind == "drip" and sent < at:
            length = min(length, max(1, at // 20))
        piece = bytearray(opened.read(length).ljust(length, b"\0"))
        if kind == "flip" and sent <= at < sent + length:
            piece[at - sent] ^= 0x20
        return bytes(piece)

    def _break_off(self, fault: Fault | None) -> None:
        self.close_connection = True
        if fault is not None and fault.kind == "stall":
            self.hub.stopping.wait(fault.seconds or 60)
        elif fault is not None and fault.kind == "reset":
            # RST throws away what the client has not read yet; those bytes were never fetched.
            while is_unread(*self.client_address[:2]) and not self.hub.stopping.is_set():
                time.sleep(0.01)
            self.hub.stopping.wait(0.2)
            # Closing with a linger time of 0 sends RST instead of FIN.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()

    def _throttle(self, began: float, place: int, *, slow: bool) -> None:
        held_from = self.hub.held_from
        if held_from is not None and place >= held_from:
            self.hub.stopping.wait(_DROP)
        elif slow:
            self.hub.stopping.wait(0.01)
        elif self.hub.bytes_per_second:
            ahead = self.recorded.sent / self.hub.bytes_per_second - (time.monotonic() - began)
            if ahead > 0:
                self.hub.stopping.wait(ahead)
