"""Searching the Hub, and choosing what to download of it; whether it fits, hub_verdicts.py tells."""

from typing import TYPE_CHECKING

import msgspec

from desktop.catalog.catalog import CatalogUnreadable
from desktop.services import Services

if TYPE_CHECKING:
    from desktop.catalog.hub_files import HubListing, HubModelFile
    from desktop.catalog.search import HubPage, HubSort
    from desktop.catalog.types import CatalogModel, CatalogQuantization
    from desktop.library.types import WantedModel


async def search_hub(
    services: Services,
    text: str = "",
    *,
    sort: "HubSort" = "trending",
    limit: int = 30,
    author: str = "",
    base_model: str = "",
    cursor: str = "",
) -> "HubPage":
    """Search repositories with GGUF files; see catalog.search.search, which says what it takes and raises."""
    from desktop.catalog.search import search

    return await search(services.hub, text, sort=sort, limit=limit, author=author, base_model=base_model, cursor=cursor)


async def list_files(services: Services, repo: str) -> "HubListing":
    """Ask what a repository holds at its newest commit. Raises what catalog.hub_files.files raises."""
    from desktop.catalog.hub_files import files

    return await files(services.hub, repo)


def wanted_file(services: Services, listing: "HubListing", file: "HubModelFile") -> "WantedModel":
    """What to download for a file of a repository, pinned to the commit of the listing.

    A file that the catalog names is the catalog's model, so that it is one download and one model. Blocking where the
    catalog was not read yet.
    """
    from desktop.library.references import wanted_of
    from desktop.library.types import WantedModel

    known = _in_catalog(services, listing.repo.repo, file.file)
    wanted = (
        wanted_of(*known)
        if known is not None
        else WantedModel(
            model_id=listing.repo.repo,
            name=listing.repo.name,
            quantization=file.label,
            repo=listing.repo.repo,
            file=file.file,
            licence=listing.repo.licence,
        )
    )
    return msgspec.structs.replace(wanted, revision=listing.commit, size=file.size, sha256=file.sha256)


def _in_catalog(services: Services, repo: str, file: str) -> "tuple[CatalogModel, CatalogQuantization] | None":
    try:
        models = services.catalog.models
    except CatalogUnreadable:  # told where the catalog is shown
        return None
    found = (
        (model, each) for model in models for each in model.quantizations if (each.repo, each.file) == (repo, file)
    )
    return next(found, None)


def hub_reference(listing: "HubListing", file: "HubModelFile") -> str:
    """Return what MODEL a file is: owner/repo:QUANT where no other file has it, else owner/repo/file.gguf."""
    repo = listing.repo.repo
    return f"{repo}:{file.label}" if file.label == file.quantization else f"{repo}/{file.file}"
