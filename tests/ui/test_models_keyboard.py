"""The models page without a mouse: where Tab goes, what Enter, Space and Escape do, and where the keyboard stays."""

from collections.abc import Iterator

import msgspec
import pytest
from PySide6.QtCore import QEvent, QPoint, Qt
from PySide6.QtGui import QContextMenuEvent, QKeyEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QCheckBox, QMenu, QPushButton, QWidget

from desktop.catalog.search import HubRepo
from desktop.errors import Phrase
from desktop.fit.types import Choice
from desktop.library.types import InstalledModel
from desktop.ui.item_models.choices import CHOICE_ROLE
from desktop.ui.pages.models.view import ModelsView
from desktop.ui.widgets.buttons import Button, IconButton
from tests.support.looks import focusable, nameless, shown
from tests.support.page_values import choice, installed
from tests.support.screen import settle

FILE = ("owner/tiny-GGUF", "tiny-Q4_K_M.gguf")
COMING = {FILE: "42 %"}
REPOS = tuple(HubRepo(repo=f"ann/Tiny{n}-GGUF", publisher="ann", name=f"Tiny{n}-GGUF") for n in range(3))


@pytest.fixture
def view(styled: QApplication) -> Iterator[ModelsView]:
    with shown(ModelsView()) as made:
        made.activateWindow()
        settle()
        yield made


def fill(view: ModelsView) -> None:
    """Everything that the page can show at once."""
    reasons = tuple(Phrase.of(f"Reason {number}.") for number in range(3))
    view.set_choices([choice(reasons=reasons), choice("Other 3B", file="other.gguf")], may_ask=True)
    view.set_installed([installed(), installed("Second 2B")], "")
    view.hub.show()
    view.hub.set_repos(REPOS, more=True)
    view.hub.set_verdict(REPOS[0].repo, choice("Tiny0", repo=REPOS[0].repo, file="a.gguf"))
    for name in ("a", "b"):
        view.downloads.show_download(name, f"Downloading {name}", "1 of 2 GB", 0.5, stopped=False)
    view.downloads.offer_for_all(stop=True, resume=False)
    settle()


def at(view: ModelsView) -> str:
    """What the keyboard is at, as a screen reader calls it."""
    settle()
    focused = QApplication.focusWidget()
    assert focused is not None
    assert view.isAncestorOf(focused), "the keyboard has left the page"
    return focused.accessibleName() or (focused.text() if isinstance(focused, QPushButton | QCheckBox) else "")


def type_key(key: Qt.Key) -> None:
    """Press a key where the keyboard is."""
    focused = QApplication.focusWidget()
    assert focused is not None
    QTest.keyClick(focused, key)


def find(view: ModelsView, name: str) -> QWidget:
    buttons = [*view.findChildren(Button), *view.findChildren(IconButton)]
    return next(each for each in buttons if each.isVisible() and name in (each.text(), each.accessibleName()))


def hit(view: ModelsView, name: str, key: Qt.Key = Qt.Key.Key_Space) -> None:
    """Go to a button and press it with the keyboard."""
    widget = find(view, name)
    widget.setFocus(Qt.FocusReason.TabFocusReason)
    QTest.keyClick(widget, key)
    settle()


def test_tab_goes_through_the_page_from_top_to_bottom(view: ModelsView) -> None:
    fill(view)
    find(view, "Make them exact").setFocus()
    visited = [at(view)]
    while len(visited) < 60:
        type_key(Qt.Key.Key_Tab)
        if (name := at(view)) == visited[0]:
            break
        visited.append(name)
    assert visited == [
        "Make them exact",
        "Download and chat",
        "Why, and what would change it",
        "Stop: Downloading a",
        "Stop: Downloading b",
        "Stop all downloads",
        "Add a file …",
        "Add a folder …",
        "More about the models on this disk",
        "Chat with Tiny 1B",
        "More about Tiny 1B",
        "Chat with Second 2B",
        "More about Second 2B",
        "Context length",
        "KV cache type",
        "Search models; Enter searches the Hub",
        "Only what fits here",
        "Order of the results",
        "Close the results",
        "Download Tiny0 Q4_K_M",
        *(f"All files of {repo.repo}" for repo in REPOS),
        "More results",
        "Models for this machine",
        "See what else is on the Hugging Face Hub",
    ]
    type_key(Qt.Key.Key_Backtab)
    assert at(view) == "See what else is on the Hugging Face Hub"


