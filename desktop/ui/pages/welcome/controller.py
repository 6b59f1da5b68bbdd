"""Fills the welcome page and remembers that it was seen."""

import asyncio

from desktop.actions.recommend import recommend_models
from desktop.actions.survey import survey
from desktop.errors import AppError
from desktop.fit.types import Choice
from desktop.services import Services
from desktop.settings import OFFLINE, WELCOME_DONE
from desktop.ui.bridge import explain, sentences
from desktop.ui.pages.welcome.view import WelcomeView
from desktop.ui.shell import Shell


class WelcomeController:
    """Survey first, then the recommendation; the person may leave at any moment."""

    def __init__(self, *, view: WelcomeView, services: Services, shell: Shell) -> None:
        self._view = view
        self._services = services
        self._shell = shell
        self._looked = False
        view.skipped.connect(self._leave)
        view.chat_chosen.connect(self._leave)
        view.download_chosen.connect(self._on_download_chosen)

    def activate(self) -> None:
        """Look at the machine once."""
        self._view.set_offline(self._services.settings.get(OFFLINE))
        self._view.focus_first()
        if not self._looked:
            self._looked = True
            self._shell.tasks.start(self._fill(), name="welcome page")

    async def close(self) -> None:
        """Nothing is kept."""

    async def _fill(self) -> None:
        try:
            found = await survey(self._services)
            problem = "" if found.failure is None else sentences(explain(found.failure))
            self._view.set_profile(found.profile, problem=problem)
            advice = await asyncio.to_thread(recommend_models, self._services, found.profile)
        except AppError as error:
            self._looked = False
            self._view.set_failed(*explain(error))
        else:
            self._view.set_choice(advice.choices[0] if advice.choices else None)

    def _on_download_chosen(self, choice: Choice) -> None:
        self._shell.fetch.start(choice, then_chat=False)
        self._leave()

    def _leave(self) -> None:
        self._shell.page_wanted.emit("chat")
        try:
            self._services.settings.set(WELCOME_DONE, True)
        except AppError as error:
            self._shell.report(error)  # the introduction comes again the next time; the chat must not wait for that
