"""A Hub on loopback: speaks what huggingface_hub and our transfer really use, serves real files, misbehaves on demand.

Two servers, because the real Hub answers with a redirect to another host: `endpoint` has the API and /resolve/, the
"CDN" has the bytes. Every request is recorded, so that a test can prove where a token went and what was sent twice.

    with HubServer() as hub:
        hub.add("owner/repo", "model.gguf", path)
        hub.faults.append(Fault("cut", at=100_000))     # one fault per answer of the CDN, then it behaves
        ... HF_ENDPOINT=hub.endpoint ...
"""

import contextlib
import hashlib
import json
import os
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import IO, Any, Literal, Self
from urllib.parse import parse_qs, quote, unquote, urlsplit

from tests.support.hub_search import SearchDesk, may_know, repository_row, sibling_row, tree_row
from tests.support.hub_values import DEFAULT_COMMIT, Fault, FaultKind, Recorded, Repository, ServedFile
from tests.support.stoppable_server import StoppableServer

__all__ = ["DEFAULT_COMMIT", "Fault", "FaultKind", "HubServer", "Recorded"]

_PIECE = 64 * 1024
_PAUSE = 0.05  # seconds between two pieces of a limited connection, at most


class HubServer:
    """See the module. `bytes_per_second` limits each connection to the CDN; `hub_faults` are for API and /resolve/.

    ranges: whether the CDN answers them. send_buffer: bytes that the system may hold for a connection to the CDN: with
    few of them, what was handed out is nearly what went over the line. uses_of_an_address: then a signed one expires.
    """

    def __init__(self) -> None:
        self.repositories: dict[str, Repository] = {}
        self.requests: list[Recorded] = []
        self.faults: deque[Fault] = deque()
        self.hub_faults: deque[Fault] = deque()
        self.bytes_per_second: float | None = None
        self.etag_prefix = ""
        self.ranges = True
        self.search = SearchDesk()
        self.send_buffer: int | None = None
        self.uses_of_an_address: int | None = None
        self.stopping = threading.Event()
        self._lock = threading.Lock()
        self._answering = 0
        self._idle = threading.Condition(self._lock)
        self._servers = (_Server(_HubHandler, self), _Server(_CdnHandler, self))

    @property
    def endpoint(self) -> str:
        """What HF_ENDPOINT is set to."""
        return f"http://127.0.0.1:{self._servers[0].server_port}"

    @property
    def cdn(self) -> str:
        """Where the bytes come from."""
        return f"http://127.0.0.1:{self._servers[1].server_port}"

    def add(self, repo: str, file: str, source: Path, *, commit: str = DEFAULT_COMMIT, lfs: bool = True) -> ServedFile:
        """Serve `source` as `file` of `repo`; `commit` holds for the whole repository."""
        repository = self.repositories.setdefault(repo, Repository(commit))
        repository.commit = commit
        with source.open("rb") as opened:
            digest = hashlib.file_digest(opened, "sha256").hexdigest()
        served = ServedFile(source, source.stat().st_size, digest, lfs)
        repository.files[file] = served
        return served

    def add_served(self, repo: str, file: str, served: ServedFile, *, commit: str = DEFAULT_COMMIT) -> None:
        """Serve a file that was added before under another name too, without hashing it again."""
        self.repositories.setdefault(repo, Repository(commit)).files[file] = served

    def gate(self, repo: str, token: str) -> None:
        """Let only `token` fetch the files of `repo`."""
        self.repositories[repo].gated_token = token

    def hide(self, repo: str, token: str) -> None:
        """Make `repo` private: only `token` may know of it."""
        self.repositories[repo].private_token = token

    def of(self, host: str) -> list[Recorded]:
        """The requests that reached "hub" or "cdn"."""
        with self._lock:
            return [request for request in self.requests if request.host == host]

    @property
    def bytes_sent(self) -> int:
        """Bytes of bodies that the CDN handed out, faults included."""
        return sum(request.sent for request in self.of("cdn"))

    def settled(self) -> Self:
        """The same once the CDN is at no answer: the last bytes are counted after the client has them."""
        with self._idle:
            if not self._idle.wait_for(lambda: self._answering == 0, timeout=10):
                raise TimeoutError("an answer of the CDN does not end")
        return self

    @contextlib.contextmanager
    def answering(self) -> Iterator[None]:
        """While the CDN is at an answer."""
        with self._idle:
            self._answering += 1
        try:
            yield
        finally:
            with self._idle:
                self._answering -= 1
                self._idle.notify_all()

    def record(self, request: Recorded) -> None:
        """Keep a request."""
        with self._lock:
            self.requests.append(request)

    def next_fault(self, faults: "deque[Fault]") -> Fault | None:
        """Take the next fault, if one is left."""
        with self._lock:
            return faults.popleft() if faults else None

    def __enter__(self) -> Self:
        for server in self._servers:
            server.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.stopping.set()
        for server in self._servers:
            server.stop()


