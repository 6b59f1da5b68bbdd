"""The models page with the engine's own figures: estimates at once, exact when the sliders rest."""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QSlider

from desktop.actions import exact
from desktop.engine.protocol import EngineInfo
from desktop.fit.types import Choice
from desktop.gguf.errors import CorruptGguf
from desktop.services import Survey
from desktop.settings import MINIMUM_SPEED, OFFLINE, WANTED_CONTEXT
from desktop.ui.item_models.choices import CHOICE_ROLE, MEMORY, MODEL, QUANTIZATION, SOURCE_ROLE
from desktop.ui.pages.models.checking import tell_rows_left
from desktop.ui.pages.models.view import ModelsView
from desktop.ui.shell import NoticeWish
from tests.support.catalogs import tiny_catalog
from tests.support.hub_server import HubServer
from tests.support.page_person import PagePerson
from tests.support.page_values import machine
from tests.support.tiny_hub import REPO, tiny_hub


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    with tiny_hub(tmp_path) as server:
        monkeypatch.setenv("HF_ENDPOINT", server.endpoint)
        yield server


@pytest.fixture
def page(styled: QApplication, snug_home: Path, hub: HubServer) -> Iterator[PagePerson]:
    person = PagePerson(styled, "models")
    engine = EngineInfo(version="test", system_info="", devices=(), supports_gpu_offload=False, supports_rpc=False)
    person.services.surveys.latest = Survey(profile=machine(), engine=engine)
    person.services.__dict__["catalog"] = tiny_catalog(REPO)
    person.settings.set(WANTED_CONTEXT, 4096)
    person.settings.set(MINIMUM_SPEED, 0.0)
    yield person
    person.close()


def sources(view: ModelsView) -> list[str]:
    rows = range(view.table.filter.rowCount())
    return [view.table.filter.index(row, MEMORY).data(SOURCE_ROLE) for row in rows]


def names(view: ModelsView) -> list[str]:
    table = view.table.filter
    return [
        f"{table.index(row, MODEL).data()} {table.index(row, QUANTIZATION).data()}" for row in range(table.rowCount())
    ]


def remark(view: ModelsView) -> str:
    return view.header._remark.text()


def open_and_rest(page: PagePerson) -> ModelsView:
    page.open()
    view: ModelsView = page.view
    page.until("the prices", view.table.filter.rowCount)
    page.until("the end of the questions", lambda: "being asked" not in remark(view), timeout=60)
    return view


def check_the_rest(page: PagePerson, view: ModelsView) -> None:
    assert view._rest.isVisible()
    view._rest.click()
    page.until("exact figures", lambda: set(sources(view)) == {"exact"}, timeout=60)


def test_nothing_is_fetched_unasked_and_the_rows_say_that_they_are_estimates(page: PagePerson, hub: HubServer) -> None:
    view = open_and_rest(page)
    assert sources(view) == ["estimate", "estimate"]
    assert remark(view).startswith("Estimates for this machine")
    assert hub.requests == []


def test_a_click_makes_the_rows_exact_in_their_places(page: PagePerson, hub: HubServer) -> None:
    view = open_and_rest(page)
    before = names(view)
    check_the_rest(page, view)
    assert names(view) == before
    page.until("the remark", lambda: remark(view).startswith("Memory is exact for this machine"))
    assert not view._rest.isVisible()
    assert view.answer._choice is not None
    assert view.answer._choice.exact
    assert all(view.table.filter.index(row, MEMORY).data(CHOICE_ROLE).exact for row in range(2))
    assert page.notices == []


def test_a_moved_slider_estimates_at_once_and_is_exact_without_a_network(page: PagePerson, hub: HubServer) -> None:
    view = open_and_rest(page)
    check_the_rest(page, view)
    requests = len(hub.requests)
    slider = view.findChild(QSlider)
    assert isinstance(slider, QSlider)
    seen: list[tuple[int, str]] = []
    view.table.filter.dataChanged.connect(
        lambda *_: seen.append((view.table.filter.index(0, MEMORY).data(CHOICE_ROLE).context, sources(view)[0]))
    )
    QTest.keyClick(slider, Qt.Key.Key_Left)
    page.until("exact figures", lambda: seen and seen[-1] == (2048, "exact"), timeout=60)
    assert (2048, "estimate") in seen, "the arithmetic came first"
    page.until("all of them", lambda: sources(view) == ["exact", "exact"], timeout=60)
    QTest.keyClick(slider, Qt.Key.Key_Right)
    page.until("what was asked before", lambda: seen[-1] == (4096, "exact"))
    assert (4096, "estimate") not in seen, "what is known is not shown as less"
    assert len(hub.requests) == requests


