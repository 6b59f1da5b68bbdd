"""What one repository of the Hub holds: its models, whole or in shards, apart from projectors and imatrix files."""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Annotated

import msgspec

from desktop.catalog.file_names import SHA256, UnsafeName, check_file, own_name, own_path, quantization_of
from desktop.catalog.hub import Hub
from desktop.catalog.hub_answers import BAD_JSON, ask_repository
from desktop.catalog.hub_errors import NotTheHubsAnswer
from desktop.catalog.meant_files import kind_by_name, whole_models
from desktop.catalog.search import HubRepo, RepoRow, repo_of
from desktop.gguf.shards import parse_shard_name

MOST_FILES = 5000
"""Files of a repository that are looked at; what comes after them is left out."""

_ENDINGS = (".dat", ".imatrix", ".gguf", ".gguf_file")  # of models, projectors and importance matrices
_log = logging.getLogger(__name__)


class HubModelFile(msgspec.Struct, frozen=True, kw_only=True):
    """A model of a repository, in one file or in several.

    file: path in the repository, of a split model the first shard. shards: number of files. size: bytes of all of them.
    quantization: as the name says, "" where it names none. label: what tells it from the other models of the
    repository: its quantization, else its name, else its path without the ending. sha256: of the content, "" for a
    split model and where the Hub names none. verifiable: whether the Hub names one for each shard, so that a download
    can be checked.
    """

    file: str
    quantization: str
    label: str
    size: int
    shards: int = 1
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
    left_out: files nobody could use, and models that lack shards.
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
    found = await ask_repository(hub, repo, revision, _repository)
    try:
        named = repo_of(found)
    except UnsafeName as error:
        raise NotTheHubsAnswer(endpoint=hub.shown_endpoint, detail=error) from error
    entries = [entry for row in found.siblings[:MOST_FILES] if (entry := _read(row)) is not None]
    by_name = {entry.file: entry for entry in entries if entry.file.lower().endswith(_ENDINGS)}
    kinds = {name: kind_by_name(name) for name in by_name}
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
    """The models, and how many of them lack shards."""
    whole = {name: [found[each] for each in files] for name, files in whole_models(found).items()}
    labels = _labels(list(whole))
    models = [
        HubModelFile(
            file=name,
            quantization=quantization_of(name),
            label=labels[name],
            size=sum(shard.size for shard in shards),
            shards=len(shards),
            sha256=shards[0].sha256 if len(shards) == 1 else "",
            verifiable=all(shard.sha256 for shard in shards),
        )
        for name, shards in whole.items()
    ]
    return models, sum(map(_begins_one, found)) - len(models)


def _begins_one(name: str) -> bool:
    """Whether a file is all of a model, or the first of its shards."""
    shard = parse_shard_name(name.rpartition("/")[2])
    return shard is None or shard.index == 1


def _labels(names: Sequence[str]) -> dict[str, str]:
    """What tells each file from the others."""
    quantizations = Counter(map(quantization_of, names))
    kinds = [(told, Counter(map(told, names))) for told in (own_name, own_path)]

    def label(name: str) -> str:
        quantization = quantization_of(name)
        if quantization and quantizations[quantization] == 1:
            return quantization
        texts = (told(name) for told, count in kinds if count[told(name)] == 1)
        return next((text for text in texts if text.upper() not in quantizations), name)

    return {name: label(name) for name in names}
