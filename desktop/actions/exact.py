"""What the engine itself says of choices of the catalog, at once where a header is known, else once it was fetched."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING

from desktop.actions.asking import Asking, OnFailure, Question
from desktop.services import Services, Survey

if TYPE_CHECKING:
    from desktop.engine.protocol import ImaginedDevice
    from desktop.fit.types import Choice
    from desktop.library.types import WantedModel


async def verify_choices(
    services: Services,
    found: Survey,
    choices: "Sequence[Choice]",
    *,
    fetch: bool,
    imagined: "Sequence[ImaginedDevice] | None" = None,
    on_failure: OnFailure | None = None,
) -> "AsyncGenerator[Choice, None]":
    """Yield each choice again with the engine's own figures (`exact`), as soon as they are there (Asking.answers).

    `on_failure` hears of what cannot be had and of what the engine refuses. imagined: cards instead of those at hand,
    for the profile in `found`. Close it when it is left early (aclosing).
    """
    asking = await Asking.begin(services, found, imagined, on_failure=on_failure)
    if asking is None:
        return
    questions = await asyncio.to_thread(_questions, services, choices)
    async with aclosing(asking.answers(questions, fetch=fetch)) as answers:
        async for exact in answers:
            yield exact


async def remembered_choices(
    services: Services,
    found: Survey,
    choices: "Sequence[Choice]",
    *,
    imagined: "Sequence[ImaginedDevice] | None" = None,
) -> "tuple[Choice, ...]":
    """Return the choices, each with the engine's figures where it was asked the same in this session already."""
    asking = await Asking.begin(services, found, imagined)
    if asking is None:
        return tuple(choices)
    questions = await asyncio.to_thread(_questions, services, choices)
    return tuple(asking.remembered(question) or question.choice for question in questions)


def _questions(services: Services, choices: "Sequence[Choice]") -> list[Question]:
    """Where the file of each choice is, or comes from. Blocking: looks into the library."""
    from desktop.library.references import loadable

    installed = loadable(services.library.installed(), services.catalog)
    return [
        Question(choice, _wanted(services, choice), installed.get((choice.model_id, choice.quantization)))
        for choice in choices
    ]


def _wanted(services: Services, choice: "Choice") -> "WantedModel":
    """Where the file of a choice comes from, pinned where the catalog pins it."""
    from desktop.library.references import wanted_of
    from desktop.library.types import WantedModel

    model = services.catalog.find(choice.model_id)
    entry = model.quantization(choice.quantization) if model is not None else None
    if model is not None and entry is not None:
        return wanted_of(model, entry)
    return WantedModel(
        model_id=choice.model_id,
        name=choice.model_name,
        quantization=choice.quantization,
        repo=choice.repo,
        file=choice.file,
    )
