"""What one repository of the Hub holds: its models, whole or in parts, apart from projectors and imatrix files."""

import logging
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Annotated

import msgspec

from desktop.catalog.file_names import UnsafeName, check_file, check_repo, check_revision, quantization_of
from desktop.catalog.hub import COMMIT, SHA256, Hub
from desktop.catalog.hub_answers import ask_hub
from desktop.catalog.hub_errors import HubUnreachable
from desktop.catalog.meant_files import kind_of
from desktop.catalog.remote_header import MOST_SHARDS
from desktop.catalog.search import BAD_JSON, HubRepo, RepoRow, not_the_hub, repo_of
from desktop.gguf.shards import all_shards, parse_shard_name

MOST_FILES = 5000
"""Files of a repository that are looked at; what comes after them is left out."""

_IMATRIX_ENDINGS = (".dat", ".imatrix", ".gguf", ".gguf_file")
_log = logging.getLogger(__name__)


class HubModelFile(msgspec.Struct, frozen=True, kw_only=True):
    """A model of a repository, in one file or in several.

    file: path in the repository, of a split model the first part. parts: number of files. size: bytes of all of them.
    quantization: as the name says, "" where it names none. sha256: of the content, "" for a split model and where the
    Hub names none. verifiable: whether the Hub names one for each part, so that a download can be checked.
    """

    file: str
    quantization: str
    size: int
    parts: int = 1
    sha256: str = ""
    verifiable: bool = False


class HubOtherFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file beside the models: a projector (mmproj) or an importance matrix. size: bytes."""

    file: str
    size: int
    sha256: str = ""


class HubListing(msgspec.Struct, frozen=True, kw_only=True):
    """What a repository holds at one commit.

    repo: what the Hub says of it. commit: 40 hexadecimal digits. models: smallest first.
    left_out: files nobody could use, and models of which a part is missing.
    """

    repo: HubRepo
    commit: str
    models: tuple[HubModelFile, ...] = ()
    projectors: tuple[HubOtherFile, ...] = ()
    imatrices: tuple[HubOtherFile, ...] = ()
    left_out: int = 0


class _Lfs(msgspec.Struct):
    sha256: str
    size: Annotated[int, msgspec.Meta(gt=0, le=1 << 53)]


class _Sibling(msgspec.Struct):
    rfilename: str
    size: Annotated[int, msgspec.Meta(ge=0, le=1 << 53)] | None = None
    lfs: _Lfs | None = None


class _Repository(RepoRow):
    sha: str = ""
    siblings: list[msgspec.Raw] = msgspec.field(default_factory=list)


_repository = msgspec.json.Decoder(_Repository)
_sibling = msgspec.json.Decoder(_Sibling)


async def files(hub: Hub, repo: str, *, revision: str = "main") -> HubListing:
    """Ask what `repo` holds at `revision`.

    Raises UnsafeName, OfflineSwitchOn, BadEndpoint, HubFileMissing, HubAccessDenied, HubBusy, HubUnreachable.
    """
    path = f"api/models/{check_repo(repo)}/revision/{check_revision(revision).replace('/', '%2F')}"
    answer = await ask_hub(hub, path, {"blobs": True}, what=repo)
    try:
        found = _repository.decode(answer.body)
        named = repo_of(found)
    except (*BAD_JSON, UnsafeName) as error:
        raise not_the_hub(hub, error) from error
    if not COMMIT.fullmatch(found.sha):
        raise HubUnreachable(endpoint=hub.endpoint, reason="it names no commit", detail=found.sha)
    entries = [entry for row in found.siblings[:MOST_FILES] if (entry := _read(row)) is not None]
    by_name = {entry.file: entry for entry in entries if entry.file.lower().endswith(_IMATRIX_ENDINGS)}
    kinds = {name: kind_of(name) for name in by_name}
    models, broken = _models({name: by_name[name] for name, kind in kinds.items() if kind == "model"})
    return HubListing(
        repo=named,
        commit=found.sha,
        models=tuple(sorted(models, key=lambda model: (model.size, model.file))),
        projectors=tuple(by_name[name] for name in sorted(kinds) if kinds[name] == "projector"),
        imatrices=tuple(by_name[name] for name in sorted(kinds) if kinds[name] == "imatrix"),
        left_out=len(found.siblings) - len(entries) + broken,
    )


def _read(row: msgspec.Raw) -> HubOtherFile | None:
    """One file, None where nobody could use it: a name that leads elsewhere, no size."""
    try:
        sibling = _sibling.decode(row)
        file = check_file(sibling.rfilename)
    except (*BAD_JSON, UnsafeName) as error:
        _log.info("a file in the Hub's answer is left out: %s", error)
        return None
    size = sibling.lfs.size if sibling.lfs else sibling.size
    digest = sibling.lfs.sha256 if sibling.lfs and SHA256.fullmatch(sibling.lfs.sha256) else ""
    return HubOtherFile(file=file, size=size, sha256=digest) if size is not None else None


def _models(found: Mapping[str, HubOtherFile]) -> tuple[list[HubModelFile], int]:
    """The models, and how many of them lack a part."""
    models, broken = list[HubModelFile](), 0
    for name in found:
        shard = parse_shard_name(name.rpartition("/")[2])
        if shard is not None and shard.index > 1:
            continue
        if shard is not None and shard.count > MOST_SHARDS:
            broken += 1
            continue
        parts = [found.get(str(part)) for part in all_shards(PurePosixPath(name))]
        whole = [part for part in parts if part is not None]
        if len(whole) < len(parts):
            broken += 1
            continue
        models.append(
            HubModelFile(
                file=name,
                quantization=quantization_of(name),
                size=sum(part.size for part in whole),
                parts=len(whole),
                sha256=whole[0].sha256 if len(whole) == 1 else "",
                verifiable=all(part.sha256 for part in whole),
            )
        )
    return models, broken