def test_every_control_has_a_name_of_its_own(view: ModelsView) -> None:
    fill(view)
    assert nameless(view) == []
    names = [
        each.accessibleName() or (each.text() if isinstance(each, QPushButton | QCheckBox) else "")
        for each in focusable(view)
        if each.isVisible()
    ]
    assert sorted(names) == sorted(set(names))


@pytest.mark.parametrize("key", [Qt.Key.Key_Space, Qt.Key.Key_Return, Qt.Key.Key_Enter])
def test_the_keyboard_stays_on_the_answers_button_while_its_model_comes(view: ModelsView, key: Qt.Key) -> None:
    view.set_choices([choice()])
    chosen: list[Choice] = []
    view.choice_chosen.connect(chosen.append)
    hit(view, "Download and chat", key)
    assert len(chosen) == 1
    view.downloads.show_download("a", "Downloading a", "1 of 2 GB", 0.5, stopped=False, file=FILE)
    view.set_coming(COMING)
    assert at(view) == "Downloading …"
    type_key(key)
    assert at(view) == "Stop: Downloading a", "the next press shows the download"
    assert len(chosen) == 1, "and does not begin it again"
    view.downloads.remove("a")
    view.set_coming({})
    assert at(view) == "Download and chat"


def test_enter_that_is_held_presses_once(view: ModelsView) -> None:
    view.set_choices([choice()])
    chosen: list[Choice] = []
    view.choice_chosen.connect(chosen.append)
    button = find(view, "Download and chat")
    for repeated in (False, True, True):
        event = QKeyEvent(QEvent.Type.KeyPress, Qt.Key.Key_Return, Qt.KeyboardModifier.NoModifier, "\r", repeated)
        QApplication.sendEvent(button, event)
    assert len(chosen) == 1


def test_the_keyboard_stays_in_a_card_whose_buttons_change(view: ModelsView) -> None:
    fill(view)
    hit(view, "Stop: Downloading a")
    view.downloads.show_download("a", "a: not finished", "1 of 2 GB", 0.5, stopped=True)
    assert at(view) == "Go on: a: not finished"
    find(view, "Remove: a: not finished").setFocus()
    view.downloads.show_download("a", "Downloading a", "1 of 2 GB", 0.5, stopped=False)
    assert at(view) == "Stop: Downloading a"
    view.downloads.set_order(["a", "b"], ["a", "b"])
    hit(view, "Make it the next: Downloading b")
    view.downloads.set_order(["b", "a"], ["b", "a"])
    assert at(view) == "Stop: Downloading b"


def test_the_keyboard_goes_from_a_card_that_goes_to_the_next_one_and_then_to_the_answer(view: ModelsView) -> None:
    fill(view)
    find(view, "Stop: Downloading a").setFocus()
    view.downloads.remove("a")
    assert at(view) == "Stop: Downloading b"
    view.downloads.remove("b")
    assert at(view) == "Download and chat"


def test_the_keyboard_goes_from_one_button_for_all_to_the_other(view: ModelsView) -> None:
    fill(view)
    hit(view, "Stop all downloads")
    view.downloads.offer_for_all(stop=False, resume=True)
    assert at(view) == "Go on with all downloads"
    view.downloads.offer_for_all(stop=False, resume=False)
    assert at(view) == "Stop: Downloading a"


def test_a_row_of_the_hub_keeps_the_keyboard_when_its_download_begins(view: ModelsView) -> None:
    fill(view)
    hit(view, "Download Tiny0 Q4_K_M")
    view.set_coming({(REPOS[0].repo, "a.gguf"): "1 %"})
    assert at(view) == f"All files of {REPOS[0].repo}"


def test_into_a_repository_and_back_to_its_row_and_to_the_search(view: ModelsView) -> None:
    fill(view)
    view.hub.repo_chosen.connect(view.hub.show_files)
    hit(view, f"All files of {REPOS[1].repo}", Qt.Key.Key_Return)
    assert at(view) == "Back to the results"
    view.hub.set_files([choice()])
    view.hub.files.setFocus()
    QTest.keyClick(view.hub.files, Qt.Key.Key_Escape)
    assert at(view) == f"All files of {REPOS[1].repo}"
    type_key(Qt.Key.Key_Escape)
    assert not view.hub.isVisible()
    assert at(view) == "Search models; Enter searches the Hub"
    QTest.keyClicks(view._search, "tiny")
    type_key(Qt.Key.Key_Escape)
    assert view._search.text() == ""


