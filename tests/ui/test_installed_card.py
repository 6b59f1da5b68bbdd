"""What a person sees of the models on the disk."""

from collections.abc import Iterator
from typing import Any

import pytest
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent
from PySide6.QtWidgets import QApplication

from desktop.library.types import Condition, InstalledModel, Source
from desktop.ui.pages.models.installed import SHOWN
from desktop.ui.pages.models.view import ModelsView
from desktop.ui.widgets.labels import PlainLabel
from tests.support.looks import clipped, guessing, nameless, shown
from tests.support.screen import press, settle, words


@pytest.fixture
def view(styled: QApplication) -> Iterator[ModelsView]:
    with shown(ModelsView()) as made:
        yield made


def _model(number: int = 1, **fields: Any) -> InstalledModel:
    values: dict[str, Any] = {
        "id": f"m{number}", "model_id": f"m{number}", "name": f"Model {number}", "quantization": "Q4", "size": 10**9,
        "path": f"/m{number}",
    }  # fmt: skip
    return InstalledModel(**(values | fields))


def test_a_file_can_be_added_where_no_model_is_yet(view: ModelsView) -> None:
    wanted: list[str] = []
    view.installed.file_wanted.connect(lambda: wanted.append("file"))
    assert not view.installed.isVisible(), "nobody has looked yet"
    view.set_installed([], "")
    assert "No model is on this disk yet." in words(view)
    press(view, "Add a file …")
    assert wanted == ["file"]
    view.set_installed([_model()], "")
    assert "No model is on this disk yet." not in words(view)


def test_a_long_library_is_opened_with_a_click_and_the_model_in_use_is_always_there(view: ModelsView) -> None:
    models = [_model(number) for number in range(SHOWN + 5)]
    view.set_installed(models, models[-1].id)
    text = words(view)
    assert f"Model {SHOWN + 4}" in text
    assert f"Model {SHOWN}" not in text
    press(view, f"Show all {SHOWN + 5}")
    assert f"Model {SHOWN}" in words(view)
    press(view, "Show fewer")
    assert f"Model {SHOWN}" not in words(view)


def test_a_split_model_that_lost_a_file_names_it(view: ModelsView) -> None:
    first, lost = "/m-00001-of-00002.gguf", "/m-00002-of-00002.gguf"
    view.set_installed([_model(path=first, condition="gone", absent=lost)], "")
    assert f"The file is gone: {lost}" in words(view)


@pytest.mark.parametrize("size", [(844, 572), (1224, 792)])
def test_nothing_is_clipped_nameless_or_read_as_markup(view: ModelsView, size: tuple[int, int]) -> None:
    view.resize(*size)
    marked = _model(name="<b>bold</b>", licence="<a href='x'>free</a>")
    view.set_installed([marked, *(_model(number) for number in range(2, SHOWN + 4))], "m2")
    assert "<b>bold</b>" in words(view)
    assert clipped(view) == []
    assert nameless(view) == []
    assert guessing(view) == []


@pytest.mark.parametrize(
    ("fields", "actions"),
    [
        ({"bundled": True}, ["Check the file", "Show in its folder"]),
        ({"source": "snug"}, ["Check the file", "Show in its folder", "Move to the trash"]),
        ({"source": "ollama"}, ["Check the file", "Show in its folder", "Take off the list"]),
        ({"condition": "gone"}, ["Take off the list"]),
    ],
)
def test_what_may_be_done_with_a_model_depends_on_whose_it_is(
    view: ModelsView, fields: dict[str, Any], actions: list[str]
) -> None:
    model = _model(**fields)
    said: list[tuple[str, object]] = []
    for name in ("verify_requested", "reveal_requested", "remove_requested"):
        getattr(view.installed, name).connect(lambda value, name=name: said.append((name, value)))
    menu = view.installed.menu_of(model)
    assert [action.text() for action in menu.actions()] == actions
    for action in menu.actions():
        action.trigger()
    assert [value for _, value in said] == [model] * len(actions)
    menu.deleteLater()


@pytest.mark.parametrize(
    ("condition", "text"),
    [
        ("gone", "The file is gone: /m1"),
        ("folder", "A folder is in its place: /m1"),
        ("changed", "The file has changed"),
        ("truncated", "Only a part of it is here"),
        ("damaged", "The file is damaged"),
    ],
)
def test_a_model_that_cannot_be_loaded_says_why(view: ModelsView, condition: Condition, text: str) -> None:
    view.set_installed([_model(condition=condition)], "")
    assert text in words(view)
    assert "Chat" not in words(view)


FROM_THE_HUB = {"repo": "owner/tiny-GGUF", "file": "tiny.gguf"}


