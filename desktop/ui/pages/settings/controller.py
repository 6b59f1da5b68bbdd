"""Connects the settings page with the settings file."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from desktop import __version__
from desktop.actions.hub_token import HubTokenState, forget_hub_token, hub_token_state, set_hub_token
from desktop.errors import AppError
from desktop.library.types import InstalledModel
from desktop.services import Services
from desktop.setting import Setting
from desktop.settings import ALL_SETTINGS, LANGUAGE, MODELS_FOLDER, THEME
from desktop.ui.bridge import explain, render, sentences
from desktop.ui.pages.settings.view import SettingsView
from desktop.ui.shell import Shell

_AT_NEXT_START = frozenset({LANGUAGE.key, MODELS_FOLDER.key})
"""Read once, when the window or the services are made."""


class SettingsController:
    """Writes what was chosen at once; a refused value is told at its row."""

    def __init__(self, *, view: SettingsView, services: Services, shell: Shell) -> None:
        self._view = view
        self._services = services
        self._settings = services.settings
        self._shell = shell
        self._token_changes = 0
        self._is_token_changing = False
        view.value_chosen.connect(self._on_value_chosen)
        view.reset_requested.connect(self._on_reset_requested)
        shell.models_changed.connect(self._offer_models)
        view.token.token_given.connect(self._on_token_given)
        view.token.forget_requested.connect(self._on_forget_requested)
        view.show_notices(render(notice) for notice in services.settings.notices)
        self._at_start = {key: self._settings.get(setting) for key, setting in _by_key().items()}
        paths = services.paths
        view.set_about(
            version=__version__, settings=str(paths.settings_file), data=str(paths.data), log=str(paths.log_file)
        )

    def activate(self) -> None:
        """Show the values in force; another page may have changed one."""
        for setting in ALL_SETTINGS:
            if not setting.hidden:
                self._show(setting)
        self._offer_models()
        self._shell.tasks.start(self._show_token(), name="where the token is")

    async def close(self) -> None:
        """Everything was written when it was chosen."""

    def _offer_models(self) -> None:
        self._shell.tasks.start(self._list_models(), name="models to choose from")

    async def _list_models(self) -> None:
        models = await asyncio.to_thread(self._read_library)
        self._view.offer_models([(model.id, f"{model.name} · {model.quantization}") for model in models])

    def _read_library(self) -> tuple[InstalledModel, ...]:
        return self._services.library.installed()  # opens it on first use, which may take its time or fail

    async def _show_token(self) -> None:
        changes = self._token_changes
        state = await asyncio.to_thread(hub_token_state, self._services)
        if changes == self._token_changes and not self._is_token_changing:  # else it is of before a change
            self._show_token_state(state)

    def _show_token_state(self, state: HubTokenState) -> None:
        self._view.token.set_state(state.place, [render(notice) for notice in state.notices])

    def _on_token_given(self, token: str) -> None:
        self._shell.tasks.start(self._change_token(lambda: set_hub_token(self._services, token)), name="keep the token")

    def _on_forget_requested(self) -> None:
        self._shell.tasks.start(self._change_token(lambda: forget_hub_token(self._services)), name="forget the token")

    async def _change_token(self, work: Callable[[], Awaitable[HubTokenState]]) -> None:
        self._token_changes += 1
        self._is_token_changing = True
        self._view.token.set_waiting()
        try:
            self._show_token_state(await work())
        except AppError as error:
            self._view.token.set_problem(sentences(explain(error)))
        finally:
            self._is_token_changing = False

    def _show(self, setting: Setting[Any]) -> None:
        self._view.show_value(setting, self._settings.get(setting))
        if self._settings.is_overridden(setting):
            self._view.lock(setting, variable=setting.environment)

    def _on_value_chosen(self, setting: Setting[Any], value: Any) -> None:
        try:
            self._settings.set(setting, value)
        except AppError as error:
            self._refuse(setting, error)
        else:
            self._show(setting)
            self._act_on(setting)

    def _on_reset_requested(self, setting: Setting[Any]) -> None:
        try:
            self._settings.reset(setting)
        except AppError as error:
            self._refuse(setting, error)
        else:
            self._show(setting)
            self._act_on(setting)

    def _refuse(self, setting: Setting[Any], error: AppError) -> None:
        self._show(setting)
        self._view.set_problem(setting, sentences(explain(error)))

    def _act_on(self, setting: Setting[Any]) -> None:
        if setting is THEME:
            self._shell.theme_wanted.emit(self._settings.get(THEME))
        if setting.key in self._at_start:
            self._view.set_restart_needed(setting, self._settings.get(setting) != self._at_start[setting.key])


def _by_key() -> dict[str, Setting[Any]]:
    return {setting.key: setting for setting in ALL_SETTINGS if setting.key in _AT_NEXT_START}
