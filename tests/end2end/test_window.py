"""The real window, the real engine, the real starter model: what a person sees from the first start on."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

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


def test_a_newcomer_chats_at_once_and_finds_the_conversation_again_after_a_restart(tmp_path: Path) -> None:
    seen = act("first_chat", tmp_path)
    assert seen["first page"] == "welcome"
    assert "Paris" in seen["reply"]
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
    assert "Paris" in seen["next reply"]


def test_download_and_chat_fetches_the_recommended_model_and_answers_with_it(tmp_path: Path) -> None:
    seen = act("download_and_chat", tmp_path)
    assert "Paris" in seen["reply"]
    assert list((tmp_path / "data" / "models").rglob("*.gguf"))
    assert not list((tmp_path / "data" / "models").rglob("*.part"))
