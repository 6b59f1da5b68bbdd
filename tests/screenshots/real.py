"""Photographs of the real program: the real window, engine and starter model, and what they really said.

    python -m tests.screenshots.real

Each picture comes from a process of its own with user folders of its own. The two cards come from a shared library that
stands in place of NVML (tests/support/stub_nvml), everything else is this machine's.
"""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
OUT = ROOT / "docs" / "screenshots"
QUESTION = "Explain in two sentences what a language model is."
TWO_CARDS = "RTX 4070:12:6.8:6.1,RTX 3060:8:2.9:2.2"


def main() -> int:
    """Take every picture; returns 1 when one could not be taken."""
    from tests.support.stub_nvml import build_stub_nvml

    OUT.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        cards = {"SNUG_NVML_LIBRARY": str(build_stub_nvml(Path(folder))), "STUB_NVML_CARDS": TWO_CARDS}
        codes = [
            photograph("chat", "real-chat-light-en", language="en", theme="light"),
            photograph("chat", "real-chat-light-zh", language="zh_CN", theme="light"),
            photograph("chat", "real-two-cards-dark-en", language="en", theme="dark", **cards),
            photograph("hardware", "real-two-cards-hardware-dark-en", language="en", theme="dark", **cards),
        ]
    return int(any(codes))


def photograph(page: str, name: str, *, language: str, theme: str, **environment: str) -> int:
    """Run the program once and save what its window shows."""
    with tempfile.TemporaryDirectory() as home:
        settings = Path(home) / "config" / "settings.json"
        settings.parent.mkdir(parents=True)
        chosen = {"general.language": language, "general.theme": theme, "general.welcome_done": True}
        settings.write_text(json.dumps(chosen), encoding="utf-8")
        shown = {**os.environ, **environment, "SNUG_HOME": home, "QT_QPA_PLATFORM": "offscreen"}
        command = [sys.executable, "-m", "tests.screenshots.real", page, str(OUT / f"{name}.png")]
        return subprocess.run(command, cwd=ROOT, env=shown, check=False).returncode


def run(page: str, picture: str) -> int:
    """In the process of one picture: open the window, ask, wait for the reply, save the picture."""
    from tests.end2end.person import Person, open_window_with

    async def act(person: Person) -> None:
        await person.until("the model", lambda: person.window.status.figures() or _is_ready(person))
        await person.say(QUESTION)
        await person.reply(1)
        person.window.show_page(page)
        await asyncio.sleep(12)  # a good part of the gauge's minute
        person.window.grab().save(picture)

    seen: dict[str, Any] = open_window_with(act)
    if "error" in seen:
        print(seen["error"], file=sys.stderr)
    return int("error" in seen)


def _is_ready(person: Any) -> bool:
    from PySide6.QtCore import QCoreApplication

    words: str = person.status()
    return words == QCoreApplication.translate("EngineWords", "Ready")


if __name__ == "__main__":
    sys.exit(run(sys.argv[1], sys.argv[2]) if len(sys.argv) == 3 else main())
