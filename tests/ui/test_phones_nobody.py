"""The window connects to nothing by itself, and to nothing at all while the network is switched off."""

import json
from pathlib import Path

import pytest

from tests.support.window_process import closed_after, run_window

_EVERY_PAGE = """
from desktop.ui.page_list import PAGES
pages = [page.name for page in PAGES]

def step():
    shown = window()
    if shown is None:
        return
    if pages:
        shown.show_page(pages.pop(0))
    else:
        timer.stop()
        print("seen", flush=True)
        shown.close()

def begin():
    global timer
    timer = every(1000, step)
"""


@pytest.fixture
def notes(tmp_path: Path, project_root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the window and its children connect to is written there, a line each."""
    path = tmp_path / "connections.txt"
    path.write_text("")
    monkeypatch.setenv("PYTHONPATH", str(project_root / "tests" / "support" / "connections"))
    monkeypatch.setenv("SNUG_TEST_CONNECTIONS", str(path))
    return path


@pytest.mark.timeout(180)
def test_a_window_that_is_left_alone_connects_to_nothing(tmp_path: Path, notes: Path) -> None:
    finished = run_window(tmp_path / "home", closed_after(8000), timeout=150)
    assert finished.returncode == 0, finished.stderr
    assert notes.read_text() == ""


@pytest.mark.timeout(180)
def test_no_page_connects_to_anything_while_the_network_is_switched_off(tmp_path: Path, notes: Path) -> None:
    settings = tmp_path / "home" / "config" / "settings.json"
    settings.parent.mkdir(parents=True)
    settings.write_text(json.dumps({"network.offline": True}))
    finished = run_window(tmp_path / "home", _EVERY_PAGE, timeout=150)
    assert finished.returncode == 0, finished.stderr
    assert "seen" in finished.stdout
    assert notes.read_text() == ""
