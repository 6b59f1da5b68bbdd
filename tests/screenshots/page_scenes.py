"""States of the pages beside the chat, with real recommendations and real checks for machines that are described."""

import asyncio
from pathlib import Path

import msgspec
from PySide6.QtCore import QPoint
from PySide6.QtWidgets import QApplication, QWidget

from desktop.actions.hub_token import IN_A_FILE, NOT_TO_MIRROR
from desktop.catalog.catalog import load_catalog
from desktop.catalog.hub_errors import KeyringSilent
from desktop.database import DatabaseBusy
from desktop.doctor.run import run_checks
from desktop.download.record import Download
from desktop.download.types import DownloadProgress
from desktop.errors import AppError, DiskFull, Phrase
from desktop.fit.advice.catalog_shape import shape_of_catalog
from desktop.fit.advice.recommend import recommend
from desktop.fit.cards.cards import card_called
from desktop.fit.cards.planner import card_names, compare, has_cards, imagined_profile
from desktop.fit.memory.budget import budgets_of_profile
from desktop.fit.plans.search import Problem
from desktop.fit.plans.split_editor import SplitDraft, SplitProblem, draft_of
from desktop.fit.rating.quality import quant_figures
from desktop.fit.speeds.speed import SpeedModel
from desktop.fit.types import Recommendation
from desktop.hardware.types import HardwareProfile
from desktop.library.types import InstalledModel, WantedModel
from desktop.paths import catalog_file
from desktop.settings import ALL_SETTINGS, MINIMUM_SPEED
from desktop.ui.bridge import explain, render, sentences
from desktop.ui.pages.hardware.split import Stage
from desktop.ui.pages.hardware.view import HardwareView
from desktop.ui.pages.models.download_words import words_of
from desktop.ui.pages.models.view import ModelsView
from desktop.ui.pages.settings.view import SettingsView
from desktop.ui.pages.welcome.view import WelcomeView
from desktop.ui.widgets.page import Page
from tests.screenshots.machines import FACTS, LOADED, NO_CARD, SAMPLE, TWO_CARDS, engine_of, speed_rows

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


def advice_for(profile: HardwareProfile) -> Recommendation:
    """What would be recommended."""
    return recommend(profile=profile, catalog=load_catalog(catalog_file()))


def show_models(view: ModelsView, profile: HardwareProfile, *, may_ask: bool = False) -> None:
    """The page for a machine, by arithmetic."""
    advice = advice_for(profile)
    view.set_pricing(8192, "f16")
    view.set_installed([STARTER], STARTER.id)
    least = MINIMUM_SPEED.default
    view.set_choices(advice.choices, advice.rejected, notes=advice.notes, minimum_speed=least, may_ask=may_ask)


def models_two_cards(view: ModelsView) -> None:
    """The answer for two cards."""
    show_models(view, TWO_CARDS)


def models_exact(view: ModelsView) -> None:
    """The engine has checked most rows; one of them turned out not to fit."""
    advice = advice_for(TWO_CARDS)
    rows = [msgspec.structs.replace(choice, exact=index != 6) for index, choice in enumerate(advice.choices)]
    rows[2] = msgspec.structs.replace(rows[2], verdict="does_not_fit", missing=int(0.31 * 2**30))
    show_models(view, TWO_CARDS)
    view.set_choices(rows, advice.rejected, notes=advice.notes, minimum_speed=MINIMUM_SPEED.default, may_ask=True)


def models_no_card(view: ModelsView) -> None:
    """The answer for a laptop."""
    show_models(view, NO_CARD)


def models_downloading(view: ModelsView) -> None:
    """Downloads under way, being verified, stopped, failed, and waiting."""
    advice = advice_for(TWO_CARDS)
    show_models(view, TWO_CARDS)
    full = DiskFull(path="/home/ann/models")
    states = (
        (DownloadProgress(state="downloading", done=6_150_000_000, speed=48e6, seconds_left=184.0), None),
        (DownloadProgress(state="verifying", verified=0.62), None),
        (DownloadProgress(state="failed", done=1_220_000_000), full),
        (DownloadProgress(state="paused", done=4_210_000_000), None),
        (DownloadProgress(state="queued"), None),
    )
    for choice, (state, error) in zip(advice.choices, states, strict=False):
        wanted = WantedModel(
            model_id=choice.model_id, name=choice.model_name, quantization=choice.quantization, repo=choice.repo
        )
        progress = msgspec.structs.replace(state, total=choice.download_size)
        download = Download(id=wanted.id, wanted=wanted, progress=progress, position=0, error=error)
        view.downloads.show_download(wanted.id, *words_of(download), stopped=progress.is_stopped)
    first = advice.choices[0]
    view.set_coming({(first.repo, first.file): "41 %"})


def models_failed(view: ModelsView) -> None:
    """The machine could not be looked at."""
    view.set_pricing(8192, "f16")
    view.set_installed([STARTER], STARTER.id)
    view.set_failed(*explain(DatabaseBusy(path="/home/ann/.local/share/snug/library.sqlite3", seconds=5)))


def hardware_two_cards(view: HardwareView) -> None:
    """Cards, the split of the loaded model, and checks."""
    hardware_page(view, TWO_CARDS)
    view.set_sample(SAMPLE, LOADED.memory)
    problem = _problem(TWO_CARDS, 16384)
    _split(view, draft_of(problem, (0, 27)), "loaded", problem)
    view.split.set_loaded(LOADED)