class _Server(StoppableServer):
    def __init__(self, handler: type["_Handler"], hub: HubServer) -> None:
        super().__init__(handler)
        self.hub = hub


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server
    host: Literal["hub", "cdn"]

    @property
    def hub(self) -> HubServer:
        return self.server.hub

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name in the base class
        """Quiet: the requests are recorded."""

    def begin(self) -> Recorded:
        get = self.headers.get
        recorded = Recorded(self.host, self.command, self.path, get("Authorization"), get("Range"), get("If-Range"))
        self.recorded = recorded
        self.hub.record(recorded)
        return recorded

    def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.recorded.status = status
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def answer_status(self, fault: Fault) -> None:
        wait = {} if fault.seconds is None else {"Retry_After": str(round(fault.seconds))}
        self.answer(fault.status, b"no", **wait)

    def answer_json(self, value: object) -> None:
        self.answer(200, json.dumps(value).encode(), Content_Type="application/json")

    def refuse(self, status: int, code: str) -> None:
        self.answer(status, b"{}", X_Error_Code=code, X_Error_Message=code)


class _HubHandler(_Handler):
    """The API and the redirects."""

    host = "hub"

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        self.begin()
        fault = self.hub.next_fault(self.hub.hub_faults)
        if fault is not None and fault.kind == "page":
            self.answer(200, b"<html>Welcome to our hotel</html>", Content_Type="text/html")
        elif fault is not None and fault.kind == "stall":
            self.hub.stopping.wait(fault.seconds or 60)
            self.close_connection = True
        elif fault is not None and fault.kind == "loop":
            self.answer(302, b"Found", Location=self.path)
        elif fault is not None:
            self.answer_status(fault)
        else:
            self._route()

    def do_POST(self) -> None:
        self.begin()
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        parts = unquote(urlsplit(self.path).path).strip("/").split("/")
        if len(parts) < 6 or parts[:2] != ["api", "models"] or parts[4] != "paths-info":
            self.refuse(404, "EntryNotFound")
            return
        found = self._repository("/".join(parts[2:4]), "/".join(parts[5:]))
        if found is not None:
            wanted = parse_qs(body).get("paths", [])
            self.answer_json([tree_row(name, found.files[name]) for name in wanted if name in found.files])

    def _route(self) -> None:
        path = unquote(urlsplit(self.path).path).strip("/").split("/")
        if path == ["api", "models"]:
            query = parse_qs(urlsplit(self.path).query)
            body, headers = self.hub.search.answer(self.hub.repositories, query, self.recorded.authorization)
            self.answer(200, body, Content_Type="application/json", **headers)
        elif path[:2] == ["api", "models"] and len(path) >= 4:
            self._api("/".join(path[2:4]), path[4:])
        elif len(path) >= 5 and path[2] == "resolve":
            self._resolve("/".join(path[:2]), path[3], "/".join(path[4:]))
        else:
            self.refuse(404, "RepoNotFound")

    def _api(self, repo: str, rest: list[str]) -> None:
        revision = rest[1] if len(rest) > 1 else "main"
        found = self._repository(repo, revision)
        if found is None:
            return
        if rest[:1] == ["tree"]:
            self.answer_json([tree_row(name, file) for name, file in found.files.items()])
        else:
            blobs = parse_qs(urlsplit(self.path).query).get("blobs") is not None
            siblings = [sibling_row(name, file, blobs=blobs) for name, file in found.files.items()]
            self.answer_json(repository_row(repo, found) | {"sha": found.commit, "siblings": siblings} | found.facts)

    def _resolve(self, repo: str, revision: str, name: str) -> None:
        found = self._repository(repo, revision)
        if found is None:
            return
        file = found.files.get(name)
        if file is None:
            self.refuse(404, "EntryNotFound")
        elif found.gated_token and self.recorded.authorization != f"Bearer {found.gated_token}":
            self.refuse(403 if self.recorded.authorization else 401, "GatedRepo")
        else:
            signed = f"{self.hub.cdn}/{repo}/{quote(name)}?Signature={id(self.recorded):x}"  # no other request's
            self.answer(
                302, b"Found", Location=signed, X_Repo_Commit=found.commit, X_Linked_Size=str(file.size),
                X_Linked_Etag=f'"{file.sha256}"', ETag=f'"{file.sha256}"', Accept_Ranges="bytes",
            )  # fmt: skip

    def _repository(self, repo: str, revision: str) -> Repository | None:
        """The repository, or None after the refusal the real Hub gives."""
        found = self.hub.repositories.get(repo)
        if found is None or not may_know(found, self.recorded.authorization):
            # The real Hub says 401 to those without a token, so that nobody learns what exists.
            self.refuse(404 if self.recorded.authorization else 401, "RepoNotFound")
            return None
        if revision not in ("main", found.commit):
            self.refuse(404, "RevisionNotFound")
            return None
        return found


class _CdnHandler(_Handler):
    """The bytes, and the faults."""

    host = "cdn"

    def do_GET(self) -> None:
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
        if not fault and not limited and hasattr(os, "sendfile"):
            self._send_fast(opened, declared)
            return
        while self.recorded.sent < declared and not self.hub.stopping.is_set():
            if kind in ("cut", "reset", "stall") and self.recorded.sent >= at:
                self._break_off(fault)
                return
            piece = self._next_piece(opened, declared, kind, at)
            self.wfile.write(piece)
            self.recorded.sent += len(piece)
            self._throttle(began, slow=kind == "drip" and self.recorded.sent < at)

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
            self.hub.stopping.wait(0.2)
            # Closing with a linger time of 0 sends RST instead of FIN.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()

    def _throttle(self, began: float, *, slow: bool) -> None:
        if slow:
            self.hub.stopping.wait(0.01)
        elif self.hub.bytes_per_second:
            ahead = self.recorded.sent / self.hub.bytes_per_second - (time.monotonic() - began)
            if ahead > 0:
                self.hub.stopping.wait(ahead)
