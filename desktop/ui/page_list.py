"""The pages of the window, in the order of the rail. A page that does not exist has no line here.

A page is a package below `pages` with `view.py` (widgets: setters in, signals out, made without arguments) and
`controller.py` (`Controller(view=..., services=..., shell=...)`, see desktop.ui.shell). Both are imported when the
page is first shown; the view is painted before services exist.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from PySide6.QtWidgets import QWidget

from desktop.errors import QT_TRANSLATE_NOOP
from desktop.ui.shell import Controller, Shell

if TYPE_CHECKING:
    from desktop.services import Services


class PageEntry(NamedTuple):
    """One page. `title` is marked in the context "Pages"; a page that is not `in_rail` is reached through others."""

    name: str
    title: str
    icon: str
    make_view: Callable[[], QWidget]
    make_controller: "Callable[[Any, Services, Shell], Controller]"
    shortcut: str = ""
    at_bottom: bool = False
    in_rail: bool = True


def _chat_view() -> QWidget:
    from desktop.ui.pages.chat.view import ChatView

    return ChatView()


def _chat_controller(view: Any, services: "Services", shell: Shell) -> Controller:
    from desktop.ui.pages.chat.controller import ChatController

    return ChatController(view=view, services=services, shell=shell)


def _models_view() -> QWidget:
    from desktop.ui.pages.models.view import ModelsView

    return ModelsView()


def _models_controller(view: Any, services: "Services", shell: Shell) -> Controller:
    from desktop.ui.pages.models.controller import ModelsController

    return ModelsController(view=view, services=services, shell=shell)


def _hardware_view() -> QWidget:
    from desktop.ui.pages.hardware.view import HardwareView

    return HardwareView()


def _hardware_controller(view: Any, services: "Services", shell: Shell) -> Controller:
    from desktop.ui.pages.hardware.controller import HardwareController

    return HardwareController(view=view, services=services, shell=shell)


def _settings_view() -> QWidget:
    from desktop.ui.pages.settings.view import SettingsView

    return SettingsView()


def _settings_controller(view: Any, services: "Services", shell: Shell) -> Controller:
    from desktop.ui.pages.settings.controller import SettingsController

    return SettingsController(view=view, services=services, shell=shell)


def _welcome_view() -> QWidget:
    from desktop.ui.pages.welcome.view import WelcomeView

    return WelcomeView()


def _welcome_controller(view: Any, services: "Services", shell: Shell) -> Controller:
    from desktop.ui.pages.welcome.controller import WelcomeController

    return WelcomeController(view=view, services=services, shell=shell)


PAGES: tuple[PageEntry, ...] = (
    PageEntry("chat", QT_TRANSLATE_NOOP("Pages", "Chat"), "chat", _chat_view, _chat_controller, "Ctrl+Shift+C"),
    PageEntry(
        "models", QT_TRANSLATE_NOOP("Pages", "Models"), "models", _models_view, _models_controller, "Ctrl+Shift+M"
    ),
    PageEntry(
        "hardware",
        QT_TRANSLATE_NOOP("Pages", "Hardware"),
        "hardware",
        _hardware_view,
        _hardware_controller,
        "Ctrl+Shift+H",
    ),
    PageEntry(
        "settings",
        QT_TRANSLATE_NOOP("Pages", "Settings"),
        "settings",
        _settings_view,
        _settings_controller,
        "Ctrl+,",
        at_bottom=True,
    ),
    PageEntry(
        "welcome", QT_TRANSLATE_NOOP("Pages", "Welcome"), "info", _welcome_view, _welcome_controller, in_rail=False
    ),
)
