"""Searching the Hub: repositories with GGUF files, and what one of them holds.

Everything in an answer comes from strangers. A row with a name that is not safe, with a value of a wrong type or one
that cannot be is left out and counted; the others stay.
"""

import logging
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated, Literal

import msgspec

from desktop.catalog.file_names import UnsafeName, check_repo, model_name_of, printable
from desktop.catalog.hub import Hub
from desktop.catalog.hub_answers import BAD_JSON, Parameters, ask_hub
from desktop.catalog.hub_errors import NotTheHubsAnswer

HubSort = Literal["trending", "downloads", "likes", "updated", "created"]
HUB_SORTS: dict[HubSort, str] = {
    "trending": "trendingScore",
    "downloads": "downloads",
    "likes": "likes",
    "updated": "lastModified",
    "created": "createdAt",
}
"""The orders a person may choose, and what the Hub calls them."""

MOST_REPOS = 100
"""Repositories of one page."""

LONGEST_TEXT = 200
"""Characters of a search."""

# Without "gguf" nobody knows how large a model is before a look into it. It brings the chat template along, some ten
# kilobytes a row; without `expand` the answer lacks the date and whether the repository is gated.
_WANTED = ["createdAt", "downloads", "gated", "gguf", "lastModified", "likes", "pipeline_tag", "private", "tags"]
_Count = Annotated[int, msgspec.Meta(ge=0, le=1 << 53)]
_MOST_TAGS = 2000
_log = logging.getLogger(__name__)

Gate = Literal["", "auto", "manual"]
"""Whether files are for those only who accepted terms: at once ("auto"), or when the publisher agreed ("manual")."""

_SPDX = {"apache-2.0": "Apache-2.0", "mit": "MIT"}
"""Most models have one of these, and the catalog spells them so; the Hub writes all in small letters."""


class HubRepo(msgspec.Struct, frozen=True, kw_only=True):
    """A repository with GGUF files, as a list names it.

    repo: owner/name. publisher: its owner. name: of the model, without "-GGUF". updated, created: seconds since 1970,
    None where the Hub does not tell. gated: "" for what everybody may have. licence: as the Hub tags it, in SPDX's
    spelling if that is known, "" without one. base_model: owner/name of what was quantized, "" where nobody said.
    parameters, architecture, context: of the file that the Hub looked into; None and "" where it did not.
    task: "text-generation", "" where nobody said.
    """

    repo: str
    publisher: str
    name: str
    likes: int = 0
    downloads: int = 0
    updated: float | None = None
    created: float | None = None
    gated: Gate = ""
    private: bool = False
    licence: str = ""
    base_model: str = ""
    parameters: int | None = None
    architecture: str = ""
    context: int | None = None
    task: str = ""


class HubPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of an answer. cursor: asks for the next page, "" after the last. left_out: rows nobody could use."""

    repos: tuple[HubRepo, ...]
    cursor: str = ""
    left_out: int = 0


class _Gguf(msgspec.Struct):
    """What the Hub read in one of the files."""

    total: _Count | None = None
    architecture: str = ""
    context_length: _Count | None = None


class RepoRow(msgspec.Struct):
    """What the Hub says of a repository, in a list or alone; the fields that are used."""

    id: str
    likes: _Count = 0
    downloads: _Count = 0
    modified: datetime | None = msgspec.field(name="lastModified", default=None)
    created: datetime | None = msgspec.field(name="createdAt", default=None)
    gated: Literal["auto", "manual"] | bool | None = None
    private: bool | None = False
    tags: Annotated[list[str], msgspec.Meta(max_length=_MOST_TAGS)] = []
    task: str | None = msgspec.field(name="pipeline_tag", default="")
    gguf: _Gguf | None = None


_list = msgspec.json.Decoder(list[msgspec.Raw])
_row = msgspec.json.Decoder(RepoRow)


async def search(
    hub: Hub,
    text: str = "",
    *,
    sort: HubSort = "trending",
    limit: int = 30,
    author: str = "",
    base_model: str = "",
    cursor: str = "",
) -> HubPage:
    """Search repositories with GGUF files; without anything to look for, those that the Hub puts first.

    text: words in the name. author: an owner. base_model: owner/name; only what somebody quantized of it.
    limit: repositories of a page, at most MOST_REPOS. cursor: of the page before.
    Raises UnsafeName, OfflineSwitchOn, BadEndpoint, HubAccessDenied, HubBusy, HubUnreachable.
    """
    filters = ["gguf"]
    if base_model:
        filters.append(f"base_model:quantized:{check_repo(base_model)}")
    limit = min(max(limit, 1), MOST_REPOS)
    parameters: Parameters = {"filter": filters, "sort": HUB_SORTS[sort], "limit": limit, "expand": _WANTED}
    for name, value in (("search", " ".join(text.split())[:LONGEST_TEXT]), ("author", author), ("cursor", cursor)):
        if value:
            parameters[name] = value.encode("utf-8", "replace").decode()
    if author:
        check_repo(f"{author}/x")
    answer = await ask_hub(hub, "api/models", parameters, what="models")
    try:
        rows = _list.decode(answer.body)
    except BAD_JSON as error:
        raise NotTheHubsAnswer(endpoint=hub.shown_endpoint, detail=error) from error
    repos = [repo for row in rows[:limit] if (repo := _read(row)) is not None]
    return HubPage(repos=tuple(repos), cursor=answer.cursor, left_out=len(rows) - len(repos))


def repo_of(row: RepoRow) -> HubRepo:
    """Check what a row says. Raises UnsafeName."""
    publisher = check_repo(row.id).split("/")[0]
    gguf = row.gguf or _Gguf()
    return HubRepo(
        repo=row.id,
        publisher=publisher,
        name=model_name_of(row.id),
        likes=row.likes,
        downloads=row.downloads,
        updated=_seconds(row.modified),
        created=_seconds(row.created),
        gated=row.gated if isinstance(row.gated, str) else "manual" if row.gated else "",
        private=bool(row.private),
        licence=_licence(row.tags),
        base_model=_base_model(row.tags),
        parameters=gguf.total or None,
        architecture=printable(gguf.architecture),
        context=gguf.context_length or None,
        task=printable(row.task or ""),
    )


def _read(row: msgspec.Raw) -> HubRepo | None:
    """One row of a list, None where nobody could use it."""
    try:
        return repo_of(_row.decode(row))
    except (*BAD_JSON, UnsafeName) as error:
        _log.info("a repository in the Hub's answer is left out: %s", error)
        return None


def _seconds(moment: datetime | None) -> float | None:
    """None also for a date that no calendar has at Greenwich, where it is shown."""
    if moment is None or moment.tzinfo is None:
        return None
    try:
        return moment.astimezone(UTC).timestamp()
    except OverflowError:
        return None


def _licence(tags: Iterable[str]) -> str:
    named = next((printable(tag.removeprefix("license:")) for tag in tags if tag.startswith("license:")), "")
    return _SPDX.get(named, named)


def _base_model(tags: Iterable[str]) -> str:
    """What was quantized; else the model that it comes from in another way."""
    named = [tag.removeprefix("base_model:") for tag in tags if tag.startswith("base_model:")]
    quantized = [name.removeprefix("quantized:") for name in named if name.startswith("quantized:")]
    for name in (*quantized, *(name for name in named if ":" not in name)):
        try:
            return check_repo(name)
        except UnsafeName:
            continue
    return ""
