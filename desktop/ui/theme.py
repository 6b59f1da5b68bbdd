"""Every colour of the window, light and dark, and how Qt learns of them: one palette and one stylesheet.

The scheme that is in force is kept by Qt itself (the application's palette), so that a widget needs nobody to tell it.
"""

import functools
import string
from collections.abc import Callable
from typing import Literal

import msgspec
from PySide6.QtCore import QObject, Qt
from PySide6.QtGui import QColor, QFont, QGuiApplication, QPalette
from PySide6.QtWidgets import QApplication

from desktop.paths import resources_folder

Scheme = Literal["system", "light", "dark"]

RADIUS = 8
"""Pixels: the rounding of cards, fields and buttons."""
TEXT_SIZE = 13
"""Pixels: text of the window."""
MESSAGE_SIZE = 15
"""Pixels: text of messages."""
MESSAGE_WIDTH = 760
"""Pixels: the widest a message becomes."""


class Colours(msgspec.Struct, frozen=True, kw_only=True):
    """The colours of one scheme, "#rrggbb", named by what they are for."""

    dark: bool
    background: str
    panel: str
    side: str
    rail: str
    line: str
    hover: str
    text: str
    muted: str
    faint: str
    accent: str
    on_accent: str
    accent_strong: str
    bubble: str
    code: str
    fits: str
    fits_on: str
    tight: str
    tight_on: str
    fails: str
    fails_on: str
    neutral_on: str
    weights: str
    kv: str
    compute: str
    others: str
    track: str
    code_keyword: str
    code_name: str
    code_string: str
    code_number: str
    code_comment: str


LIGHT = Colours(
    dark=False,
    background="#f7f7f5",
    panel="#ffffff",
    side="#f0f0ed",
    rail="#e9e9e5",
    line="#e0dfda",
    hover="#eaeae6",
    text="#1f2421",
    muted="#585e58",
    faint="#616761",
    accent="#0f766e",
    on_accent="#ffffff",
    accent_strong="#0b5f58",
    bubble="#ecebe6",
    code="#f3f3f0",
    fits="#27693f",
    fits_on="#e0f1e6",
    tight="#7d5600",
    tight_on="#fbf0d3",
    fails="#b3382c",
    fails_on="#fbe3e0",
    neutral_on="#ecebe6",
    weights="#0f766e",
    kv="#5b8def",
    compute="#c58af0",
    others="#b9bdb9",
    track="#e6e6e2",
    code_keyword="#8f2f8a",
    code_name="#2257a8",
    code_string="#27693f",
    code_number="#8a4b00",
    code_comment="#616761",
)

DARK = Colours(
    dark=True,
    background="#17191a",
    panel="#1e2122",
    side="#1a1d1e",
    rail="#141617",
    line="#2d3132",
    hover="#25292a",
    text="#e6e8e6",
    muted="#9ba19d",
    faint="#8f9591",
    accent="#4fb8ac",
    on_accent="#0b1b19",
    accent_strong="#6bcabf",
    bubble="#282c2d",
    code="#16181a",
    fits="#6cc28f",
    fits_on="#1d3327",
    tight="#e0b252",
    tight_on="#3a3018",
    fails="#ef8a7f",
    fails_on="#40211e",
    neutral_on="#2a2e2f",
    weights="#4fb8ac",
    kv="#7ba6ff",
    compute="#cf9df5",
    others="#565c59",
    track="#2a2e2f",
    code_keyword="#cf9df5",
    code_name="#8fb4ff",
    code_string="#6cc28f",
    code_number="#e0b252",
    code_comment="#8f9591",
)


def current_colours() -> Colours:
    """The colours in force: what the application's palette was made of."""
    return DARK if QGuiApplication.palette().color(QPalette.ColorRole.Window).lightness() < 128 else LIGHT


def colours_of(scheme: Scheme) -> Colours:
    """The colours that `scheme` stands for on this desktop."""
    if scheme == "system":
        dark = QGuiApplication.styleHints().colorScheme() == Qt.ColorScheme.Dark
        return DARK if dark else LIGHT
    return DARK if scheme == "dark" else LIGHT


def apply_colours(application: QApplication, colours: Colours) -> None:
    """Give the whole application palette, stylesheet and font of `colours`; a widget that paints itself repaints."""
    application.setPalette(make_palette(colours))
    application.setStyleSheet(make_stylesheet(colours))


def prepare_style(application: QApplication) -> None:
    """Set what no scheme changes: the widget style and the font size. Called once, before the first widget."""
    application.setStyle("Fusion")
    font = QFont(application.font())
    font.setPixelSize(TEXT_SIZE)
    application.setFont(font)


class ThemeSwitch(QObject):
    """Keeps the application in the chosen scheme, and with the desktop while the choice is "system"."""

    def __init__(self, application: QApplication, scheme: Scheme) -> None:
        super().__init__(application)
        self._application = application
        self._scheme: Scheme = scheme
        apply_colours(application, colours_of(scheme))
        application.styleHints().colorSchemeChanged.connect(self._on_desktop_scheme_changed)

    def choose(self, scheme: Scheme) -> None:
        """Change the scheme at once."""
        self._scheme = scheme
        self._refresh()

    def _on_desktop_scheme_changed(self, _scheme: Qt.ColorScheme) -> None:
        self._refresh()

    def _refresh(self) -> None:
        wanted = colours_of(self._scheme)
        if wanted is not current_colours():
            apply_colours(self._application, wanted)


def make_palette(colours: Colours) -> QPalette:
    """Build the palette of `colours`, with the disabled group dimmed."""
    palette = QPalette()
    role = QPalette.ColorRole
    pairs = {
        role.Window: colours.background,
        role.WindowText: colours.text,
        role.Base: colours.panel,
        role.AlternateBase: colours.side,
        role.Text: colours.text,
        role.Button: colours.panel,
        role.ButtonText: colours.text,
        role.BrightText: colours.fails,
        role.ToolTipBase: colours.panel,
        role.ToolTipText: colours.text,
        role.PlaceholderText: colours.faint,
        role.Highlight: colours.accent,
        role.HighlightedText: colours.on_accent,
        role.Link: colours.accent,
        role.LinkVisited: colours.accent,
        role.Accent: colours.accent,
        role.Mid: colours.line,
        role.Dark: colours.line,
        role.Light: colours.panel,
        role.Midlight: colours.hover,
        role.Shadow: colours.line,
    }
    for colour_role, value in pairs.items():
        palette.setColor(colour_role, QColor(value))
    for colour_role in (role.WindowText, role.Text, role.ButtonText):
        palette.setColor(QPalette.ColorGroup.Disabled, colour_role, QColor(colours.faint))
    return palette


def make_stylesheet(colours: Colours) -> str:
    """Fill resources/qss/snug.qss with `colours`."""
    values = {name: getattr(colours, name) for name in colours.__struct_fields__}
    icons = resources_folder() / "icons"
    return _template().substitute(
        values, radius=f"{RADIUS}px", icons=icons.as_posix(), scheme="dark" if colours.dark else "light"
    )


@functools.cache
def _template() -> string.Template:
    return string.Template((resources_folder() / "qss" / "snug.qss").read_text(encoding="utf-8"))


def contrast(first: str, second: str) -> float:
    """Contrast of two colours, 1 to 21 (WCAG 2.2, relative luminance of sRGB)."""
    lighter, darker = sorted((_luminance(first), _luminance(second)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    linear: Callable[[float], float] = lambda c: c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4  # noqa: E731
    red, green, blue = (linear(int(colour[start : start + 2], 16) / 255) for start in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
