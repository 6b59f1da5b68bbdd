"""Naming, finding and getting models."""

from typing import TYPE_CHECKING

from desktop.catalog.catalog import CatalogUnreadable
from desktop.errors import QT_TRANSLATE_NOOP, AppError
from desktop.services import Services
from desktop.settings import DEFAULT_MODEL, LAST_MODEL

if TYPE_CHECKING:
    from desktop.library.types import InstalledModel, WantedModel


class NotInstalled(AppError):
    """The model is known but not on this disk."""

    message = QT_TRANSLATE_NOOP("core", "{name} is not on this disk yet.")
    hint = QT_TRANSLATE_NOOP(
        "core", 'Download it on the Models page, or choose one that "snug models" shows as installed.'
    )


def find_model(services: Services, reference: str | None) -> "InstalledModel":
    """Return the installed model that `reference` names; None is the person's default. Blocking.

    The default: what the setting names, else what was used last and is still there, else the starter.
    Raises what resolve_model raises, NotInstalled and StarterModelMissing.
    """
    from desktop.library.starter import starter_model
    from desktop.library.types import InstalledModel

    reference = reference or services.settings.get(DEFAULT_MODEL)
    if not reference:
        last = services.settings.get(LAST_MODEL)
        installed = services.library.installed() if last else ()
        return next((one for one in installed if one.id == last and one.is_ready), None) or starter_model()
    found = resolve_model(services, reference)
    if isinstance(found, InstalledModel):
        return found
    raise NotInstalled(name=found.id)


def resolve_model(services: Services, reference: str, *, renew: bool = False) -> "InstalledModel | WantedModel":
    """Return what `reference` names, on this disk or to be had. Blocking.

    renew: whether one whose file is not right is to be had again. Raises what Library.resolve raises, and
    CatalogUnreadable for what is not on this disk.
    """
    from desktop.library.errors import UnknownModel

    try:
        catalog = services.catalog
    except CatalogUnreadable as error:
        try:
            return services.library.find(reference)  # what is on this disk works without the catalog
        except UnknownModel:
            raise error from None
    return services.library.resolve(reference, catalog, renew=renew)


def wanted_in_catalog(services: Services, *, model_id: str, quantization: str) -> "WantedModel":
    """Return what to download for one quantization of a catalog model.

    Raises UnknownModel, UnknownQuantization and CatalogUnreadable.
    """
    from desktop.library.references import named_in_catalog, unknown_model

    catalog = services.catalog
    wanted = named_in_catalog(f"{model_id}:{quantization}", catalog)
    if wanted is None:
        raise unknown_model(model_id, [model.id for model in catalog.models])
    return wanted
