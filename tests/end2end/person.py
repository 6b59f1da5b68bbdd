"""Uses the real window as a person would: keys and clicks in, what is shown out.

Run as a process of its own (`python -m tests.end2end.person SCENARIO`), so that the window lives and ends as in real
use. Prints one JSON object with what was seen.
"""

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from PySide6.QtCore import Qt, QTimer
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QApplication, QDoubleSpinBox, QWidget

from desktop.ui import app
from desktop.ui.main_window import MainWindow
from desktop.ui.pages.chat.composer import MessageEdit
from desktop.ui.pages.chat.message import ReplyMessage

W = TypeVar("W", bound=QWidget)
QUESTION = "What is the capital of France?"
PATIENCE = 90.0
"""Seconds: the machine may be slow; what is waited for is named when it does not come."""


class Person:
    """Looks at the window and acts on it."""

    def __init__(self) -> None:
        self.seen: dict[str, Any] = {}

    @property
    def window(self) -> MainWindow:
        return next(w for w in QApplication.topLevelWidgets() if isinstance(w, MainWindow))

    async def until(self, what: str, condition: Callable[[], Any], timeout: float = PATIENCE) -> Any:
        """Wait until `condition` holds and return what it gave."""
        try:
            async with asyncio.timeout(timeout):
                while not (value := condition()):
                    await asyncio.sleep(0.02)
                return value
        except TimeoutError:
            shown = f"status: {self.status()}; banners: {self.window.notices.texts()}"
            raise AssertionError(f"waited {timeout} s in vain for: {what}; {shown}") from None

    def status(self) -> str:
        return self.window.status.state()

    def model(self) -> str:
        """What the button above the conversation says; the starter's name until another model is loaded."""
        buttons = self.window.findChildren(QAbstractButton)
        names = (b.accessibleName() for b in buttons if b.isVisible() and b.accessibleName().startswith("Model: "))
        return next(names, "SmolLM2 135M")

    def find(self, kind: type[W], name: str) -> W | None:
        """A visible widget by its accessible name or its words."""
        for widget in self.window.findChildren(kind):
            words = widget.text() if isinstance(widget, QAbstractButton) else ""
            if widget.isVisible() and name in (widget.accessibleName(), words):
                return widget
        return None

    async def click(self, name: str) -> None:
        button = await self.until(f"a button {name!r}", lambda: self.find(QAbstractButton, name))
        await self.until(f"{name!r} to be enabled", button.isEnabled)
        QTest.mouseClick(button, Qt.MouseButton.LeftButton)

    async def set_number(self, name: str, value: float) -> None:
        """Type a number into the field called `name`, once the model (and with it its defaults) is there."""
        await self.until("the model", lambda: self.status().startswith("Ready"))
        field = await self.until(f"the field {name!r}", lambda: self.find(QDoubleSpinBox, name))
        field.setValue(value)

    async def answer_briefly(self) -> None:
        """Move the sliders so that the next reply is short and always the same."""
        await self.set_number("Temperature", 0)
        await self.set_number("Max length", 24)

    async def say(self, text: str) -> None:
        """Type a message and press Enter."""
        field = await self.until("the composer", lambda: next(iter(self.window.findChildren(MessageEdit)), None))
        field.setFocus()
        QTest.keyClicks(field, text)
        QTest.keyClick(field, Qt.Key.Key_Return)

    def replies(self) -> list[ReplyMessage]:
        return [reply for reply in self.window.findChildren(ReplyMessage) if reply.isVisible()]

    async def reply(self, number: int) -> ReplyMessage:
        """Wait for the figures or the mark of reply `number` (from 1)."""
        await self.until(f"reply {number}", lambda: len(self.replies()) >= number)
        reply = self.replies()[number - 1]
        await self.until(f"the end of reply {number}", lambda: reply.figures() or reply.mark())
        return reply


async def first_chat(person: Person) -> None:
    """Welcome, skip, ask, read."""
    person.seen["first page"] = person.window.current_page
    await person.click("Skip the introduction")
    await person.until("the chat page", lambda: person.window.current_page == "chat")
    await person.answer_briefly()
    await person.say(QUESTION)
    reply = await person.reply(1)
    person.seen["reply"] = reply.visible_text()
    person.seen["figures"] = reply.figures()
    person.seen["status"] = person.status()


async def come_back(person: Person) -> None:
    """After a restart the conversation is there; open it and read."""
    from PySide6.QtWidgets import QListView

    await person.until("the sidebar", lambda: person.find(QListView, "Conversations"))
    sidebar = person.find(QListView, "Conversations")
    assert sidebar is not None
    await person.until("the conversation", lambda: "capital" in titles(sidebar))
    person.seen["first page"] = person.window.current_page
    if not person.replies():
        row = next(i for i in range(sidebar.model().rowCount()) if "capital" in sidebar.model().index(i, 0).data())
        rect = sidebar.visualRect(sidebar.model().index(row, 0))
        QTest.mouseClick(sidebar.viewport(), Qt.MouseButton.LeftButton, pos=rect.center())
    person.seen["reply"] = (await person.reply(1)).visible_text()


