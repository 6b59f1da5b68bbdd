"""Somebody clicks about on the models page, while models come, results change and rows go: the window lives.

Each run follows from its seed and the machine's speed; what is asserted holds whatever was clicked.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.hub_server import HubServer
from tests.support.tiny_hub import REPO, tiny_hub
from tests.support.window_process import run_window

CLICKS = 150

_CLICK_ABOUT = """
import random
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QLineEdit

CHANCE, LEFT = random.Random({seed}), [{clicks}]
MEANT = ("Download", "Stop", "Go on", "Remove", "All files", "Back", "Close", "Search the", "Try again", "Other pub")

def search(page, text):
    [field] = [each for each in page.findChildren(QLineEdit) if each.accessibleName().startswith("Search models")]
    field.setText(text)
    field.setFocus()
    QTest.keyClick(field, Qt.Key.Key_Return)

def click():
    if window() is None or not window().isVisible():
        return
    LEFT[0] -= 1
    if LEFT[0] < 0:
        timer.stop()
        close_all()
        return
    window().show_page("models")
    page = window().centralWidget()
    what = CHANCE.random()
    if what < 0.08 or LEFT[0] > {clicks} - 2:
        search(page, CHANCE.choice(["tiny", "own", "none", ""]))
    elif what < 0.12:
        window().resize(*CHANCE.choice([(900, 600), (1280, 820)]))
    elif what < 0.2:
        QTest.keyClick(window().focusWidget() or window(), Qt.Key.Key_Tab)
    else:
        buttons = [
            each
            for each in page.findChildren(QAbstractButton)
            if each.isVisible() and each.isEnabled() and (each.accessibleName() or each.text()).startswith(MEANT)
        ]
        better = [each for each in buttons if (each.accessibleName() or each.text()).startswith(MEANT[:4])]
        if buttons:
            CHANCE.choice(better if better and CHANCE.random() < 0.75 else buttons).click()

def begin():
    global timer
    timer = every(80, click)
"""


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    with tiny_hub(tmp_path) as hub:
        source = hub.repositories[REPO].files["tiny-Q4_K_M.gguf"].path
        for number in range(8):
            other = Path(shutil.copy(source, tmp_path / f"{number}.gguf"))
            with other.open("ab") as file:
                file.write(bytes([number]) * 32)  # else it is the same model
            hub.add(f"own{number}/tiny-{number}-GGUF", f"tiny-{number}-Q4_K_M.gguf", other)
        hub.bytes_per_second = 300_000.0
        monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        yield hub


@pytest.mark.timeout(1200)
def test_the_window_lives_whatever_is_clicked(server: HubServer, tmp_path: Path, campaign_factor: int) -> None:
    for seed in range(campaign_factor):
        watch = _CLICK_ABOUT.replace("{seed}", str(seed)).replace("{clicks}", str(CLICKS))
        ended = run_window(tmp_path / f"home-{seed}", watch, timeout=300)
        assert (ended.returncode, "Traceback" in ended.stderr) == (0, False), f"seed {seed}: {ended.stderr[-3000:]}"
    assert server.of("cdn"), "something was downloaded"
