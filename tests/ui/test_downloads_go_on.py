"""The window goes on with the downloads that it was at when it was closed or killed."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from desktop.library.library import Library
from desktop.library.types import WantedModel
from tests.support.hub_server import HubServer
from tests.support.hubs import FILE, REPO
from tests.support.queues import WANTED, leave
from tests.support.transfers import make_source
from tests.support.window_process import closed_after, run_window, start_window

OPEN = "def begin(): pass"
CLOSED_ONCE_THERE = """
from pathlib import Path

def look():
    if Path(r"{path}").exists() and window() is not None:
        timer.stop()
        window().close()

def begin():
    global timer
    timer = every(100, look)
"""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return make_source(tmp_path)


@pytest.fixture
def server(source: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    with HubServer() as hub:
        hub.add(REPO, FILE, source)
        monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        yield hub


@pytest.fixture
def left(snug_home: Path) -> Path:
    """Where the model comes to that was under way when the window ended; another one was only `snug pull`'s."""
    library = Library.open(snug_home / "data" / "library.sqlite3", snug_home / "data" / "models")
    leave(library, WANTED)
    leave(library, WantedModel(model_id="other", name="Other", quantization="Q8_0", repo="other/pulled"), goes_on=False)
    destination = library.destination(repo=REPO, file=FILE)
    library.close()
    return destination


def wait_for(process: "subprocess.Popen[str]", condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


@pytest.mark.timeout(300)
@pytest.mark.skipif(sys.platform == "win32", reason="there is no kill -9 on this system")
def test_a_killed_window_goes_on_where_it_was(server: HubServer, source: Path, snug_home: Path, left: Path) -> None:
    server.held_from = 1_000_000
    part = left.with_name(left.name + ".part")
    with start_window(snug_home, OPEN) as window:
        wait_for(window, lambda: part.exists() and part.stat().st_size > 500_000)
        window.send_signal(signal.SIGKILL)
    server.held_from = None
    finished = run_window(snug_home, CLOSED_ONCE_THERE.replace("{path}", str(left)), timeout=150)
    assert finished.returncode == 0, finished.stderr
    assert left.read_bytes() == source.read_bytes()
    assert server.of("cdn")[-1].range is not None, "it was not begun anew"
    assert not any("other/pulled" in request.path for request in server.requests)


@pytest.mark.timeout(180)
def test_nothing_goes_on_while_the_network_is_switched_off(server: HubServer, snug_home: Path, left: Path) -> None:
    settings = snug_home / "config" / "settings.json"
    settings.parent.mkdir(parents=True)
    settings.write_text(json.dumps({"network.offline": True}))
    finished = run_window(snug_home, closed_after(6000), timeout=150)
    assert finished.returncode == 0, finished.stderr
    assert server.requests == []
