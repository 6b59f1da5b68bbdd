"""A plan that the engine itself has checked: search by arithmetic, ask for a dry run, correct, search again.

The arithmetic is exact for weights and KV cache and careful with the compute buffers; the engine's answer corrects
those, so that a layer more may fit, or a longer context. What is returned was asked about exactly as it is.
"""

from collections.abc import Awaitable, Callable, Iterable
from typing import NamedTuple

import msgspec

from desktop.engine.protocol import DeviceMemory, LoadPlan
from desktop.fit.memory.split import headroom
from desktop.fit.plans.plan import Decision, PlanTask, plan_of, problem_of, refusal, remarks_on_lowering, wanted_request
from desktop.fit.plans.search import Candidate, Problem

MOST_QUESTIONS = 6
"""Dry runs for one context; one or two are usual."""

Ask = Callable[[LoadPlan], Awaitable[Iterable[DeviceMemory]]]
"""The engine's own figures for a plan, bytes per device, overheads left out. May raise AppError of engine.failure."""
_Choose = Callable[[Problem], Candidate | None]


class Checked(NamedTuple):
    """A candidate with the engine's own figures: bytes per device, and those left on each after its margin."""

    candidate: Candidate
    memory: tuple[DeviceMemory, ...]
    left: dict[str, int]

    @property
    def fits(self) -> bool:
        """Whether every device keeps its margin."""
        return min(self.left.values()) >= 0

    @property
    def worth(self) -> tuple[int, int, float]:
        """By what the search itself prefers one to another."""
        request = self.candidate.request
        return request.n_ctx, request.n_parallel, self.candidate.full


class Verified(NamedTuple):
    """What was decided, with the engine's own figures: bytes per device, overheads among them."""

    problem: Problem
    decision: Decision
    memory: tuple[DeviceMemory, ...]


async def make_verified_plan(task: PlanTask, ask: Ask) -> LoadPlan:
    """Plan as plan_by_arithmetic does, and have every device checked by the engine.

    Raises DoesNotFit, DoesNotFitAtThisContext and WrongUsage as it does, and what `ask` raises.
    """
    found = await verify(task, ask)
    return plan_of(task, found.problem, found.decision, memory=found.memory)


async def verify(task: PlanTask, ask: Ask) -> Verified:
    """Decide as make_verified_plan does; raises as it does."""
    untold = problem_of(task)
    wanted = wanted_request(task, untold)
    tried, problem = await _converge(task, untold, lambda known: known.attempt(wanted), ask)
    chosen = best_of(tried)
    if chosen is None and task.refuse:
        # Begun afresh: what was told of the wanted context may be far from true of a shorter one.
        shorter, problem = await _converge(task, untold, lambda known: known.longest_context(wanted), ask)
        chosen = best_of(shorter)
        if chosen is None or task.context is not None:
            missed = tried[-1].candidate._replace(memory=tried[-1].memory, left=tried[-1].left)
            raise refusal(problem, missed, chosen.candidate if chosen else None)
    chosen = chosen or tried[-1]
    remarks = remarks_on_lowering(task, problem, chosen.candidate, wanted, fits=chosen.fits)
    return Verified(problem, Decision(chosen.candidate, wanted, tuple(remarks)), chosen.memory)


def best_of(tried: Iterable[Checked]) -> Checked | None:
    """Return what the search itself would prefer of what fits; None where nothing does."""
    return max((each for each in tried if each.fits), key=lambda each: each.worth, default=None)


async def _converge(task: PlanTask, problem: Problem, choose: _Choose, ask: Ask) -> tuple[list[Checked], Problem]:
    """Ask about what is chosen, until the choice does not change any more; also returns what was learned."""
    tried: list[Checked] = []
    while len(tried) < MOST_QUESTIONS:
        candidate = choose(problem)
        known = [(each.candidate.request, each.candidate.layout) for each in tried]
        if candidate is None or (candidate.request, candidate.layout) in known:
            break
        tried.append(await _check(task, problem, candidate, ask))
        stated = {part.device: part.compute for part in candidate.memory}
        told = {part.device: part.compute for part in tried[-1].memory}
        problem = problem.corrected(candidate.layout, stated, told)
    return tried, problem


async def _check(task: PlanTask, problem: Problem, candidate: Candidate, ask: Ask) -> Checked:
    answered = await ask(plan_of(task, problem, Decision(candidate, candidate.request)))
    overheads = {budget.name: budget.overhead for budget in problem.budgets}
    memory = tuple(msgspec.structs.replace(part, overhead=overheads.get(part.device, 0)) for part in answered)
    return Checked(candidate, memory, headroom(memory, problem.budgets))
