"""States of the pages beside the chat, with real recommendations and real checks for machines that are described."""

import asyncio
from pathlib import Path

from desktop.catalog.catalog import load_catalog
from desktop.doctor.run import run_checks
from desktop.fit.recommend import recommend
from desktop.fit.types import Recommendation
from desktop.hardware.types import HardwareProfile
from desktop.library.types import InstalledModel
from desktop.paths import catalog_file
from desktop.settings import ALL_SETTINGS, MINIMUM_SPEED
from desktop.ui.pages.hardware.view import HardwareView
from desktop.ui.pages.models.view import ModelsView
from desktop.ui.pages.settings.view import SettingsView
from desktop.ui.pages.welcome.view import WelcomeView
from tests.screenshots.machines import LOADED, NO_CARD, SAMPLE, TWO_CARDS, engine_of

STARTER = InstalledModel(
    id="smollm2-135m:Q4_1",
    model_id="smollm2-135m",
    name="SmolLM2 135M Instruct",
    quantization="Q4_1",
    path="/usr/share/snug/SmolLM2-135M-Instruct.Q4_1.gguf",
    size=98_000_000,
    bundled=True,
    licence="Apache-2.0",
)


def _advice(profile: HardwareProfile) -> Recommendation:
    return recommend(profile=profile, catalog=load_catalog(catalog_file()))


def _models(view: ModelsView, profile: HardwareProfile) -> None:
    advice = _advice(profile)
    view.set_pricing(8192, "f16")
    view.set_installed([STARTER], STARTER.id)
    view.set_choices(advice.choices, advice.rejected, notes=advice.notes, minimum_speed=MINIMUM_SPEED.default)


def models_two_cards(view: ModelsView) -> None:
    """The answer for two cards."""
    _models(view, TWO_CARDS)


def models_no_card(view: ModelsView) -> None:
    """The answer for a laptop."""
    _models(view, NO_CARD)


def models_downloading(view: ModelsView) -> None:
    """A download under way, and one that was stopped."""
    _models(view, TWO_CARDS)
    view.show_download("a", "Qwen3 8B · Q5_K_M", "2.41 GB / 5.85 GB · 48 MB/s", 0.41, stopped=False)
    view.show_download("b", "Gemma 3 12B · Q4_K_M", "1.20 GB / 7.30 GB", 0.16, stopped=True)


def models_failed(view: ModelsView) -> None:
    """The machine could not be looked at."""
    view.set_failed("The look at the hardware did not end within 20 s.", "Look again, or see the log.")


def hardware_two_cards(view: HardwareView) -> None:
    """Cards, split and checks."""
    _hardware(view, TWO_CARDS)
    view.set_sample(SAMPLE)
    view.set_split(LOADED)


def hardware_no_card(view: HardwareView) -> None:
    """A laptop."""
    _hardware(view, NO_CARD)


def _hardware(view: HardwareView, profile: HardwareProfile) -> None:
    view.set_profile(profile)
    checks = run_checks(profile=profile, engine=engine_of(profile), models_folder=Path(profile.disk.path))
    view.set_checks(asyncio.run(checks))
    view.set_done()


def welcome_found(view: WelcomeView) -> None:
    """The first screen."""
    view.set_profile(TWO_CARDS)


def settings(view: SettingsView) -> None:
    """Every setting at its default."""
    for setting in ALL_SETTINGS:
        if not setting.hidden:
            view.show_value(setting, setting.default)
    view.set_about(
        version="0.1.0",
        settings="/home/ada/.config/snug/settings.json",
        data="/home/ada/.local/share/snug",
        log="/home/ada/.local/state/snug/log/snug.log",
    )
