"""Connects the settings page with the settings file."""

from typing import Any

from desktop import __version__
from desktop.errors import AppError
from desktop.services import Services
from desktop.settings import ALL_SETTINGS, THEME, Setting
from desktop.ui.bridge import explain
from desktop.ui.pages.settings.view import SettingsView
from desktop.ui.shell import Shell


class SettingsController:
    """Writes what was chosen at once; a refused value is told at its row."""

    def __init__(self, *, view: SettingsView, services: Services, shell: Shell) -> None:
        self._view = view
        self._settings = services.settings
        self._shell = shell
        view.value_chosen.connect(self._on_value_chosen)
        view.reset_requested.connect(self._on_reset_requested)
        paths = services.paths
        view.set_about(
            version=__version__, settings=str(paths.settings_file), data=str(paths.data), log=str(paths.log_file)
        )

    def activate(self) -> None:
        """Show the values in force; another page may have changed one."""
        for setting in ALL_SETTINGS:
            if not setting.hidden:
                self._show(setting)

    async def close(self) -> None:
        """Everything was written when it was chosen."""

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
        self._view.set_problem(setting, " ".join(explain(error)))

    def _act_on(self, setting: Setting[Any]) -> None:
        if setting is THEME:
            self._shell.theme_wanted.emit(self._settings.get(THEME))
