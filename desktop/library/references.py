"""What a person may call a model: a path, an installed id, a catalog id or a name on the Hub."""

import difflib
import os
import re
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

import msgspec

from desktop.catalog.file_names import (
    check_file,
    check_repo,
    model_name_of,
    own_name,
    own_path,
    printable,
    quantization_of,
)
from desktop.catalog.types import Catalog, CatalogModel, CatalogQuantization
from desktop.errors import FileUnreadable
from desktop.gguf.shards import all_shards
from desktop.library.errors import UnknownModel, UnknownModelButSimilar, UnknownQuantization, UnnameableFile
from desktop.library.types import InstalledModel, WantedModel
from desktop.library.walk import same_one

PREFERRED = ("Q4_K_M", "Q4_K_S", "Q5_K_M", "Q4_0", "Q8_0")
"""What is taken when a model is named without a quantization and without a look at the machine."""

_HUB_QUANTIZATION = re.compile(r"(?P<repo>[^/\\:]+/[^/\\:]+):(?P<quantization>[A-Za-z0-9_-]+)")
_HUB_FILE = re.compile(r"(?P<repo>[^/\\:]+/[^/\\:]+)/(?P<file>[^\\:]+\.gguf)", re.IGNORECASE)


def looks_like_path(reference: str) -> bool:
    """Tell whether `reference` can only be meant as a path."""
    return (
        reference.startswith(("/", "./", "../", "~"))
        or "\\" in reference
        or bool(re.match(r"[A-Za-z]:[/\\]", reference))
        or (reference.lower().endswith(".gguf") and not _HUB_FILE.fullmatch(reference))
    )


def full_path(named: Path) -> Path:
    """Return the whole path that a person means, without "..".

    Raises FileUnreadable, and UnnameableFile where it is no text.
    """
    try:
        path = without_dots(named.expanduser().absolute())
        str(path).encode()  # databases and messages between processes are UTF-8
    except RuntimeError as error:  # ~nobody
        raise FileUnreadable(path=printable(str(named)), reason=str(error), detail=error) from error
    except UnicodeEncodeError as error:
        raise UnnameableFile(path=printable(str(named)), detail=error) from error
    return path


def without_dots(path: Path) -> Path:
    """Return a full path without "..", links kept where that is the same place: not where ".." follows a link."""
    if ".." not in path.parts or "\0" in str(path):
        return path
    last = len(path.parts) - path.parts[::-1].index("..")
    spelled, real = (Path(clean(Path(*path.parts[:last]))) for clean in (os.path.normpath, os.path.realpath))
    return (real if same_one(real, [spelled]) is None else spelled).joinpath(*path.parts[last:])


def split_reference(reference: str) -> tuple[str, str]:
    """Return (model, quantization in upper case or "") of `model[:QUANTIZATION]`."""
    model, _, quantization = reference.partition(":")
    return model, quantization.upper()


def named_so(reference: str, installed: Iterable[InstalledModel]) -> list[InstalledModel]:
    """Return the installed models that `reference` may mean: the one whose id is spelled so, else all that fit.

    Without a quantization each of them fits, and so does one that is called by its path as somebody else has its name.
    """
    installed = tuple(installed)
    spelled = [model for model in installed if model.id == reference]
    return spelled or [model for model in installed if _fits(model, reference)]


def _fits(model: InstalledModel, reference: str) -> bool:
    # Paths that differ in case are two files.
    name = Path(model.path).stem if model.id == model.path else model.id
    if name.lower() == reference.lower():
        return True
    model_id, quantization = split_reference(reference)
    fits = quantization in ("", model.quantization.upper())
    return fits and bool(model.model_id) and model.model_id.lower() == model_id.lower()


def named_on_hub(reference: str) -> WantedModel | None:
    """Read `owner/repo:QUANT` or `owner/repo/file.gguf`; None when it is neither. Raises UnsafeName."""
    if match := _HUB_QUANTIZATION.fullmatch(reference):
        repo, file, quantization = check_repo(match["repo"]), "", match["quantization"].upper()
    elif match := _HUB_FILE.fullmatch(reference):
        repo = check_repo(match["repo"])
        file = str(all_shards(PurePosixPath(check_file(match["file"])))[0])  # any shard means the whole model
        quantization = quantization_of(file)
    else:
        return None
    return WantedModel(model_id=repo, name=model_name_of(repo), quantization=quantization, repo=repo, file=file)


