"""Answers the planner's questions: today's recommendation beside that of the machine that is thought of."""

import asyncio
from collections.abc import Sequence
from contextlib import aclosing

from desktop.actions.recommend import recommend_models
from desktop.engine.protocol import ImaginedDevice
from desktop.errors import AppError
from desktop.fit.cards.cards import card_called
from desktop.fit.cards.planner import (
    Comparison,
    HardwareWish,
    card_names,
    compare,
    has_cards,
    imagined_profile,
    with_exact,
)
from desktop.fit.cards.what_if import imagined_devices
from desktop.fit.types import Choice
from desktop.hardware.types import HardwareProfile
from desktop.services import Services, Survey
from desktop.settings import WANTED_CONTEXT
from desktop.ui.bridge import Coalescer, explain
from desktop.ui.pages.hardware.planner import PlannerCard
from desktop.ui.shell import Shell

REST = 0.3
"""Seconds without a change after which the engine is asked."""


class PlannerController:
    """Compares whenever the wish changes; never two comparisons at a time, and the last wish is always answered."""

    def __init__(self, *, view: PlannerCard, services: Services, shell: Shell) -> None:
        self._view = view
        self._services = services
        self._shell = shell
        self._found: Survey | None = None
        self._asking: asyncio.Task[None] | None = None
        self._comparing: asyncio.Task[None] | None = None
        self._stale = False
        self._coalescer = Coalescer(self._start, view)
        view.set_names(card_names())
        view.wish_changed.connect(lambda _wish: self._coalescer.request())
        view.card_wanted.connect(self._on_card_wanted)

    def show(self, found: Survey) -> None:
        """The machine was looked at."""
        self._found = found
        self._view.set_machine(found.profile.ram.total, has_cards=has_cards(found.profile))
        self._coalescer.request()

    def _on_card_wanted(self, text: str, elsewhere: bool) -> None:
        try:
            card = card_called(text)
        except AppError as error:
            self._view.set_problem(explain(error).message)
            return
        self._view.add_card(card, elsewhere=elsewhere)

    def _start(self) -> None:
        if self._asking is not None:
            self._asking.cancel()
        if self._comparing is not None and not self._comparing.done():
            self._stale = True  # a thread cannot be stopped: the next one starts when it is done
            return
        if self._found is not None:
            self._comparing = self._shell.tasks.start(self._compare(), name="planner")

    async def _compare(self) -> None:
        self._stale = True
        while self._stale and (found := self._found) is not None:  # the machine may have been looked at meanwhile
            self._stale = False
            wish = self._view.wish()
            if wish.is_empty:
                self._view.set_nothing_wished()
                continue
            try:
                comparison = await asyncio.to_thread(self._work_out, found.profile, wish)
            except AppError as error:
                self._view.set_failed(explain(error).message)
                return
            self._show(comparison)
            if not self._stale:
                self._asking = self._shell.tasks.start(self._ask(found, wish, comparison), name="exact planner")

    async def _ask(self, found: Survey, wish: HardwareWish, comparison: Comparison) -> None:
        """When the hand rests, let the engine plan with cards that are not there, for models whose header is known."""
        await asyncio.sleep(REST)
        profile = imagined_profile(found.profile, wish)
        cards = imagined_devices(profile)
        if cards is None or not self._view.isVisible():
            return
        thought = Survey(profile=profile, engine=found.engine, failure=found.failure)
        try:
            today = await self._asked(found, comparison.today, None)
            then = await self._asked(thought, comparison.then, cards)
        except AppError as error:
            self._shell.report(error)
            return
        if today or then:
            self._show(with_exact(comparison, today, then))

    async def _asked(
        self, found: Survey, rows: Sequence[Choice], imagined: Sequence[ImaginedDevice] | None
    ) -> list[Choice]:
        from desktop.actions.exact import verify_choices

        async with aclosing(verify_choices(self._services, found, rows, fetch=False, imagined=imagined)) as answers:
            return [answer async for answer in answers]

    def _show(self, comparison: Comparison) -> None:
        self._view.set_comparison(comparison, context=self._services.settings.get(WANTED_CONTEXT))

    def _work_out(self, profile: HardwareProfile, wish: HardwareWish) -> Comparison:
        today = recommend_models(self._services, profile)
        return compare(today, recommend_models(self._services, imagined_profile(profile, wish)), wish)
