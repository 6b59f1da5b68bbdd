"""A Hub on loopback: speaks what huggingface_hub and our transfer really use, serves real files, misbehaves on demand.

Two servers, because the real Hub answers with a redirect to another host: `endpoint` has the API and /resolve/, the
"CDN" has the bytes. Every request is recorded, so that a test can prove where a token went and what was sent twice.

    with HubServer() as hub:
        hub.add("owner/repo", "model.gguf", path)
        hub.faults.append(Fault("cut", at=100_000))     # one fault per answer of the CDN, then it behaves
        ... HF_ENDPOINT=hub.endpoint ...
"""

import hashlib
from pathlib import Path
from typing import Self
from urllib.parse import parse_qs, quote, unquote, urlsplit

from tests.support.hub_cdn import CdnHandler
from tests.support.hub_handler import Handler, HandlerServer
from tests.support.hub_search import may_know, repository_row, sibling_row, tree_row
from tests.support.hub_state import HubState
from tests.support.hub_values import DEFAULT_COMMIT, Fault, FaultKind, Recorded, Repository, ServedFile

__all__ = ["DEFAULT_COMMIT", "Fault", "FaultKind", "HubServer", "Recorded"]


class HubServer(HubState):
    """See the module; what it can be told to do is in HubState."""

    def __init__(self) -> None:
        super().__init__()
        self._servers = (HandlerServer(_HubHandler, self), HandlerServer(CdnHandler, self))
        self.cdn = f"http://127.0.0.1:{self._servers[1].server_port}"

    @property
    def endpoint(self) -> str:
        """What HF_ENDPOINT is set to."""
        return f"http://127.0.0.1:{self._servers[0].server_port}"

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

    def __enter__(self) -> Self:
        for server in self._servers:
            server.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.stopping.set()
        for server in self._servers:
            server.stop()


class _HubHandler(Handler):
    """The API and the redirects."""

    host = "hub"

    def do_HEAD(self) -> None:  # noqa: N802 - the name in the base class
        self.do_GET()

    def do_GET(self) -> None:  # noqa: N802 - the name in the base class
        self.begin()
        fault = self.hub.next_fault(self.hub.hub_faults)
        if fault is not None and fault.kind == "page":
            self.answer(200, b"<html>Welcome to our hotel</html>", Content_Type="text/html")
        elif fault is not None and fault.kind == "stall":
            self.hub.stopping.wait(fault.seconds or 60)
            self.close_connection = True
        elif fault is not None and fault.kind == "loop":
            self.answer(302, b"Found", Location=self.path)
        elif fault is not None and fault.kind == "redirect":
            self.answer(307, b"Temporary Redirect", Location=fault.location)
        elif fault is not None:
            self.answer_status(fault)
        else:
            self._route()

    def do_POST(self) -> None:  # noqa: N802 - the name in the base class
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
            self.answer(self.hub.search.status, body, Content_Type="application/json", **headers)
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
