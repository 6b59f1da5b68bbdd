"""The window speaks the person's language."""

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QCoreApplication, QLocale, QTranslator
from PySide6.QtWidgets import QApplication

from desktop.errors import DiskFull
from desktop.ui.bridge import explain
from desktop.ui.language import install_language, wanted_language
from desktop.ui.pages.chat.view import ChatView


@pytest.fixture
def in_chinese(styled: QApplication) -> Iterator[tuple[QTranslator, ...]]:
    before = QLocale()
    translators = install_language(styled, "zh_CN")
    yield translators
    for translator in translators:
        styled.removeTranslator(translator)
    QLocale.setDefault(before)


def test_the_window_is_chinese_down_to_qts_own_words(qtbot: object, in_chinese: tuple[QTranslator, ...]) -> None:
    assert len(in_chinese) == 2
    view = ChatView()
    qtbot.addWidget(view)  # type: ignore[attr-defined]
    assert view.sidebar._new.text() == "新对话"
    assert view.composer.edit.placeholderText() == "输入消息"
    assert QCoreApplication.translate("QPlatformTheme", "Cancel") == "取消"


def test_an_error_of_the_core_is_explained_in_chinese(in_chinese: tuple[QTranslator, ...]) -> None:
    words = explain(DiskFull(path="/x"))
    assert words.message == "/x 所在的磁盘已满。"
    assert "Nothing" not in words.hint


def test_the_compiled_translation_is_that_of_the_source(project_root: Path) -> None:
    folder = project_root / "resources" / "translations"
    translator = QTranslator()
    assert translator.load("snug_zh_CN", str(folder))
    stale = [
        message.findtext("source", "")
        for context in ET.parse(folder / "snug_zh_CN.ts").getroot().iter("context")  # noqa: S314 - our own file
        for message in context.iter("message")
        if translator.translate(context.findtext("name", ""), message.findtext("source", ""))
        != message.findtext("translation", "")
    ]
    assert stale == []


@pytest.mark.parametrize(
    ("system", "expected"),
    [
        (["zh-CN", "en-US"], "zh_CN"),
        (["zh-Hans-SG"], "zh_CN"),
        (["zh-TW", "en"], "en"),
        (["de-DE", "zh-CN"], "zh_CN"),
        (["de-DE"], "en"),
    ],
)
def test_the_systems_languages_are_tried_in_their_order(
    monkeypatch: pytest.MonkeyPatch, system: list[str], expected: str
) -> None:
    class FakeLocale:
        def uiLanguages(self) -> list[str]:
            return system

    monkeypatch.setattr(QLocale, "system", FakeLocale)
    assert wanted_language("system") == expected
    assert wanted_language("en") == "en"
