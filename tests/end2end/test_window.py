"""The real window, the real engine, the real starter model: what a person sees from the first start on."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from desktop.library.starter import starter_model
from tests.end2end.catalog_on_loopback import serve_everything
from tests.support.hub_server import HubServer

QUESTION = "What is the capital of France?"
ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.timeout(300)


def act(scenario: str, home: Path, **environment: str) -> dict[str, Any]:
    """Let a person act out `scenario` in a fresh process; returns what was seen."""
    finished = subprocess.run(
        [sys.executable, "-m", "tests.end2end.person", scenario],
        cwd=ROOT,
        env={**os.environ, "SNUG_HOME": str(home), "QT_QPA_PLATFORM": "offscreen", **environment},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert finished.stdout, finished.stderr[-4000:]
    seen: dict[str, Any] = json.loads(finished.stdout.splitlines()[-1])
    assert "error" not in seen, f"{seen['error']}\n{finished.stderr[-4000:]}"
    assert finished.returncode == 0, finished.stderr[-4000:]
    return seen


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What the starter model answers with the sliders as the person sets them, asked by the command line."""
    finished = subprocess.run(
        [sys.executable, "-m", "desktop", "chat", "--temperature", "0", "--max-length", "24", "--json", QUESTION],
        cwd=ROOT,
        env={**os.environ, "SNUG_HOME": str(tmp_path_factory.mktemp("cli"))},
        capture_output=True,
        timeout=120,
        check=True,
    )
    text: str = json.loads(finished.stdout)["text"]
    assert len(text) > 20
    return text


def test_a_newcomer_chats_at_once_and_finds_the_conversation_again_after_a_restart(
    tmp_path: Path, expected: str
) -> None:
    seen = act("first_chat", tmp_path)
    assert seen["first page"] == "welcome"
    assert words(seen["reply"]) == words(expected)
    assert "tok/s" in seen["figures"]
    assert seen["status"].startswith("Ready")
    again = act("come_back", tmp_path)
    assert again["first page"] == "chat"
    assert again["reply"] == seen["reply"]


@pytest.mark.skipif(sys.platform == "win32", reason="uses SIGKILL")
def test_a_killed_engine_leaves_the_window_alive_and_the_words_that_were_said(tmp_path: Path) -> None:
    seen = act("killed_engine", tmp_path)
    assert seen["window alive"]
    assert len(seen["kept"]) > 40
    assert "Interrupted" in seen["mark"]
    assert len(seen["next reply"]) > 20


def test_download_and_chat_fetches_the_recommended_model_and_answers_with_it(tmp_path: Path, expected: str) -> None:
    with serve_everything() as hub:
        seen = act("download_and_chat", tmp_path, HF_ENDPOINT=hub.endpoint)
    assert words(seen["reply"]) == words(expected)
    size = Path(starter_model().path).stat().st_size
    assert size <= hub.settled().bytes_sent < 1.1 * size, "fetched once"
    again = act("look_at_the_model", tmp_path, HF_ENDPOINT="http://127.0.0.1:9")
    assert again["model"] == seen["model"]
    models = tmp_path / "data" / "models"
    assert len(list(models.rglob("*.gguf"))) == 1
    assert not list(models.rglob("*.part"))


def test_a_model_is_found_on_the_hub_fits_before_the_download_and_answers(tmp_path: Path, expected: str) -> None:
    copy = tmp_path / "copy.gguf"
    shutil.copy(starter_model().path, copy)
    with copy.open("ab") as file:
        file.write(bytes(32))  # of another content than the starter's, which would be known as it is on this disk
    with HubServer() as hub:
        hub.add("somebody/SmolLM2-copy-GGUF", "SmolLM2-copy-Q4_1.gguf", copy)
        seen = act("search_the_hub", tmp_path, HF_ENDPOINT=hub.endpoint)
    assert seen["offered"] == "Download SmolLM2-copy Q4_1"
    assert words(seen["reply"]) == words(expected)
    assert seen["asked offline"]
    searches = [request for request in hub.requests if request.path.startswith("/api/models?")]
    assert len(searches) == 1, "with the network switched off nothing is asked"


def words(text: str) -> list[str]:
    """What is said, whatever the page does with spaces."""
    return text.split()