def under_own_id(wanted: WantedModel, there: Iterable[WantedModel]) -> WantedModel:
    """Return `wanted`, a file on the Hub, under an id that no other file has. there: what is installed or under way.

    A repository may have several files of one quantization: the second is told from the first by its name, as the
    window does it (HubModelFile.label). A file that is there already stays what it is called.
    """
    if not wanted.file or wanted.model_id != wanted.repo:
        return wanted
    others, place = set[str](), (wanted.repo, wanted.file)
    for each in there:
        if (each.repo, each.file) != place:
            others.add(each.id.lower())
        elif each.model_id == wanted.model_id:
            return msgspec.structs.replace(wanted, quantization=each.quantization)
    labels = (wanted.quantization, own_name(wanted.file), own_path(wanted.file), wanted.file)
    named = (msgspec.structs.replace(wanted, quantization=label) for label in labels)
    return next((each for each in named if each.id.lower() not in others), wanted)


def named_in_catalog(reference: str, catalog: Catalog) -> WantedModel | None:
    """Read a catalog id `qwen3-8b[:Q5_K_M]`; None when the catalog has no such model. Raises UnknownQuantization."""
    model_id, wanted = split_reference(reference)
    model = catalog.find(model_id.lower())
    if model is None:
        return None
    quantization = model.quantization(wanted) if wanted else _usual(model)
    if quantization is None:
        known = ", ".join(each.name for each in model.quantizations)
        raise UnknownQuantization(model=model.name, quantization=printable(wanted), known=known)
    return wanted_of(model, quantization)


def wanted_of(model: CatalogModel, quantization: CatalogQuantization) -> WantedModel:
    """Return what to download for one quantization of a catalog model."""
    return WantedModel(
        model_id=model.id,
        name=model.name,
        quantization=quantization.name,
        repo=quantization.repo,
        file=quantization.file,
        revision=quantization.revision or "main",
        size=quantization.size,
        licence=model.licence,
    )


def origin_of(model: InstalledModel) -> WantedModel | None:
    """Return where on the Hub an installed model came from, to fetch it from there again; None for another one."""
    if not model.is_from_hub:
        return None
    return WantedModel(
        model_id=model.model_id,
        name=model.name,
        quantization=model.quantization,
        repo=model.repo,
        file=model.file,
        revision=model.revision or "main",
        licence=model.licence,
    )


def loadable(installed: Iterable[InstalledModel], catalog: Catalog) -> dict[tuple[str, str], InstalledModel]:
    """Return what can be loaded, by (model, quantization): of its id, or of the very file that the catalog names.

    So what LM Studio or the Hub cache has of the catalog needs no download.
    """
    ready = [model for model in installed if model.is_ready]
    files = {(model.repo, model.file): model for model in ready if model.repo}
    offered = ((model.id, each) for model in catalog.models for each in model.quantizations)
    same = {
        (model_id, each.name): here
        for model_id, each in offered
        if (here := files.get((each.repo, each.file))) is not None
    }
    return same | {(model.model_id, model.quantization): model for model in ready}


def unknown_model(reference: str, known: Iterable[str]) -> UnknownModel:
    """Return the error for a name that nothing has, with the nearest names there are."""
    model = split_reference(reference)[0].lower()
    by_name = {name.lower(): name for name in known}
    near = difflib.get_close_matches(model, by_name, n=3, cutoff=0.6)
    shown = printable(reference)
    if near:
        return UnknownModelButSimilar(reference=shown, similar=", ".join(by_name[name] for name in near))
    return UnknownModel(reference=shown)


def _usual(model: CatalogModel) -> CatalogQuantization:
    found = (model.quantization(name) for name in PREFERRED)
    return next((each for each in found if each is not None), model.quantizations[-1])