def test_what_is_asked_anew_keeps_the_keyboard_in_the_results(view: ModelsView) -> None:
    fill(view)
    view.hub.set_failed("The Hub is not there.", "Try later.")
    view.hub.again_requested.connect(lambda: view.hub.set_searched("tiny"))
    hit(view, "Try again")
    assert at(view) == "Only what fits here"
    assert not view.table.currentIndex().isValid(), "nothing else was visited on the way"
    view.hub.set_repos(REPOS, more=True)
    find(view, f"All files of {REPOS[0].repo}").setFocus()
    view.hub.set_repos(REPOS[1:], more=False)
    assert at(view) == "Only what fits here"


def test_a_model_of_which_more_is_known_now_keeps_the_keyboard(view: ModelsView) -> None:
    first, second = installed(), installed("Second 2B")
    view.set_installed([first, second], "")
    find(view, "More about Second 2B").setFocus()
    view.set_installed([first, msgspec.structs.replace(second, condition="damaged")], "")
    assert at(view) == "More about Second 2B"
    view.set_installed([first], "")
    assert at(view) == "More about the models on this disk"


def test_the_menu_key_opens_the_menu_of_a_model(view: ModelsView) -> None:
    fill(view)
    removed: list[InstalledModel] = []
    view.installed.remove_requested.connect(removed.append)
    button = find(view, "Chat with Second 2B")
    button.setFocus()
    QApplication.sendEvent(button, QContextMenuEvent(QContextMenuEvent.Reason.Keyboard, QPoint(), QPoint()))
    menu = QApplication.activePopupWidget()
    assert isinstance(menu, QMenu)
    [action] = [each for each in menu.actions() if each.text() == "Move to the trash"]
    action.trigger()
    menu.close()
    assert [model.name for model in removed] == ["Second 2B"]


def test_in_the_table_home_and_end_go_to_rows_and_a_row_can_be_copied(view: ModelsView) -> None:
    view.resize(1300, 800)
    view.set_choices([choice(f"Model {number}", file=f"{number}.gguf") for number in range(4)])
    settle()
    view.table.setFocus(Qt.FocusReason.TabFocusReason)
    QTest.keyClick(view.table, Qt.Key.Key_End)
    assert view.table.currentIndex().data(CHOICE_ROLE).model_name == "Model 3"
    QTest.keyClick(view.table, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    assert QApplication.clipboard().text() == "Model 3\tQ4_K_M\t1.5 GB\t2.8 GiB\t12.0 ± 4.0\tgood\tFits"
    QTest.keyClick(view.table, Qt.Key.Key_Home)
    assert view.table.currentIndex().data(CHOICE_ROLE).model_name == "Model 0"
    menu = view.table.menu_of(view.table.currentIndex())
    menu.actions()[0].trigger()
    assert QApplication.clipboard().text().startswith("Model 0\t")
    menu.close()


def test_the_table_is_sorted_without_a_mouse(view: ModelsView) -> None:
    view.set_choices([choice(name, file=f"{name}.gguf") for name in ("B", "C", "A")])
    menu = view.table.menu_of(view.table.filter.index(0, 0))
    [sorting] = menu.findChildren(QMenu)
    by = {action.text(): action for action in sorting.actions()}

    def names() -> list[str]:
        return [view.table.filter.index(row, 0).data() for row in range(3)]

    by["Model"].trigger()
    assert names() == ["A", "B", "C"]
    by["What is best here"].trigger()
    assert names() == ["B", "C", "A"]
    menu.close()


def test_what_was_asked_at_the_foot_of_the_page_is_where_the_keyboard_goes(view: ModelsView) -> None:
    view.set_choices([choice()])
    hit(view, "See what else is on the Hugging Face Hub")
    assert at(view) == "Only what fits here"


def test_a_check_of_the_rest_that_is_done_hands_the_keyboard_on(view: ModelsView) -> None:
    view.set_choices([choice()], may_ask=True)
    hit(view, "Make them exact")
    view.set_choices([choice()], checking=True, may_ask=True)
    assert at(view) == "Stop"
    view.set_choices([choice(exact=True)])
    assert at(view) == "Download and chat"
