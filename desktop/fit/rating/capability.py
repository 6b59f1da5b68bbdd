"""Which model is more capable, before any quantization is looked at: an order, not a measurement.

log2 of the parameters (of a mixture of experts sqrt(total * active)), plus a step per generation, minus a little for
models that were trained for something else than conversation. A step of 0.6 says that a new generation does with
two thirds of the parameters what the last one did; Xiao et al., "Densing Law of LLMs" (arXiv 2412.04315) measured a
doubling of capability per parameter in about 3.5 months among the best models, of which this takes a careful part.
Parameters, generation and task class have their sources in models.json.
"""

import math

from desktop.catalog.types import CatalogModel, TaskClass

_GENERATION_STEP = 0.6
_FOR_CONVERSATION: dict[TaskClass, float] = {
    "general": 0.0,
    "reasoning": -0.3,  # thinks at length before each answer, which costs time on every turn
    "code": -0.6,
}


def capability_of(model: CatalogModel) -> float:
    """Return the figure by which models are ranked; one more is worth twice the parameters."""
    size = math.log2(model.effective_parameters / 1e9)
    return size + _GENERATION_STEP * model.capability.generation + _FOR_CONVERSATION[model.capability.task_class]
