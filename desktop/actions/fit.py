"""What one model file needs, and whether it fits."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from desktop.actions.known import known_model
from desktop.actions.models import resolve_model
from desktop.actions.survey import engine_of, learned_overheads, learned_speeds, survey
from desktop.errors import Phrase
from desktop.services import Services, Survey
from desktop.settings import ENGINE_PARALLEL, KV_TYPE, MEMORY_MARGIN, WANTED_CONTEXT

if TYPE_CHECKING:
    from desktop.catalog.remote_header import Progress
    from desktop.catalog.stubs import KnownModel
    from desktop.fit.plans.wish import FitDefaults, FitWish
    from desktop.fit.report import FitReport
    from desktop.fit.subject import FitSubject
    from desktop.library.types import InstalledModel, WantedModel


async def fit_model(
    services: Services,
    reference: str,
    *,
    wish: "FitWish",
    exact: bool = False,
    on_progress: "Progress | None" = None,
) -> "FitReport":
    """Tell what a model needs on the devices at hand or on imagined ones; one on the Hub is not downloaded for that.

    exact: ask the engine in a dry run. on_progress: told how many bytes of a header came.
    Raises what Library.resolve and known_model raise, WrongUsage, and the errors of engine.failure.
    """
    from desktop.fit.remembered.actual import load_key
    from desktop.fit.report import report_fit

    def on_bytes(count: int) -> None:
        if exact:
            services.dry_runs.get_ready()  # a header that has to be fetched was never asked about
        if on_progress is not None:
            on_progress(count)

    subject, found = await _subject_and_survey(services, reference, on_bytes)
    if wish.imagined is None:
        engine_of(found)
    report = await report_fit(
        subject,
        profile=found.profile,
        devices=found.engine.devices if found.engine else (),
        wish=wish,
        defaults=await learned_defaults(services, found),
        dry_runs=services.dry_runs if exact else None,
        folder=services.paths.stubs,
    )
    actual = await asyncio.to_thread(services.observed.actual, load_key(report.plan))
    return msgspec.structs.replace(report, actual=actual)


async def _subject_and_survey(
    services: Services, reference: str, on_progress: "Progress"
) -> "tuple[FitSubject, Survey]":
    """Both at the same time."""
    looking = asyncio.ensure_future(survey(services))
    try:
        subject = await subject_of(services, reference, on_progress=on_progress)
    except BaseException:
        looking.cancel()
        await asyncio.wait([looking])
        raise
    return subject, await looking


async def subject_of(services: Services, reference: str, *, on_progress: "Progress | None" = None) -> "FitSubject":
    """Find what `reference` names, on this disk or on the Hub, and read its header; raises as fit_model does."""
    from desktop.catalog.remote_header import RemoteHeaders
    from desktop.library.types import InstalledModel

    found = await asyncio.to_thread(resolve_model, services, reference)
    if isinstance(found, InstalledModel):
        return await asyncio.to_thread(installed_subject, found)
    async with RemoteHeaders(services.hub, on_progress=on_progress) as headers:
        known, remarks = await known_model(services, found, headers)
    return known_subject(found, known, remarks)


def installed_subject(model: "InstalledModel") -> "FitSubject":
    """Read the headers of a model on this disk. Blocking; raises the errors of gguf.header."""
    from desktop.fit.subject import FitSubject
    from desktop.gguf.header import other_headers, read_header

    path = Path(model.path)
    return FitSubject(
        path=path,
        name=model.name,
        quantization=model.quantization,
        header=read_header(path),
        shards=other_headers(path),
        repo=model.repo,
        file=model.file,
        revision=model.revision,
    )


def known_subject(wanted: "WantedModel", known: "KnownModel", remarks: tuple[Phrase, ...] = ()) -> "FitSubject":
    """A model on the Hub of which the header is known, as what a question is about."""
    from desktop.catalog.file_names import quantization_of
    from desktop.fit.subject import FitSubject

    return FitSubject(
        path=Path(known.repo, known.file),
        name=wanted.name,
        quantization=wanted.quantization or quantization_of(known.file),
        header=known.header,
        stub=known.stub,
        repo=known.repo,
        file=known.file,
        revision=known.commit,
        fetched=known.fetched,
        remarks=remarks,
    )


def fit_defaults(services: Services) -> "FitDefaults":
    """What the settings say of a load."""
    from desktop.fit.plans.wish import FitDefaults

    kv = services.settings.get(KV_TYPE)
    return FitDefaults(
        kv=kv,
        parallel=services.settings.get(ENGINE_PARALLEL),
        margin=services.settings.get(MEMORY_MARGIN),
        context=services.settings.get(WANTED_CONTEXT),
    )


async def learned_defaults(services: Services, found: Survey) -> "FitDefaults":
    """What a load takes where nothing is fixed, with what this machine's own runs taught."""
    overheads = await asyncio.to_thread(learned_overheads, services, found)
    probes = await asyncio.to_thread(learned_speeds, services, found)
    return msgspec.structs.replace(fit_defaults(services), overheads=overheads, probes=probes)
