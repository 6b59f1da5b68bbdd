"""What is tried when a model that should have fitted runs out of memory while it loads: less, step by step, and said.

The order: a shorter context, a KV cache in q8_0 where the family of models bears it, fewer layers on the graphics
cards, then an even shorter context. After the last step only a smaller quantization is left, which the person has to
choose. What a person fixed is never touched, nor are the micro-batch, the replies at once (n_parallel) and the tensors
that stay on the processor (the plan's overrides).
"""

import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

import msgspec

from desktop.engine.protocol import LoadPlan
from desktop.errors import QT_TRANSLATE_NOOP, Phrase
from desktop.fit.memory.placement import assign_layers, placement_of, spans_of
from desktop.fit.plans.plan import PlanTask, flash_attention_for
from desktop.fit.plans.search import LEAST_CONTEXT
from desktop.fit.rating.quality import kv_may_be_lowered
from desktop.fit.remembered.observed import LoadOutcome, Outcome

EASY_CONTEXT = 4096
"""Tokens down to which a shorter context is tried before anything else is given up."""

REMEMBERED_FOR = 7 * 24 * 3600.0
"""Seconds for which a load that ran out of memory is not tried again in the same way."""

_LESS_CONTEXT = QT_TRANSLATE_NOOP(
    "core", "{device} ran out of memory, so the context was lowered from {before} to {after} tokens."
)
_SMALLER_KV = QT_TRANSLATE_NOOP(
    "core", "{device} ran out of memory, so the KV cache is kept in q8_0: half the memory, very little lost."
)
_FEWER_LAYERS = QT_TRANSLATE_NOOP(
    "core", "{device} ran out of memory, so {after} layers are on graphics cards instead of {before}; it is slower."
)
_REMEMBERED = QT_TRANSLATE_NOOP(
    "core",
    "It ran out of memory here before, so it starts as it worked then: {context} tokens of context, {layers} layers on "
    "graphics cards.",
)


class Step(NamedTuple):
    """A plan that needs less than the one before it, and why it is as it is."""

    plan: LoadPlan
    reason: Phrase


class Freedom(NamedTuple):
    """What of a plan may be given up: what the person did not fix, and what the family of models bears."""

    context: bool = True
    kv: bool = True
    layers: bool = True


def freedom_of(task: PlanTask) -> Freedom:
    """What the person left open."""
    return Freedom(
        context=task.context is None,
        kv=(task.type_k, task.type_v) == ("f16", "f16") and kv_may_be_lowered(task.header.architecture),
        layers=task.gpu_layers is None and not task.tensor_split,
    )


class Failed(NamedTuple):
    """Where the memory ran out; in_ram: that is main memory, which layers off the cards would only fill further."""

    device: str
    in_ram: bool


def steps_down(plan: LoadPlan, freedom: Freedom, failed: Callable[[], Failed]) -> Iterator[Step]:
    """Yield what to try after `plan` ran out of memory, each step on top of those before it.

    failed: asked before each step for the newest failure. The plans keep the figures of the first in `predicted`; who
    loads one asks anew.
    """
    # `as_it_worked` goes down these steps again and looks each exact plan up (`load_key`): with another order, or other
    # figures in a step, what was remembered of the last REMEMBERED_FOR seconds is not found any more.
    first = plan
    contexts = freedom.context
    for target in _contexts(plan.n_ctx, least=EASY_CONTEXT) if contexts else ():
        plan = msgspec.structs.replace(plan, n_ctx=target)
        yield Step(plan, Phrase.of(_LESS_CONTEXT, device=failed().device, before=first.n_ctx, after=target))
    if freedom.kv:
        plan = msgspec.structs.replace(plan, type_k="q8_0", type_v="q8_0", flash_attention=flash_attention_for("q8_0"))
        yield Step(plan, Phrase.of(_SMALLER_KV, device=failed().device))
    for layers in _fewer_layers(first.n_gpu_layers) if freedom.layers else ():
        if failed().in_ram:
            break
        plan = _with_layers(plan, layers)
        words = Phrase.of(_FEWER_LAYERS, device=failed().device, before=first.n_gpu_layers, after=layers)
        yield Step(plan, words)
    for target in _contexts(plan.n_ctx, least=LEAST_CONTEXT) if contexts else ():
        plan = msgspec.structs.replace(plan, n_ctx=target)
        yield Step(plan, Phrase.of(_LESS_CONTEXT, device=failed().device, before=first.n_ctx, after=target))


def outcome_of(plan: LoadPlan, outcome: Outcome) -> LoadOutcome:
    """How a load with this plan ended, to be remembered."""
    return LoadOutcome(
        outcome=outcome,
        context=plan.n_ctx,
        type_k=plan.type_k,
        type_v=plan.type_v,
        n_gpu_layers=plan.n_gpu_layers,
        n_parallel=plan.n_parallel,
    )


def as_it_worked(
    plan: LoadPlan, freedom: Freedom, outcomes: Callable[[LoadPlan], Sequence[LoadOutcome]]
) -> Step | None:
    """What to load instead of `plan`, where the same ran out of memory here lately and a step further down worked.

    outcomes: how loads of exactly such a plan ended on this machine, the newest first. None where nothing speaks
    against the plan.
    """

    def ended(one: LoadPlan) -> Outcome | None:
        newest = next(iter(outcomes(one)), None)
        lately = newest is not None and newest.at > time.time() - REMEMBERED_FOR
        return newest.outcome if newest is not None and lately else None

    if ended(plan) != "out_of_memory":
        return None
    for in_ram in (False, True):
        for step in steps_down(plan, freedom, partial(Failed, "", in_ram)):
            if ended(step.plan) == "loaded":
                return Step(step.plan, Phrase.of(_REMEMBERED, context=step.plan.n_ctx, layers=step.plan.n_gpu_layers))
    return None


def _contexts(context: int, *, least: int) -> Iterator[int]:
    """Halves of a context in steps of LEAST_CONTEXT, down to `least`."""
    while context > least:
        context = max(context // 2 // LEAST_CONTEXT * LEAST_CONTEXT, least)
        yield context


def _fewer_layers(offloaded: int) -> list[int]:
    """Three quarters, half, a quarter and none of the layers."""
    return sorted({offloaded * part // 4 for part in range(4)} - {offloaded}, reverse=True)


def _with_layers(plan: LoadPlan, n_gpu_layers: int) -> LoadPlan:
    """The same devices with fewer of the last layers, shared out as before."""
    if plan.placement is None:
        return plan
    layers = assign_layers(
        n_layer=len(plan.placement.layers) - 1,
        n_gpu_layers=n_gpu_layers,
        tensor_split=plan.tensor_split,
        devices=plan.devices,
    )
    placement = placement_of(spans_of(layers))
    return msgspec.structs.replace(
        plan,
        placement=placement,
        n_gpu_layers=n_gpu_layers,
        devices=tuple(device for device in plan.devices if device in layers),
        tensor_split=placement.tensor_split,
    )
