"""What a person sees of a search on the Hub."""

from collections.abc import Callable, Iterator

import msgspec
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLineEdit

from desktop.catalog.search import HubRepo
from desktop.errors import Phrase
from desktop.fit.types import Choice
from desktop.ui.figures import count
from desktop.ui.item_models.choices import MEMORY, VERDICT
from desktop.ui.pages.models.view import ModelsView
from desktop.ui.widgets.buttons import IconButton
from tests.support.looks import clipped, guessing, nameless, shown
from tests.support.page_values import choice
from tests.support.screen import press, settle, words

LONG = "a-very-long-name-of-a-repository-that-somebody-thought-of-on-a-long-evening-30B-A3B-Instruct-2507-GGUF"
REPOS = (
    HubRepo(repo="ann/Tiny-GGUF", publisher="ann", name="Tiny-GGUF", downloads=34_100, likes=812, licence="mit"),
    HubRepo(repo=f"ben/{LONG}", publisher="ben", name=LONG, gated="manual", private=True, updated=1_760_000_000.0),
)


@pytest.fixture
def view(styled: QApplication) -> Iterator[ModelsView]:
    with shown(ModelsView()) as made:
        made.show_hub(True)
        yield made


@pytest.mark.parametrize(("number", "text"), [(0, "0"), (999, "999"), (34_100, "34.1k"), (1_230_000, "1.2M")])
def test_counts_are_short(number: int, text: str) -> None:
    assert count(number) == text


def test_enter_and_the_link_below_the_table_ask_the_hub(view: ModelsView) -> None:
    asked: list[str] = []
    view.hub_search_requested.connect(asked.append)
    field = view.findChild(QLineEdit)
    assert field is not None
    QTest.keyClicks(field, " qwen ")
    QTest.keyClick(field, Qt.Key.Key_Return)
    press(view, "Search the Hugging Face Hub for “qwen”")
    assert asked == ["qwen", "qwen"]


def test_a_row_says_who_published_it_and_gets_its_verdict_later(view: ModelsView) -> None:
    view.hub.set_searched("tiny")
    assert "Asking the Hub …" in words(view)
    view.hub.set_repos(REPOS, more=True)
    text = words(view)
    assert "ann · mit · 34.1k downloads · 812 likes" in text
    assert "private · asks for your agreement on its page" in text
    assert "Asking the Hub …" not in text
    assert "More results" in text
    assert view.hub.repos_in_sight() == REPOS
    view.hub.set_verdict("ann/Tiny-GGUF", choice("Tiny 1B"))
    text = words(view)
    assert "Fits" in text
    assert "Q4_K_M · 1.50 GB" in text
    view.hub.set_repos((*REPOS, msgspec.structs.replace(REPOS[0], repo="x/y")), more=False)
    assert "Q4_K_M · 1.50 GB" in words(view), "the next page leaves verdicts where they are"


def test_the_verdict_is_downloaded_or_chatted_with(view: ModelsView) -> None:
    chosen: list[Choice] = []
    view.hub.choice_chosen.connect(chosen.append)
    view.hub.set_repos(REPOS, more=False)
    view.hub.set_verdict("ann/Tiny-GGUF", choice("Tiny 1B"))
    press(view, "Download Tiny 1B Q4_K_M")
    view.hub.set_verdict("ann/Tiny-GGUF", choice("Tiny 1B", installed=True))
    press(view, "Chat with Tiny 1B Q4_K_M")
    assert [each.installed for each in chosen] == [False, True]


def test_a_row_says_how_far_the_download_of_its_file_is(view: ModelsView) -> None:
    view.set_coming({("ann/Tiny-GGUF", "tiny.gguf"): "1 %"})
    view.hub.set_repos(REPOS, more=False)
    view.hub.set_verdict("ann/Tiny-GGUF", choice("Tiny 1B", repo="ann/Tiny-GGUF", file="tiny.gguf"))
    assert "Downloading: 1 %" in words(view), "also where the verdict comes after the download was begun"
    view.set_coming({("ann/Tiny-GGUF", "tiny.gguf"): "42 %"})
    assert "Downloading: 42 %" in words(view)
    buttons = [each for each in view.hub.findChildren(IconButton) if each.isVisible()]
    assert "Download Tiny 1B Q4_K_M" not in [each.accessibleName() for each in buttons]
    view.set_coming({})
    assert "Downloading" not in words(view)
    press(view, "Download Tiny 1B Q4_K_M")


def test_what_does_not_fit_can_be_hidden_and_not_downloaded(view: ModelsView) -> None:
    view.hub.set_repos(REPOS, more=False)
    view.hub.set_verdict("ann/Tiny-GGUF", choice("Tiny 1B", verdict="does_not_fit", missing=1 << 30))
    assert "Does not fit: 1.0 GiB more needed" in words(view)
    assert not any(
        each.accessibleName().startswith("Download") for each in view.hub.findChildren(IconButton) if each.isVisible()
    )
    view.hub.only_fitting.setChecked(True)
    assert "Tiny-GGUF" not in words(view)
    assert LONG in words(view), "what has no verdict yet may fit"


