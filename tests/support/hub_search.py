"""What the Hub of our tests says of repositories in a list: /api/models with search, filters, order and pages.

The fields and their shapes are those of the real list with `expand`: only what was asked for, beside the name.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode

from tests.support.hub_values import Repository, ServedFile

Query = Mapping[str, list[str]]
_DEFAULT_PAGE = 1000
_SORTED_BY = ("trendingScore", "downloads", "likes", "lastModified", "createdAt")
_BARE = ("_id", "id", "likes", "private", "downloads", "tags", "pipeline_tag", "createdAt")


@dataclass
class SearchDesk:
    """Answers searches. hostile: rows put before the real ones as they are. body: the whole answer instead.

    status: of the answer; another than 200 is an error of searches alone. pages_behind: the address that a "next" link
    names; a mirror may pass on that of the real Hub.
    """

    hostile: list[object] = field(default_factory=list)
    pages_behind: str = "https://elsewhere.example/api/models"
    body: bytes | None = None
    status: int = 200
    asked: list[Query] = field(default_factory=list)

    def answer(
        self, repositories: Mapping[str, Repository], query: Query, authorization: str | None
    ) -> tuple[bytes, dict[str, str]]:
        """Return the body and the headers of an answer."""
        self.asked.append(query)
        if self.body is not None:
            return self.body, {}
        found = [
            repository_row(name, repository)
            for name, repository in repositories.items()
            if may_know(repository, authorization) and _is_meant(name, repository, query)
        ]
        [order] = query.get("sort", ["trendingScore"])
        if order not in _SORTED_BY:
            return b'{"error":"Invalid sort"}', {}
        found.sort(key=lambda row: str(row[order]).rjust(30), reverse=True)
        start, limit = int(query.get("cursor", ["0"])[0]), int(query.get("limit", [str(_DEFAULT_PAGE)])[0])
        wanted = ("_id", "id", *query["expand"]) if "expand" in query else _BARE
        rows = [{key: row[key] for key in wanted if key in row} for row in found[start : start + limit]]
        headers = {}
        if start + limit < len(found):
            following = urlencode({**{name: values[-1] for name, values in query.items()}, "cursor": start + limit})
            headers["Link"] = f'<{self.pages_behind}?{following}>; rel="next"'
        return json.dumps([*self.hostile, *rows]).encode(), headers


def may_know(repository: Repository, authorization: str | None) -> bool:
    """Whether somebody with this Authorization header may know that a repository exists."""
    return repository.private_token is None or authorization == f"Bearer {repository.private_token}"


def repository_row(name: str, repository: Repository) -> dict[str, object]:
    """Every field the Hub may tell of a repository but its files."""
    return {
        "_id": "1",
        "id": name,
        "modelId": name,
        "likes": 0,
        "downloads": 1,
        "trendingScore": 0,
        "private": repository.private_token is not None,
        "gated": "manual" if repository.gated_token else False,
        "tags": ["gguf"],
        "createdAt": "2025-01-01T00:00:00.000Z",
        "lastModified": "2025-01-02T00:00:00.000Z",
    } | repository.facts


def _is_meant(name: str, repository: Repository, query: Query) -> bool:
    tags = repository.facts.get("tags", ["gguf"])
    assert isinstance(tags, list)
    return (
        all(word.lower() in name.lower() for text in query.get("search", []) for word in text.split())
        and all(author == name.split("/", maxsplit=1)[0] for author in query.get("author", []))
        and all(tag in tags for tag in query.get("filter", []))
    )


def sibling_row(name: str, file: ServedFile, *, blobs: bool) -> dict[str, object]:
    """What model_info says of a file."""
    entry: dict[str, object] = {"rfilename": name}
    if blobs:
        entry |= {"size": file.size, "blobId": "b" * 40}
    if blobs and file.lfs:
        entry["lfs"] = {"sha256": file.sha256, "size": file.size, "pointerSize": 134}
    return entry


def tree_row(name: str, file: ServedFile) -> dict[str, object]:
    """What a tree says of a file."""
    entry: dict[str, object] = {"type": "file", "path": name, "size": file.size, "oid": "b" * 40}
    if file.lfs:
        entry |= {"lfs": {"oid": file.sha256, "size": file.size, "pointerSize": 134}, "xetHash": "d" * 64}
    return entry
