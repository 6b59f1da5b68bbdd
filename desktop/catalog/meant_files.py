"""Which files of a repository are meant: by the name of one, or by a quantization."""

import difflib
import itertools
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from pathlib import PurePosixPath
from typing import Literal

from desktop.catalog.file_names import check_file, is_projector, printable, quantization_of
from desktop.catalog.hub_errors import (
    HubFileAmbiguous,
    HubFileMissing,
    HubFileMissingButSimilar,
    HubQuantizationMissing,
)
from desktop.gguf.shards import all_shards, parse_shard_name

MOST_SHARDS = 512
"""Of one model; the largest known has some 150."""

_MOST_NAMED = 24
"""Names in one hint."""

_MOST_COMPARED = 2000
"""Names that are looked through for similar ones: 200,000 would take seconds."""


def kind_by_name(file: str) -> Literal["model", "projector", "imatrix", ""]:
    """Return what a file of a repository is by its name, "" for what nobody asked about."""
    name = file.rpartition("/")[2].lower()
    if not name.endswith(".gguf"):
        return "imatrix" if "imatrix" in name else ""
    if is_projector(name):
        return "projector"
    return "imatrix" if "imatrix" in name and not quantization_of(name) else "model"


def meant_files(repo: str, names: Collection[str], *, file: str, quantization: str) -> list[str]:
    """Return the files among `names`, those of `repo`, that are the model: `file` or any shard, or by `quantization`.

    Raises UnsafeName, HubQuantizationMissing, HubFileAmbiguous, HubFileMissing and HubFileMissingButSimilar.
    """
    wanted = check_file(file or _in_quantization(repo, names, quantization))
    shards = _shards_of(wanted)
    for shard in shards or [wanted]:
        if shard not in names or not shards:
            raise _missing_file(repo, shard, sorted(names))
    return shards


def _shards_of(file: str) -> list[str]:
    """The names of all shards of a model, or of its one file; none for a name that promises too many."""
    shard = parse_shard_name(file.rpartition("/")[2])
    if shard is not None and shard.count > MOST_SHARDS:
        return []
    return [str(each) for each in all_shards(PurePosixPath(file))]


def whole_models(names: Iterable[str]) -> dict[str, list[str]]:
    """Return the models among the names of a repository: of each its first file, and all of its files in order.

    What lacks shards is none. Each name is looked at once: whoever made a repository may have named thousands of files
    as the first of hundreds.
    """
    models, split = dict[str, list[str]](), defaultdict[tuple[str, int, str], dict[int, str]](dict)
    for name in names:
        shard = parse_shard_name(name.rpartition("/")[2])
        if kind_by_name(name) != "model":
            continue
        if shard is None:
            models[name] = [name]
        elif shard.count <= MOST_SHARDS:
            folder_and_stem, _, ending = name.rpartition(f"-{shard.index:05d}-of-")
            split[folder_and_stem, shard.count, ending][shard.index] = name
    for (_, count, _), shards in split.items():
        if len(shards) == count:
            models[shards[1]] = [shards[index] for index in range(1, count + 1)]
    return models


def _in_quantization(repo: str, names: Collection[str], quantization: str) -> str:
    """The one model in `quantization`; of a split one the first shard."""
    models = {name: quantization_of(name) for name in sorted(whole_models(names))}
    found = [name for name, carried in models.items() if carried == quantization.upper()]
    if not found:  # a name that holds more than the field's own names: UD-Q4_K_XL, Q4_0_4_4
        token = re.compile(rf"(?:^|[-._/]){re.escape(quantization)}(?:-00001-of-\d{{5}})?\.gguf$", re.IGNORECASE)
        found = [name for name in models if token.search(name)]
    if len(found) == 1:
        return found[0]
    if found:
        raise HubFileAmbiguous(repo=repo, quantization=printable(quantization), files=_listed(found))
    known = sorted({carried for carried in models.values() if carried})
    if not known:
        raise HubFileMissing(what=printable(f"{repo}:{quantization}"))
    near = difflib.get_close_matches(quantization.upper(), known, n=3, cutoff=0.3)
    others = [name for name in known if name not in near]
    raise HubQuantizationMissing(repo=repo, quantization=printable(quantization), known=_listed([*near, *others]))


def _is_model(name: str) -> bool:
    """Whether a file is a model, or the first shard of one; a projector is none, nor is an importance matrix."""
    shard = parse_shard_name(name.rpartition("/")[2])
    return kind_by_name(name) == "model" and (shard is None or (shard.index == 1 and shard.count <= MOST_SHARDS))


def _missing_file(repo: str, file: str, names: Iterable[str]) -> HubFileMissing:
    offered = itertools.islice((name for name in names if _is_model(name)), _MOST_COMPARED)
    near = difflib.get_close_matches(file, list(offered), n=3)
    if near:
        return HubFileMissingButSimilar(what=printable(f"{repo}/{file}"), similar=_listed(near))
    return HubFileMissing(what=printable(f"{repo}/{file}"))


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(printable(name) for name in names[:_MOST_NAMED])
    return f"{shown} ..." if len(names) > _MOST_NAMED else shown