def test_only_what_fits_is_what_fits_with_its_margins_as_on_the_command_line(view: ModelsView) -> None:
    view.hub.set_repos(REPOS, more=False)
    view.hub.only_fitting.setChecked(True)
    view.hub.set_verdict("ann/Tiny-GGUF", choice("Tiny 1B", verdict="tight"))
    assert "Tiny-GGUF" not in words(view)
    view.hub.set_verdict("ann/Tiny-GGUF", choice("Tiny 1B", verdict="partial"))
    assert "Tiny-GGUF" in words(view)


def test_where_everything_is_hidden_it_is_said_and_can_be_shown(view: ModelsView) -> None:
    view.hub.set_repos(REPOS[:1], more=False)
    view.hub.only_fitting.setChecked(True)
    assert "None of these fits this machine." not in words(view), "nobody knows yet"
    view.hub.set_verdict("ann/Tiny-GGUF", choice("Tiny 1B", verdict="does_not_fit", missing=1 << 30))
    assert "None of these fits this machine." in words(view)
    view.hub.set_verdict("ann/Tiny-GGUF", choice("Tiny 1B"))
    assert "None of these fits this machine." not in words(view)
    view.hub.set_verdict("ann/Tiny-GGUF", choice("Tiny 1B", verdict="does_not_fit", missing=1 << 30))
    press(view, "Show them")
    assert "Does not fit" in words(view)
    assert "None of these fits this machine." not in words(view)


def test_all_files_of_a_repository_and_back(view: ModelsView) -> None:
    asked: list[HubRepo] = []
    view.hub.repo_chosen.connect(asked.append)
    view.hub.set_searched("tiny")
    view.hub.set_repos(REPOS, more=True)
    press(view, "All files of ann/Tiny-GGUF")
    assert asked == [REPOS[0]]
    view.hub.show_files(REPOS[0])
    assert "Asking the Hub which files it has …" in words(view)
    view.hub.set_files([choice("Tiny 1B"), choice("Tiny 1B", quantization="Q8_0")])
    settle()
    assert view.hub.files.isVisible()
    assert view.hub.files.filter.rowCount() == 2
    assert "More results" not in words(view)
    press(view, "Back to the results")
    assert not view.hub.files.isVisible()
    assert "On the Hugging Face Hub: “tiny”" in words(view)
    assert "More results" in words(view)


def test_no_result_and_a_failure_say_what_to_do(view: ModelsView) -> None:
    again: list[bool] = []
    view.hub.again_requested.connect(lambda: again.append(True))
    view.hub.set_searched("zzz")
    view.hub.set_repos((), more=False)
    assert "The Hub has no model files (GGUF) for “zzz”." in words(view)
    assert "Try fewer words" in words(view)
    view.hub.set_failed("The Hub cannot be reached.", "Check the connection.")
    assert "Check the connection." in words(view)
    press(view, "Try again")
    assert again == [True]
    press(view, "Close the results")
    settle()
    assert not view.hub.isVisible()


@pytest.mark.parametrize("size", [(844, 572), (1224, 792)])
def test_nothing_is_clipped_nameless_or_read_as_markup(view: ModelsView, size: tuple[int, int]) -> None:
    view.resize(*size)
    marked = msgspec.structs.replace(REPOS[0], name="<b>bold</b>", licence="<a href='x'>free</a>")
    view.hub.set_repos((marked, REPOS[1]), more=True)
    view.hub.set_verdict(REPOS[1].repo, choice(LONG))
    settle()
    assert "<b>bold</b>" in words(view)
    assert clipped(view) == []
    assert nameless(view) == []
    assert guessing(view) == []


def test_what_the_engine_refuses_says_why_and_no_figures(view: ModelsView) -> None:
    refused = choice("Odd", verdict="does_not_fit", memory=(), reasons=(Phrase.of("This engine does not know it."),))
    assert refused.is_refused
    view.hub.set_repos(REPOS, more=False)
    view.hub.set_verdict("ann/Tiny-GGUF", refused)
    text = words(view)
    assert "Cannot be used" in text
    assert "This engine does not know it." in text
    assert "GiB" not in text
    view.hub.show_files(REPOS[0])
    view.hub.set_files([refused])
    table = view.hub.files.filter
    assert [table.index(0, column).data() for column in (MEMORY, VERDICT)] == ["–", "Cannot be used"]


def test_many_rows_come_a_few_at_a_time_and_keep_their_order(view: ModelsView) -> None:
    repos = [msgspec.structs.replace(REPOS[0], repo=f"ann/m{index}", name=f"m{index}") for index in range(40)]
    view.hub.set_repos(repos, more=False)
    assert len(view.hub.rows.shown) < 20, "the window is not kept waiting"
    view.hub.set_verdict(repos[0].repo, choice())
    view.hub.set_repos(repos, more=False)  # in the middle
    wait_until(lambda: len(view.hub.rows.shown) == 40)
    places = [view.hub._column.indexOf(row) for row in view.hub.rows.shown]
    assert places == list(range(40))
    assert [row.repo for row in view.hub.rows.shown] == repos
    assert view.hub.rows.shown[0].is_judged
    assert all(row.isVisible() for row in view.hub.rows.shown)


def wait_until(condition: Callable[[], bool]) -> None:
    for _ in range(6000):
        QTest.qWait(10)
        if condition():
            return
    raise AssertionError("waited in vain")
