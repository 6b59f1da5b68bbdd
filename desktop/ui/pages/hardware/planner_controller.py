"""Answers the planner's questions: today's recommendation beside that of the machine that is thought of."""

import asyncio

from desktop.actions.recommend import recommend_models
from desktop.errors import AppError
from desktop.fit.planner import (
    Comparison,
    HardwareWish,
    card_called,
    card_names,
    compare,
    has_cards,
    imagined_profile,
)
from desktop.hardware.types import HardwareProfile
from desktop.services import Services
from desktop.settings import WANTED_CONTEXT
from desktop.ui.bridge import Coalescer, explain
from desktop.ui.pages.hardware.planner import PlannerCard
from desktop.ui.shell import Shell


class PlannerController:
    """Compares whenever the wish changes; never two comparisons at a time, and the last wish is always answered."""

    def __init__(self, *, view: PlannerCard, services: Services, shell: Shell) -> None:
        self._view = view
        self._services = services
        self._shell = shell
        self._profile: HardwareProfile | None = None
        self._comparing: asyncio.Task[None] | None = None
        self._stale = False
        self._coalescer = Coalescer(self._start, view)
        view.set_names(card_names())
        view.wish_changed.connect(lambda _wish: self._coalescer.request())
        view.card_wanted.connect(self._on_card_wanted)

    def show(self, profile: HardwareProfile) -> None:
        """The machine was looked at."""
        self._profile = profile
        self._view.set_machine(profile.ram.total, has_cards=has_cards(profile))
        self._coalescer.request()

    def _on_card_wanted(self, text: str, elsewhere: bool) -> None:
        try:
            card = card_called(text)
        except AppError as error:
            self._view.set_problem(explain(error).message)
            return
        self._view.add_card(card, elsewhere=elsewhere)

    def _start(self) -> None:
        if self._comparing is not None and not self._comparing.done():
            self._stale = True  # a thread cannot be stopped: the next one starts when it is done
            return
        if self._profile is not None:
            self._comparing = self._shell.tasks.start(self._compare(self._profile), name="planner")

    async def _compare(self, profile: HardwareProfile) -> None:
        self._stale = True
        while self._stale:
            self._stale = False
            wish = self._view.wish()
            if wish.is_empty:
                self._view.set_nothing_wished()
                continue
            try:
                comparison = await asyncio.to_thread(self._work_out, profile, wish)
            except AppError as error:
                self._view.set_failed(explain(error).message)
                return
            self._view.set_comparison(comparison, context=self._services.settings.get(WANTED_CONTEXT))

    def _work_out(self, profile: HardwareProfile, wish: HardwareWish) -> Comparison:
        today = recommend_models(self._services, profile)
        return compare(today, recommend_models(self._services, imagined_profile(profile, wish)), wish)