def titles(view: Any) -> str:
    model = view.model()
    return "\n".join(str(model.index(row, 0).data()) for row in range(model.rowCount()))


async def killed_engine(person: Person) -> None:
    """Ask for a long reply, kill the engine in its middle, ask again."""
    await person.click("Skip the introduction")
    await person.say("Write a long story about the sea.")
    await person.until("some words", lambda: person.replies() and len(person.replies()[0].visible_text()) > 40)
    os.kill(engine_pid(), signal.SIGKILL)
    reply = await person.reply(1)
    person.seen["kept"] = reply.visible_text()
    person.seen["mark"] = reply.mark()
    person.seen["window alive"] = person.window.isVisible()
    await person.answer_briefly()
    await person.say(QUESTION)
    person.seen["next reply"] = (await person.reply(2)).visible_text()


async def download_and_chat(person: Person) -> None:
    """Models page, Download and chat on the answer, then a message to the new model."""
    await person.click("Skip the introduction")
    await person.click("Models")
    await person.click("Download and chat")
    await person.until("the chat page", lambda: person.window.current_page == "chat")
    await person.until("the new model", lambda: "SmolLM2 135M" not in person.model())
    await person.answer_briefly()
    await person.say(QUESTION)
    person.seen["reply"] = (await person.reply(1)).visible_text()
    person.seen["model"] = person.model()


async def search_the_hub(person: Person) -> None:
    """Search on the models page, see the verdict, take the model; then switch the network off and search again."""
    from PySide6.QtWidgets import QCheckBox, QLineEdit

    await person.click("Skip the introduction")
    await person.click("Models")
    name = "Search models; Enter searches the Hub"
    field = await person.until(
        "the search",
        lambda: next((f for f in person.window.findChildren(QLineEdit) if f.accessibleName() == name), None),
    )
    QTest.keyClicks(field, "smol")
    QTest.keyClick(field, Qt.Key.Key_Return)
    button = await person.until(
        "the verdict",
        lambda: next(
            (
                b
                for b in person.window.findChildren(QAbstractButton)
                if b.isVisible() and b.accessibleName().startswith("Download ")
            ),
            None,
        ),
    )
    person.seen["offered"] = button.accessibleName()
    button.click()
    await person.until("the chat page", lambda: person.window.current_page == "chat")
    await person.until("the new model", lambda: "SmolLM2 135M Instruct" not in person.model())
    await person.answer_briefly()
    await person.say(QUESTION)
    person.seen["reply"] = (await person.reply(1)).visible_text()
    await person.click("Settings")
    box = await person.until("the switch", lambda: person.find(QCheckBox, "No network"))
    box.click()
    await person.until("its sign at the foot", person.window.status.offline)
    await person.click("Models")
    await person.click("Search the Hugging Face Hub for “smol”")
    await person.click("Try again")
    person.seen["asked offline"] = True


async def look_at_the_model(person: Person) -> None:
    """After a restart: which model is there."""
    await person.until("the model", lambda: person.status().startswith("Ready"))
    person.seen["model"] = person.model()


def engine_pid() -> int:
    """The engine child among this process's children."""
    import psutil

    for child in psutil.Process().children():
        with contextlib.suppress(psutil.Error):  # another, which has just ended
            if "engine" in child.cmdline():
                return child.pid
    raise AssertionError("no engine child")


SCENARIOS: dict[str, Callable[[Person], Awaitable[None]]] = {
    "first_chat": first_chat,
    "come_back": come_back,
    "killed_engine": killed_engine,
    "download_and_chat": download_and_chat,
    "look_at_the_model": look_at_the_model,
    "search_the_hub": search_the_hub,
}


def open_window_with(scenario: Callable[[Person], Awaitable[None]]) -> dict[str, Any]:
    """Open the window as `snug` does, act, close it as a person does; returns what was seen, and the exit code."""
    person = Person()

    async def act() -> None:
        try:
            await scenario(person)
        except Exception as error:  # noqa: BLE001 - told to the test, whatever it is
            person.seen["error"] = f"{type(error).__name__}: {error}"
        finally:
            person.window.close()

    tasks: list[Any] = []
    make = app.make_application

    def come() -> None:
        """The person comes once the event loop runs; the first paint handles events, and timers, without it."""
        if asyncio._get_running_loop() is None:
            QTimer.singleShot(100, come)
        else:
            tasks.append(asyncio.ensure_future(act()))

    def make_and_schedule(arguments: Any) -> QApplication:
        application = make(arguments)
        QTimer.singleShot(1000, come)
        return application

    app.make_application = make_and_schedule
    person.seen["exit code"] = app.run_window([])
    return person.seen


if __name__ == "__main__":
    outcome = open_window_with(SCENARIOS[sys.argv[1]])
    print(json.dumps(outcome))
    sys.exit(outcome["exit code"])