@pytest.mark.parametrize("switch", ["setting", "HF_HUB_OFFLINE"])
def test_without_a_network_there_is_no_offer(
    page: PagePerson, hub: HubServer, monkeypatch: pytest.MonkeyPatch, switch: str
) -> None:
    if switch == "setting":
        page.settings.set(OFFLINE, True)
    else:
        monkeypatch.setenv(switch, "1")
    view = open_and_rest(page)
    assert not view._rest.isVisible()
    assert sources(view) == ["estimate", "estimate"]
    assert hub.requests == []


@pytest.mark.allow_log("no exact figures")
def test_what_the_hub_does_not_have_is_said_and_can_be_tried_again(page: PagePerson, hub: HubServer) -> None:
    file = hub.repositories[REPO].files.pop("tiny-Q8_0.gguf")
    view = open_and_rest(page)
    view._rest.click()
    page.until("a word on what is left", lambda: page.notices, timeout=60)
    assert page.notices[0].text == "One row could not be checked; its memory stays an estimate."
    assert "The Hub does not have" in page.notices[0].hint, "the reason is told, with its next step"
    assert "Did you mean tiny-Q4_K_M.gguf?" in page.notices[0].hint
    page.until("the other one", lambda: sorted(sources(view)) == ["estimate", "exact"])
    hub.repositories[REPO].files["tiny-Q8_0.gguf"] = file
    assert page.notices[0].on_action is not None
    page.notices[0].on_action()
    page.until("all of them", lambda: set(sources(view)) == {"exact"}, timeout=60)
    page.until("the banner to go", lambda: "rows left" in page.unwanted)


@pytest.mark.allow_log("no exact figures")
def test_a_hub_that_does_not_answer_is_told_once_with_what_to_do(
    page: PagePerson, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")  # the port of "discard": nobody listens
    view = open_and_rest(page)
    view._rest.click()
    page.until("a word on what is left", lambda: page.notices, timeout=60)
    assert page.notices[0].text == "2 rows could not be checked; their memory stays an estimate."
    assert "cannot be reached" in page.notices[0].hint
    assert "Check the network connection" in page.notices[0].hint


def test_several_reasons_are_not_all_told_in_the_banner(page: PagePerson) -> None:
    told: list[NoticeWish] = []
    page.shell.notice_wanted.connect(told.append)
    reasons = [CorruptGguf(path=f"{number}.gguf", reason="odd") for number in range(2)]
    tell_rows_left(page.shell, 2, reasons, lambda: None)
    assert told[0].hint == "0.gguf is damaged: odd. The log has the other reasons."


def test_fetching_can_be_stopped(page: PagePerson, hub: HubServer) -> None:
    hub.held_from = 1000  # in the middle of the header
    view = open_and_rest(page)
    view._rest.click()
    page.until("the way to stop", lambda: view._rest.text() == "Stop")
    page.until("a file on its way", lambda: hub.of("cdn"))
    view._rest.click()
    page.until("the offer again", lambda: view._rest.text() == "Make them exact" and view._rest.isVisible())
    assert "estimate" in sources(view)
    assert page.notices == []


def test_checking_the_rest_goes_on_when_the_page_is_shown_again(
    page: PagePerson, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = open_and_rest(page)
    verify, held, begun = exact.verify_choices, asyncio.Event(), []

    async def verify_slowly(*question: Any, fetch: bool, **more: Any) -> AsyncGenerator[Choice, None]:
        begun.append(fetch)
        if len(begun) == 1:
            await held.wait()  # the network is slow, until this is given up
        async with aclosing(verify(*question, fetch=fetch, **more)) as answers:
            async for answer in answers:
                yield answer

    monkeypatch.setattr(exact, "verify_choices", verify_slowly)
    view._rest.click()
    page.until("the questions", lambda: begun)
    page.open()
    page.until("exact figures", lambda: set(sources(view)) == {"exact"}, timeout=60)
    assert begun == [True, True]
    assert page.notices == []


def test_a_page_that_is_hidden_asks_no_more(page: PagePerson, hub: HubServer) -> None:
    page.open()
    view: ModelsView = page.view
    page.until("the prices", view.table.filter.rowCount)
    view.hide()
    page.shell.models_changed.emit()
    page.until("the end of what it was at", lambda: not page.shell.tasks._running)
    assert "exact" not in sources(view)
    view.show()
    page.open()
    page.until("the end of the questions", lambda: "being asked" not in remark(view), timeout=60)


def test_checking_the_rest_can_be_stopped_while_prices_are_renewed(page: PagePerson, hub: HubServer) -> None:
    hub.held_from = 1000  # in the middle of the header
    view = open_and_rest(page)
    view._rest.click()
    page.until("the way to stop", lambda: view._rest.text() == "Stop")
    seen = set[str]()
    page.open()  # prices anew
    for _ in range(30):
        page.live(0.02)
        seen.add(view._rest.text() if view._rest.isVisible() else "")
    assert seen == {"Stop"}
    view._rest.click()
    page.until("the offer again", lambda: view._rest.text() == "Make them exact" and view._rest.isVisible())
