"""What the pages look like when something is wrong: every state that a person may see, in the core's own words."""

from typing import cast

import msgspec
from PySide6.QtWidgets import QWidget

from desktop.catalog.hub_errors import HubUnreachable
from desktop.engine.failure import explain_failure
from desktop.engine.protocol import EngineFailure, FailureKind
from desktop.errors import AppError, Phrase
from desktop.gguf.errors import CorruptGguf
from desktop.hardware.types import BusCard, Disk, HardwareProfile, Ram, SourceProblem
from desktop.settings import MINIMUM_SPEED
from desktop.ui.bridge import explain, sentences
from desktop.ui.looking import tell_engine_failure, tell_look_failure
from desktop.ui.main_window import MainWindow
from desktop.ui.pages.hardware.view import HardwareView
from desktop.ui.pages.models.checking import tell_rows_left
from desktop.ui.pages.models.view import ModelsView
from desktop.ui.shell import Shell
from tests.screenshots.machines import GIB, NO_CARD, TWO_CARDS, speed_rows
from tests.screenshots.page_scenes import advice_for, hardware_page, scroll_to, show_models

NO_ENGINE = explain_failure(EngineFailure(kind=FailureKind.ENGINE_MISSING, detail="No module named 'llama_cpp'"))
RESET = explain_failure(
    EngineFailure(kind=FailureKind.DRIVER_RESET, detail="CUDA error 719", arguments={"device": "CUDA1"})
)

OLD_LAPTOP = msgspec.structs.replace(NO_CARD, ram=Ram(total=2 * GIB, available=GIB // 4, swap_total=0))
"""Too small for anything of the catalog."""

IN_TROUBLE = msgspec.structs.replace(
    TWO_CARDS,
    ram=Ram(total=4 * GIB, available=GIB // 2, swap_total=0),
    gpus=(msgspec.structs.replace(TWO_CARDS.gpus[0], driver="470.10", cuda_version="11.4"),),
    disk=Disk(path=TWO_CARDS.disk.path, total=931 * GIB, free=300 * 1024**2),
    silent_cards=(BusCard(vendor="nvidia", name="GA104 [GeForce RTX 3070]", pci_address="0000:02:00.0"),),
    problems=(
        SourceProblem(source="NVML", what=Phrase.of("not known: it took longer than {seconds:.0f} s", seconds=4)),
    ),
)


def models_engine_missing(view: ModelsView) -> None:
    """The engine cannot be started: everything is an estimate, and the banner says why."""
    show_models(view, NO_CARD)
    tell_engine_failure(_shell(view), NO_ENGINE, _nothing)


def models_hub_unreachable(view: ModelsView) -> None:
    """Exact figures were asked for, and nothing answers."""
    show_models(view, TWO_CARDS, may_ask=True)
    tell_rows_left(_shell(view), 38, [HubUnreachable(endpoint="https://huggingface.co", reason="timed out")], _nothing)


def models_damaged_header(view: ModelsView) -> None:
    """One file on the Hub is broken."""
    advice = advice_for(TWO_CARDS)
    rows = [msgspec.structs.replace(choice, exact=index != 1) for index, choice in enumerate(advice.choices)]
    error = CorruptGguf(path=rows[1].file, reason="tensor blk.3.ffn_up.weight begins behind the end of the file")
    rows[1] = msgspec.structs.replace(rows[1], reasons=(Phrase(error.message, error.arguments), *rows[1].reasons))
    show_models(view, TWO_CARDS)
    view.set_choices(rows, (), notes=advice.notes, minimum_speed=MINIMUM_SPEED.default, may_ask=True)
    tell_rows_left(_shell(view), 1, [error], _nothing)


def models_nothing_fits(view: ModelsView) -> None:
    """A machine that is too small for all of the catalog."""
    show_models(view, OLD_LAPTOP)


def hardware_engine_missing(view: HardwareView) -> None:
    """What was found is shown; the doctor says first what is wrong."""
    cards = tuple(msgspec.structs.replace(gpu, backend=None) for gpu in TWO_CARDS.gpus)
    profile = msgspec.structs.replace(TWO_CARDS, gpus=cards, backends=())
    hardware_page(view, profile, failure=NO_ENGINE)
    view.speeds.hide()
    view.split.set_no_engine()


def hardware_problems(view: HardwareView) -> None:
    """Everything that the doctor can find at once."""
    hardware_page(view, IN_TROUBLE)
    view.speeds.set_rows(speed_rows(IN_TROUBLE, measured=False))
    view.split.set_no_model()


def hardware_checks(view: HardwareView) -> None:
    """The same, further down."""
    hardware_problems(view)
    scroll_to(view, view.doctor)


def hardware_failed(view: HardwareView) -> None:
    """The machine could not be looked at."""
    error = AppError(reason="the look at the hardware did not end within 20 s")
    view.set_failed(*explain(error))
    tell_look_failure(_shell(view), error, _nothing)


def hardware_unmeasured(view: HardwareView) -> None:
    """Nothing was measured yet."""
    _speeds(view, NO_CARD, measured=False)


def hardware_measuring(view: HardwareView) -> None:
    """A measurement under way."""
    _speeds(view, TWO_CARDS)
    view.speeds.set_progress(0.41)


def hardware_measure_waits(view: HardwareView) -> None:
    """A reply is being written."""
    _speeds(view, TWO_CARDS)
    view.speeds.set_waiting("answering")


def hardware_measure_failed(view: HardwareView) -> None:
    """The measurement took a driver down."""
    _speeds(view, TWO_CARDS, measured=False)
    view.speeds.set_problem(sentences(explain(RESET)))


def hardware_partly_measured(view: HardwareView) -> None:
    """A card came since the measurement."""
    _speeds(view, TWO_CARDS)
    rows = speed_rows(TWO_CARDS)
    view.speeds.set_rows([rows[0], rows[1]._replace(speeds=None), rows[2]])


def _speeds(view: HardwareView, profile: HardwareProfile, *, measured: bool = True) -> None:
    hardware_page(view, profile)
    view.speeds.set_rows(speed_rows(profile, measured=measured))
    view.split.set_no_model()
    scroll_to(view, view.speeds)


def _shell(view: QWidget) -> Shell:
    return cast("MainWindow", view.window())._shell


def _nothing() -> None:
    """What a button in a picture does."""
