"""Ranking what could run."""

from typing import TYPE_CHECKING

from desktop.actions.survey import learned_overheads, learned_speeds
from desktop.engine.protocol import KvType
from desktop.services import Services
from desktop.settings import KV_TYPE, MEMORY_MARGIN, MINIMUM_SPEED, WANTED_CONTEXT

if TYPE_CHECKING:
    from desktop.fit.types import Recommendation
    from desktop.hardware.types import HardwareProfile


def recommend_models(
    services: Services,
    profile: "HardwareProfile",
    *,
    context: int | None = None,
    kv: KvType | None = None,
    minimum_speed: float | None = None,
) -> "Recommendation":
    """Rank what could run on `profile`, best first. Blocking: reads the catalog and the library on first use.

    context: tokens. minimum_speed: tokens per second. None means what the settings say.
    """
    from desktop.fit.advice.recommend import recommend
    from desktop.fit.advice.rows import Learned
    from desktop.library.references import loadable

    chosen, found = services.settings.get(KV_TYPE), services.surveys.latest
    return recommend(
        profile=profile,
        catalog=services.catalog,
        installed=loadable(services.library.installed(), services.catalog),
        context=context or services.settings.get(WANTED_CONTEXT),
        kv=kv or chosen,
        minimum_speed=services.settings.get(MINIMUM_SPEED) if minimum_speed is None else minimum_speed,
        margin=services.settings.get(MEMORY_MARGIN),
        learned=Learned(learned_speeds(services, found), learned_overheads(services, found) if found else {}),
    )
