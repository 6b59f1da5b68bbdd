"""Context and KV type beside each other: one is changed without the other."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from desktop.ui.widgets.context_choice import ContextChoice


@pytest.mark.parametrize("context", [1024, 12000, 40960, 262144])
def test_another_kv_type_leaves_a_context_that_is_no_stop_of_the_slider(styled: QApplication, context: int) -> None:
    choice = ContextChoice()
    told: list[tuple[int, str]] = []
    choice.changed.connect(lambda *values: told.append(values))
    choice.set_values(context, "f16")
    shown = choice._figure.text()
    choice._kv.setCurrentIndex(1)
    assert told == [(context, "q8_0")]
    assert choice._figure.text() == shown


def test_the_slider_goes_to_its_stops(styled: QApplication) -> None:
    choice = ContextChoice()
    told: list[tuple[int, str]] = []
    choice.changed.connect(lambda *values: told.append(values))
    choice.set_values(12000, "q8_0")
    QTest.keyClick(choice._slider, Qt.Key.Key_Right)
    QTest.keyClick(choice._slider, Qt.Key.Key_Left)
    assert told == [(16384, "q8_0"), (8192, "q8_0")]
