"""What the engine is asked about the files of a repository on the Hub, and which of them are on this disk."""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Self

import msgspec

from desktop.actions.asking import Question
from desktop.actions.hub import wanted_file
from desktop.catalog.catalog import CatalogUnreadable
from desktop.services import Services
from desktop.settings import KV_TYPE, WANTED_CONTEXT

if TYPE_CHECKING:
    from desktop.catalog.hub_files import HubListing, HubModelFile
    from desktop.engine.protocol import KvType
    from desktop.fit.types import Choice
    from desktop.library.types import InstalledModel, WantedModel


class FileQuestions:
    """Makes questions, all about one context and one type of KV cache. installed: what can be loaded from this disk."""

    def __init__(
        self, services: Services, installed: "Sequence[InstalledModel]", *, context: int, kv: "KvType"
    ) -> None:
        self._services = services
        self._context = context
        self._kv = kv
        self._placed = {(model.repo, model.file): model for model in installed if model.repo}
        self._alike = {model.sha256: model for model in installed if model.sha256 and not model.is_split}

    @classmethod
    async def begin(cls, services: Services, *, context: int | None, kv: "KvType | None") -> Self:
        """Look at what is on this disk. context, kv: None is what the settings say."""
        installed = await asyncio.to_thread(_installed, services)
        usual_context, usual_kv = services.settings.get(WANTED_CONTEXT), services.settings.get(KV_TYPE)
        return cls(services, installed, context=context or usual_context, kv=kv or usual_kv)

    def about(self, listing: "HubListing", file: "HubModelFile") -> Question:
        """Return the question about a file; no more context is asked for than the model was trained for."""
        here, wanted = self._here(listing, file), wanted_file(self._services, listing, file)
        context = min(self._context, listing.repo.context) if listing.repo.context else self._context
        choice = _unjudged(listing, file, wanted, context, self._kv)
        if here is not None:
            choice = msgspec.structs.replace(choice, installed=True, installed_as=here.id)
        return Question(choice, wanted, here)

    def _here(self, listing: "HubListing", file: "HubModelFile") -> "InstalledModel | None":
        """The model with the content of `file`: not an older one of its name; one of Ollama's or the starter, too."""
        placed = self._placed.get((listing.repo.repo, file.file))
        if placed is not None and _same_content(placed, file, listing):
            return placed
        return self._alike.get(file.sha256) if file.sha256 else None


def _installed(services: Services) -> "list[InstalledModel]":
    """Blocking."""
    models = [model for model in services.library.installed() if model.is_ready]
    return [_as_in_catalog(services, model) if model.bundled else model for model in models]


def _as_in_catalog(services: Services, starter: "InstalledModel") -> "InstalledModel":
    """The starter with the content that the catalog names for it."""
    try:
        model = services.catalog.find(starter.model_id)
    except CatalogUnreadable:  # told where the catalog is shown
        return starter
    offered = model.quantization(starter.quantization) if model is not None else None
    return starter if offered is None else msgspec.structs.replace(starter, sha256=offered.sha256 or "")


def _same_content(model: "InstalledModel", file: "HubModelFile", listing: "HubListing") -> bool:
    """Whether what is on this disk is the file of the listing, not an older one of its name."""
    return model.revision == listing.commit or (bool(file.sha256) and model.sha256 == file.sha256)


def _unjudged(
    listing: "HubListing", file: "HubModelFile", wanted: "WantedModel", context: int, kv: "KvType"
) -> "Choice":
    """A choice of which nobody has said anything yet; never shown as it is."""
    from desktop.engine.protocol import Placement
    from desktop.fit.rating.quality import quality_by_name
    from desktop.fit.types import Choice, Speed

    return Choice(
        model_id=wanted.model_id,
        model_name=wanted.name,
        publisher=listing.repo.publisher,
        licence=wanted.licence,
        quantization=file.quantization,
        repo=listing.repo.repo,
        file=file.file,
        download_size=file.size,
        size_is_estimate=False,
        context=context,
        kv=kv,
        n_gpu_layers=0,
        n_layer=0,
        placement=Placement(layers=()),
        memory=(),
        verdict="does_not_fit",
        speed=Speed(decode_low=0.0, decode_high=0.0),
        quality=quality_by_name(file.quantization, listing.repo.parameters),
        capability=0.0,
    )
