"""One page with its controller, real services and a fake engine, under the window's own event loop."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any, cast

import qasync
from PySide6.QtWidgets import QApplication, QWidget

from desktop.engine.client import EngineClient
from desktop.engine.protocol import EngineDevice, EngineInfo
from desktop.errors import AppError
from desktop.hardware.types import HardwareProfile
from desktop.paths import user_paths
from desktop.services import Services, Survey
from desktop.settings_store import SettingsStore
from desktop.ui.fetch import Fetch
from desktop.ui.generators import generators_finished_by
from desktop.ui.page_list import PAGES
from desktop.ui.shell import Controller, NoticeWish, Shell
from desktop.ui.tasks import Tasks
from tests.support.fake_window_engine import FakeWindowEngine


class SurveyedEngine(FakeWindowEngine):
    """Starts at once, or fails to with `failure`; no model is loaded."""

    def __init__(self) -> None:
        super().__init__()
        self.loaded = None
        self.failure: AppError | None = None
        self.starts = 0
        self.said = EngineInfo(
            version="test", system_info="", devices=(), supports_gpu_offload=False, supports_rpc=False
        )

    async def start(self) -> EngineInfo:
        """Answer what the engine would."""
        self.starts += 1
        if self.failure is not None:
            raise self.failure
        return self.said

    async def devices(self) -> tuple[EngineDevice, ...]:
        """Those of `said`, as free as they were."""
        return self.said.devices


class AlwaysRunningLoop(qasync.QEventLoop):
    """The window's loop in pieces: between two pieces it still counts as running, as it does in the window.

    qasync itself, and pytest-qt between fixtures and test, process Qt events with no loop set; a task that takes its
    next step there would find no running loop.
    """

    def run_until_complete(self, future: Any) -> Any:
        """Run until `future` is done, and not one event longer."""
        task = asyncio.ensure_future(future, loop=self)
        task.add_done_callback(lambda _task: self.stop())
        try:
            self.run_forever()
        finally:
            asyncio.events._set_running_loop(self)
        return task.result()

    def close(self) -> None:
        """Run no longer."""
        asyncio.events._set_running_loop(None)
        super().close()


class PagePerson:
    """Uses one page as a person would. `catalog` and the rest of `services` are the real ones unless replaced."""

    def __init__(self, application: QApplication, page: str, *, profile: HardwareProfile | None = None) -> None:
        self.loop = AlwaysRunningLoop(application, already_running=False)
        asyncio.set_event_loop(self.loop)
        self._life = contextlib.ExitStack()
        self._life.enter_context(generators_finished_by(self.loop))
        self.engine = SurveyedEngine()
        paths = user_paths()
        self.settings = SettingsStore.open(paths.settings_file)
        self.services = Services(paths=paths, settings=self.settings, engine=cast("EngineClient", self.engine))
        if profile is not None:
            self.services.surveys.latest = Survey(profile=profile, engine=None)
        self.shell = Shell()
        self.shell.tasks = Tasks(self.shell.report, loop=self.loop)
        self.shell.fetch = Fetch(self.services, self.shell)
        self.notices: list[NoticeWish] = []
        self.unwanted: list[str] = []
        self.pages: list[str] = []
        self.models: list[str] = []
        self.shell.notice_wanted.connect(self.notices.append)
        self.shell.notice_unwanted.connect(self.unwanted.append)
        self.shell.page_wanted.connect(self.pages.append)
        self.shell.model_wanted.connect(self.models.append)
        self._entry = next(entry for entry in PAGES if entry.name == page)
        self.view: Any = self._entry.make_view()
        self.view.resize(844, 572)
        self.controller: Controller | None = None

    def open(self) -> None:
        """Show the page, as the window does when services are there."""

        async def attach() -> None:
            if self.controller is None:
                self.controller = self._entry.make_controller(self.view, self.services, self.shell)
            self.view.show()
            self.controller.activate()

        self.do(attach())

    def do(self, work: Any) -> Any:
        """Let the event loop run `work` to its end."""
        return self.loop.run_until_complete(asyncio.wait_for(work, 60))

    def until(self, what: str, condition: Callable[[], Any], timeout: float = 60.0) -> None:
        """Let the page live until `condition` holds."""

        async def wait() -> None:
            try:
                async with asyncio.timeout(timeout):
                    while not condition():
                        await asyncio.sleep(0.01)
            except TimeoutError:
                raise AssertionError(f"waited in vain for {what}") from None

        self.loop.run_until_complete(wait())

    def live(self, seconds: float) -> None:
        """Let the page live."""
        self.loop.run_until_complete(asyncio.sleep(seconds))

    def keep_settings_from_being_saved(self) -> None:
        """What a disk that may not be written does: the lock beside the file cannot be opened."""
        file = self.services.paths.settings_file
        lock = file.with_name(f".{file.name}.lock")
        lock.unlink(missing_ok=True)
        lock.mkdir(parents=True)

    def close(self) -> None:
        """End what the page began."""
        cast("QWidget", self.view).close()
        self.do(self._close())
        self.view.deleteLater()
        self.shell.deleteLater()
        self._life.close()
        self.loop.close()
        asyncio.set_event_loop(None)

    async def _close(self) -> None:
        if self.controller is not None:
            await self.controller.close()
        await self.shell.tasks.close()
        await self.services.close()
