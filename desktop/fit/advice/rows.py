"""Every (model, quantization) of the catalog, priced for one machine: the work behind recommend and the models page.

What depends on the catalog only is computed once per catalog; pricing a row for another context is arithmetic.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

import msgspec

from desktop.catalog.types import Catalog, CatalogModel, CatalogQuantization
from desktop.errors import Phrase
from desktop.fit.advice.catalog_shape import file_size, shape_of_catalog
from desktop.fit.memory.budget import MARGIN, budgets_of_profile
from desktop.fit.memory.placement import CPU, Request, placement_of
from desktop.fit.memory.shape import ModelShape
from desktop.fit.memory.split import headroom
from desktop.fit.plans.search import Candidate, Problem
from desktop.fit.rating.capability import capability_of
from desktop.fit.rating.quality import QuantFigures, quality_of, quant_figures
from desktop.fit.speeds.measured import Probes
from desktop.fit.speeds.speed import SpeedModel
from desktop.fit.types import Choice, DeviceBudget, Quality, Verdict
from desktop.hardware.types import HardwareProfile


class Learned(NamedTuple):
    """What is known of this machine's devices: how fast they were measured to be, and bytes that their drivers take."""

    probes: Probes | None = None
    overheads: Mapping[str, int] = {}


NOTHING_LEARNED = Learned()


class Row(NamedTuple):
    """One quantization of one model, with what does not depend on the machine. size: bytes of the file."""

    model: CatalogModel
    quantization: CatalogQuantization
    shape: ModelShape
    figures: QuantFigures
    quality: Quality
    capability: float
    size: int
    size_is_estimate: bool


class Machine(NamedTuple):
    """What a profile means for prices: the budgets, the CPU first, and the bandwidths."""

    budgets: tuple[DeviceBudget, ...]
    speed: SpeedModel


class _Same:
    """Makes a catalog a key by identity: hashing all of it would cost more than pricing it."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog

    def __hash__(self) -> int:
        return id(self.catalog)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.catalog is self.catalog


def rows_of(catalog: Catalog) -> tuple[Row, ...]:
    """Return a row per model and quantization, in the catalog's order."""
    return _rows_of(_Same(catalog))


@lru_cache(maxsize=4)
def _rows_of(key: _Same) -> tuple[Row, ...]:
    return tuple(_row(model, entry) for model in key.catalog.models for entry in model.quantizations)


def _row(model: CatalogModel, quantization: CatalogQuantization) -> Row:
    size, estimated = file_size(model, quantization)
    return Row(
        model=model,
        quantization=quantization,
        shape=shape_of_catalog(model, quantization),
        figures=quant_figures(quantization.name),
        quality=quality_of(model, quantization.name),
        capability=capability_of(model),
        size=size,
        size_is_estimate=estimated,
    )


def machine_of(profile: HardwareProfile, *, margin: int = MARGIN, learned: Learned = NOTHING_LEARNED) -> Machine:
    """Work out budgets and bandwidths of a profile. margin: bytes that stay free."""
    budgets = budgets_of_profile(profile, margin=margin, overheads=learned.overheads)
    return Machine(budgets, SpeedModel(profile, budgets, probes=learned.probes))


def price(row: Row, machine: Machine, request: Request, *, installed: bool = False) -> Choice:
    """Place one row on a machine: memory per device, verdict, speed. Its reasons are empty."""
    problem = Problem(row.model.name, row.shape, machine.budgets, machine.speed, row.figures)
    best = problem.attempt(request)
    left = min(best.left.values())
    return Choice(
        model_id=row.model.id,
        model_name=row.model.name,
        publisher=row.model.publisher,
        licence=row.model.licence,
        quantization=row.quantization.name,
        repo=row.quantization.repo,
        file=row.quantization.file,
        download_size=row.size,
        size_is_estimate=row.size_is_estimate,
        context=request.n_ctx,
        kv=request.type_k,
        n_gpu_layers=best.layout.offloaded,
        n_layer=row.shape.n_layer,
        placement=placement_of(best.layout.spans),
        kept=best.layout.kept,
        memory=best.memory,
        verdict=verdict_of(best, machine.budgets),
        missing=max(-left, 0),
        spare=max(left, 0),
        speed=best.speed,
        quality=row.quality,
        capability=row.capability,
        installed=installed,
    )


def with_reasons(choice: Choice, reasons: Sequence[Phrase]) -> Choice:
    """Return the choice with its reasons."""
    return msgspec.structs.replace(choice, reasons=tuple(reasons))


def verdict_of(candidate: Candidate, budgets: Sequence[DeviceBudget]) -> Verdict:
    """Say how well a way to place a model fits, in a word."""
    if not candidate.fits:
        close = min(headroom(candidate.memory, budgets, margin=False).values())
        return "tight" if close >= 0 else "does_not_fit"
    on_cpu = candidate.layout.spans[0].device == CPU or candidate.layout.kept is not None
    return "partial" if on_cpu and any(budget.is_gpu for budget in budgets) else "fits"