def hardware_moved(view: HardwareView) -> None:
    """A boundary was dragged until a card is too full."""
    hardware_page(view, TWO_CARDS)
    problem = _problem(TWO_CARDS, 32768)
    _split(view, draft_of(problem, (2, 9)), "asking", problem)
    scroll_to(view, view.split)


def hardware_exact(view: HardwareView) -> None:
    """A split that fits, checked by the engine."""
    hardware_page(view, TWO_CARDS)
    problem = _problem(TWO_CARDS, 8192)
    _split(view, draft_of(problem, (3, 25)), "exact", problem)
    scroll_to(view, view.split)


def hardware_planner(view: HardwareView) -> None:
    """What a card more would bring."""
    hardware_page(view, TWO_CARDS)
    problem = _problem(TWO_CARDS, 8192)
    _split(view, draft_of(problem, (0, 37)), "exact", problem)
    _plan(view, TWO_CARDS, cards=["RTX 4060 Ti 16GB"])


def hardware_planner_laptop(view: HardwareView) -> None:
    """Cards of two other machines, for a laptop without any."""
    hardware_page(view, NO_CARD)
    problem = _problem(NO_CARD, 8192)
    _split(view, draft_of(problem, ()), "exact", problem)
    _plan(view, NO_CARD, cards=[], remote=["RTX 3090", "16 GB"])


def hardware_no_card(view: HardwareView) -> None:
    """A laptop."""
    hardware_page(view, NO_CARD)
    problem = _problem(NO_CARD, 8192)
    _split(view, draft_of(problem, ()), "exact", problem)


def hardware_waiting(view: HardwareView) -> None:
    """The machine is being looked at."""
    view.set_waiting()


def _problem(profile: HardwareProfile, context: int) -> SplitProblem:
    """An 8B on this machine; what the loaded model holds counts as free."""
    model = next(each for each in load_catalog(catalog_file()).models if each.id == "qwen3-8b")
    quantization = next(each for each in model.quantizations if each.name == "Q5_K_M")
    budgets = budgets_of_profile(profile)
    search = Problem(
        name=model.name,
        shape=shape_of_catalog(model, quantization),
        budgets=budgets,
        speed=SpeedModel(profile, budgets),
        figures=quant_figures("Q5_K_M"),
    )
    return SplitProblem(search=search, context=context, kv="f16")


def _split(view: HardwareView, draft: SplitDraft, stage: Stage, problem: SplitProblem) -> None:
    models = [msgspec.structs.replace(STARTER, id="qwen3-8b:Q5_K_M", name="Qwen3 8B", quantization="Q5_K_M"), STARTER]
    view.split.set_models(models, models[0].id, models[0].id if stage == "loaded" else "")
    view.split.set_wishes(problem.context, problem.kv)
    view.split.set_draft(draft, stage, may_load=draft.room == "fits" and stage != "loaded")


def _plan(view: HardwareView, profile: HardwareProfile, *, cards: list[str], remote: list[str] | None = None) -> None:
    view.what_if.setChecked(True)
    view.planner.set_names(card_names())
    view.planner.set_machine(profile.ram.total, has_cards=has_cards(profile))
    for names, elsewhere in ((cards, False), (remote or [], True)):
        for name in names:
            view.planner.add_card(card_called(name), elsewhere=elsewhere)
    wish = view.planner.wish()
    view.planner.set_comparison(
        compare(advice_for(profile), advice_for(imagined_profile(profile, wish)), wish), context=8192
    )


def scroll_to(view: Page, widget: QWidget) -> None:
    """Bring a card to the top."""
    for _ in range(3):
        QApplication.processEvents()
    body = view.scroll_area.widget()
    view.scroll_area.verticalScrollBar().setValue(widget.mapTo(body, QPoint()).y() if body is not None else 0)


def hardware_page(view: HardwareView, profile: HardwareProfile, *, failure: AppError | None = None) -> None:
    """A machine that was found, and what the doctor says of it; `failure` of the engine."""
    view.set_profile(profile)
    engine = engine_of(profile) if failure is None else None
    checks = run_checks(
        profile=profile,
        engine=engine,
        engine_failure=failure,
        models_folder=Path(profile.disk.path),
        facts=FACTS,
    )
    view.set_checks(asyncio.run(checks))
    view.set_done()
    view.speeds.set_rows(speed_rows(profile, measured=False))
    view.speeds.show()


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


def settings_token(view: SettingsView) -> None:
    """No token is kept."""
    settings(view)
    scroll_to(view, view.token)


def settings_token_kept(view: SettingsView) -> None:
    """A token is kept in a file, and a mirror does not get it."""
    settings(view)
    file = Phrase.of(IN_A_FILE, path="/home/ada/.config/snug/hub-token")
    mirror = Phrase.of(NOT_TO_MIRROR, endpoint="https://mirror.example")
    view.token.set_state("file", [render(file), render(mirror)])
    scroll_to(view, view.token)


def settings_token_fails(view: SettingsView) -> None:
    """The keyring does not let go of the token."""
    settings(view)
    view.token.set_state("keyring", ())
    view.token.set_problem(sentences(explain(KeyringSilent())))
    scroll_to(view, view.token)