@pytest.mark.parametrize(
    ("fields", "button", "signal"),
    [
        ({"condition": "changed"}, "Check the file", "verify_requested"),
        ({"condition": "damaged", **FROM_THE_HUB}, "Download again", "renew_requested"),
        ({"condition": "truncated", **FROM_THE_HUB}, "Download again", "renew_requested"),
        ({"condition": "gone", **FROM_THE_HUB}, "Download again", "renew_requested"),
        ({"condition": "gone"}, "Take off the list", "remove_requested"),
        ({"condition": "gone", "source": "ollama", **FROM_THE_HUB}, "Take off the list", "remove_requested"),
        ({"condition": "damaged"}, "Show in its folder", "reveal_requested"),
        ({"condition": "gone", "path": "/m-00001-of-00002.gguf"}, "Show in its folder", "reveal_requested"),
        ({"condition": "damaged", "bundled": True}, "Show in its folder", "reveal_requested"),
    ],
)
def test_the_button_of_a_model_that_cannot_be_loaded_does_what_helps(
    view: ModelsView, fields: dict[str, Any], button: str, signal: str
) -> None:
    model = _model(**fields)
    asked: list[InstalledModel] = []
    getattr(view.installed, signal).connect(asked.append)
    view.set_installed([model], "")
    press(view, f"{button}: Model 1")
    assert asked == [model]


def test_what_came_with_snug_and_is_gone_says_what_to_do(view: ModelsView) -> None:
    view.set_installed([_model(condition="gone", bundled=True)], "")
    label = next(each for each in view.installed.findChildren(PlainLabel) if "is gone" in each.text())
    assert "run the set-up again" in label.toolTip()


def test_what_is_wrong_with_a_model_has_a_colour_and_its_check_has_none(view: ModelsView) -> None:
    view.set_installed([_model(condition="gone"), _model(2, condition="changed"), _model(3, licence="MIT")], "")
    remarks = ("The file is gone: /m1", "The file has changed", "MIT")

    def tones() -> list[str]:
        labels = {each.text(): each for each in view.installed.findChildren(PlainLabel)}
        return [labels[text].property("tone") for text in remarks if text in labels]

    assert tones() == ["bad", "warn", "muted"]
    view.installed.set_progress("m2", "Checking … 42 %")
    assert tones() == ["bad", "muted"]
    label = next(each for each in view.installed.findChildren(PlainLabel) if each.text() == "Checking … 42 %")
    assert label.property("tone") == "muted"


def test_what_stands_in_all_rows_stands_in_columns(view: ModelsView) -> None:
    models = [_model(), _model(2, name="A much longer name", quantization="IQ4_XS", size=143 * 10**9)]
    view.set_installed(models, "")
    settle()

    def columns() -> list[tuple[int, ...]]:
        rows = view.installed.rows.shown
        return [tuple(label.x() for label in (*row._columns, row._remark)) for row in rows]

    assert len(set(columns())) == 1
    view.set_installed([*models, _model(3, name="An even much longer name than that")], "")
    settle()
    assert len(set(columns())) == 1
    right = [row._columns[2].geometry().right() for row in view.installed.rows.shown]
    assert len(set(right)) == 1


@pytest.mark.parametrize(
    ("source", "text"), [("ollama", "From Ollama"), ("lm-studio", "From LM Studio"), ("jan", "From Jan")]
)
def test_a_model_of_another_program_says_whose_it_is(view: ModelsView, source: Source, text: str) -> None:
    view.set_installed([_model(source=source, licence="MIT")], "")
    assert f"{text} · MIT" in words(view)


def test_what_is_done_with_a_model_is_shown_in_its_row(view: ModelsView) -> None:
    view.set_installed([_model(licence="MIT")], "")
    view.installed.set_progress("m1", "Checking … 42 %")
    assert "Checking … 42 %" in words(view)
    view.installed.set_progress("m1", "")
    assert "MIT" in words(view)


def test_files_can_be_dropped_on_the_page(view: ModelsView) -> None:
    dropped: list[list[str]] = []
    view.files_dropped.connect(dropped.append)
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile("/models/a.gguf"), QUrl("https://example.com/b.gguf")])
    buttons, keys = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    event = QDropEvent(QPointF(5, 5), Qt.DropAction.CopyAction, data, buttons, keys)
    view.dropEvent(event)
    assert dropped == [["/models/a.gguf"]]


def test_a_long_path_in_the_menu_is_one_short_line(view: ModelsView) -> None:
    menu = view.installed.menu_of_card(["/a/\nb\tc & d/" + "z" * 3000])
    text = menu.actions()[-1].text()
    assert len(text) < 150
    assert "\t" not in text
    assert text.endswith("zzz")
    menu.deleteLater()
