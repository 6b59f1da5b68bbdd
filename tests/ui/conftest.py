"""The chat page with a real store, real settings and a fake engine, used as a person would."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import pytest
import qasync
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from desktop.engine.client import EngineClient
from desktop.paths import user_paths
from desktop.services import Services
from desktop.settings_store import SettingsStore
from desktop.ui.main_window import MainWindow
from desktop.ui.model_loader import ModelLoader
from desktop.ui.page_list import PAGES
from desktop.ui.pages.chat.message import OwnMessage, ReplyMessage
from desktop.ui.pages.chat.view import ChatView
from desktop.ui.shell import NoticeWish, Shell
from desktop.ui.tasks import Tasks
from desktop.ui.theme import LIGHT, apply_colours, current_colours, prepare_style
from tests.support.fake_engine import Finish, Step
from tests.support.fake_window_engine import FakeWindowEngine

CHAT = tuple(entry for entry in PAGES if entry.name == "chat")


@pytest.fixture(scope="session")
def styled(qapp: QApplication) -> QApplication:
    """The application in the window's own style, light."""
    prepare_style(qapp)
    return qapp


@pytest.fixture(autouse=True)
def light(styled: QApplication) -> None:
    """Every test begins light."""
    if current_colours() is not LIGHT or not styled.styleSheet():
        apply_colours(styled, LIGHT)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The person's home, empty: what other programs have on this machine is not looked at."""
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("USERPROFILE", str(folder))
    for name in ("OLLAMA_MODELS", "HF_HUB_CACHE", "HF_HOME", "XDG_DATA_HOME", "APPDATA", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    return folder


class ChatPerson:
    """Uses one window that has only the chat page."""

    def __init__(self, application: QApplication, engine: FakeWindowEngine) -> None:
        self.engine = engine
        self.loop = qasync.QEventLoop(application, already_running=False)
        asyncio.set_event_loop(self.loop)
        paths = user_paths()
        settings = SettingsStore.open(paths.settings_file)
        self.services = Services(paths=paths, settings=settings, engine=cast("EngineClient", engine))
        self.shell = Shell()
        self.shell.tasks = Tasks(self.shell.report, loop=self.loop)
        self.notices: list[NoticeWish] = []
        self.shell.notice_wanted.connect(self.notices.append)
        self.window = MainWindow(pages=CHAT, shell=self.shell)
        self.shell.loader = ModelLoader(services=self.services, shell=self.shell)
        self.window.show_page("chat")
        self.window.show()
        self.do(self._attach())
        self.until("the page to be filled", self.view.header.title)

    @property
    def view(self) -> ChatView:
        return cast("ChatView", self.window.view("chat"))

    async def _attach(self) -> None:
        self.window.attach(self.services)

    def do(self, work: Any) -> Any:
        """Let the event loop run `work` to its end."""
        return self._run(asyncio.wait_for(work, 60))

    def _run(self, work: Any) -> Any:
        """Run the loop. In the real window it runs always; here it pauses between two steps of a test, and what Qt
        handles meanwhile (keys, timers) must still find it. qasync's run_until_complete handles events once more after
        it has let go of the loop, so it is not used.
        """
        task = self.loop.create_task(work)
        task.add_done_callback(lambda _task: self.loop.stop())
        self.loop.run_forever()
        asyncio.events._set_running_loop(self.loop)
        return task.result()

    def until(self, what: str, condition: Callable[[], Any], timeout: float = 60.0) -> None:
        """Let the window live until `condition` holds."""

        async def wait() -> None:
            try:
                async with asyncio.timeout(timeout):
                    while not condition():
                        await asyncio.sleep(0.01)
            except TimeoutError:
                raise AssertionError(f"waited in vain for {what}") from None

        self._run(wait())

    def live(self, seconds: float) -> None:
        """Let the window live."""
        self._run(asyncio.sleep(seconds))

    def type(self, text: str) -> None:
        QTest.keyClicks(self.view.composer.edit, text)

    def press(self, key: Qt.Key, modifiers: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
        QTest.keyClick(self.view.composer.edit, key, modifiers)

    def say(self, text: str) -> None:
        self.type(text)
        self.press(Qt.Key.Key_Return)

    def replies(self) -> list[ReplyMessage]:
        return [each for each in self.view.messages.widgets() if isinstance(each, ReplyMessage)]

    def said(self) -> list[str]:
        return [each.text() for each in self.view.messages.widgets() if isinstance(each, OwnMessage)]

    def reply(self) -> ReplyMessage:
        """The last reply, once it has ended."""
        self.until("a reply that has ended", lambda: self.replies() and not self.replies()[-1].message.streaming)
        return self.replies()[-1]

    def close(self) -> None:
        self.window.close()
        self.do(self._close())
        self.window.deleteLater()
        self.shell.deleteLater()
        asyncio.events._set_running_loop(None)
        self.loop.close()
        asyncio.set_event_loop(None)

    async def _close(self) -> None:
        await self.window.close_pages()
        await self.shell.close()
        await self.services.close()


@pytest.fixture
def chat(styled: QApplication, snug_home: Path) -> Iterator[Callable[..., ChatPerson]]:
    """Opens the window: `chat(["Hello", " you"])` answers the first message so; `chat()` again is a restart."""
    people: list[ChatPerson] = []

    def open_window(*replies: Sequence[Step | Finish]) -> ChatPerson:
        for person in people:
            person.close()
        people.clear()
        people.append(ChatPerson(styled, FakeWindowEngine(*replies)))
        return people[0]

    yield open_window
    for person in people:
        person.close()
