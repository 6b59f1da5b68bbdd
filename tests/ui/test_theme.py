"""Every text can be read in both schemes, and every icon exists."""

from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication, QLabel

from desktop.ui.icons import icon_pixmap
from desktop.ui.page_list import PAGES
from desktop.ui.theme import DARK, LIGHT, Colours, ThemeSwitch, contrast, current_colours, make_stylesheet

SURFACES = ("background", "panel", "side", "bubble", "code")
TEXTS = ("text", "muted", "faint", "accent", "fails", "fits")


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
def test_text_stands_out_at_least_4_5_to_1(colours: Colours) -> None:
    pairs = [(text, surface) for text in TEXTS for surface in SURFACES]
    pairs += [("text", "hover"), ("muted", "hover"), ("muted", "rail"), ("muted", "neutral_on")]
    pairs += [("on_accent", "accent"), ("on_accent", "accent_strong")]
    pairs += [(kind, f"{kind}_on") for kind in ("fits", "tight", "fails")]
    pairs += [(f"code_{kind}", "code") for kind in ("keyword", "name", "string", "number", "comment")]
    weak = {
        (text, surface): round(ratio, 2)
        for text, surface in pairs
        if (ratio := contrast(getattr(colours, text), getattr(colours, surface))) < 4.5
    }
    assert weak == {}


def test_contrast_is_that_of_wcag() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.478, abs=0.001)


def test_the_stylesheet_names_only_colours_that_exist() -> None:
    for colours in (LIGHT, DARK):
        sheet = make_stylesheet(colours)
        assert "$" not in sheet
        for part in sheet.split("url(")[1:]:
            assert Path(part.split(")")[0]).is_file()


def test_the_scheme_changes_at_once(styled: QApplication) -> None:
    switch = ThemeSwitch(styled, "light")
    assert current_colours() is LIGHT
    switch.choose("dark")
    assert current_colours() is DARK


def test_every_page_has_an_icon() -> None:
    for entry in PAGES:
        assert not icon_pixmap(entry.icon, "#000000").isNull()


def test_two_hundred_thousand_void_calls_do_no_harm(qtbot: object) -> None:
    """WORKAROUND: PySide6 6.12.0 loses a reference to None with every void call and aborts; 6.11 does not."""
    label = QLabel()
    qtbot.addWidget(label)  # type: ignore[attr-defined]
    for _ in range(200_000):
        label.setText("x")
    assert label.text() == "x"
