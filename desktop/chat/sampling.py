"""Which sampler values a reply uses: what somebody chose wins over what a publisher or Snug suggests."""

import msgspec

from desktop.catalog.types import SamplingDefaults
from desktop.engine.protocol import Sampling
from desktop.settings import MAX_LENGTH, MODEL_SAMPLING, TEMPERATURE, TOP_P, SamplingOverrides
from desktop.settings_store import SettingsStore


def resolve_sampling(
    *,
    explicit: SamplingOverrides | None = None,
    settings: SettingsStore,
    card: SamplingDefaults | None = None,
    model_id: str = "",
) -> Sampling:
    """Return complete samplers, each from the first that says something.

    The order: `explicit`, the person's own values for `model_id`, the model's card, the person's values for all models,
    Snug's defaults. A value that is None says nothing; it never becomes 0.
    """
    for_all = SamplingOverrides(
        temperature=settings.get(TEMPERATURE), top_p=settings.get(TOP_P), max_length=settings.get(MAX_LENGTH)
    )
    chosen: dict[str, object] = {}
    for source in (for_all, card, settings.get(MODEL_SAMPLING).get(model_id), explicit):
        if source is not None:
            chosen |= {name: value for name, value in msgspec.structs.asdict(source).items() if value is not None}
    return msgspec.structs.replace(Sampling(), **chosen)
