"""The window's life after its first paint: the event loop, the services, what is watched, and a clean end."""

import asyncio
import contextlib
import logging
import os
import signal
from typing import TYPE_CHECKING, Any

import msgspec
import qasync
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication

from desktop.errors import AppError
from desktop.log import configure_logging
from desktop.paths import Paths
from desktop.setting import Setting
from desktop.settings import OFFLINE, WINDOW_STATE
from desktop.settings_store import SettingsStore
from desktop.ui.bridge import render
from desktop.ui.crash import install_crash_hook
from desktop.ui.generators import generators_finished_by
from desktop.ui.main_window import MainWindow
from desktop.ui.shell import NoticeWish, Shell
from desktop.ui.single_instance import RaiseListener
from desktop.ui.tasks import Tasks

if TYPE_CHECKING:
    from desktop.services import Services

log = logging.getLogger(__name__)

_ENDING = (signal.SIGINT, signal.SIGTERM)
LAST_WORK = 15.0
"""Seconds that the engine and the pages may take to end."""


class WindowSession:
    """Runs one window from its first paint to the last byte saved."""

    def __init__(
        self, *, application: QApplication, window: MainWindow, shell: Shell, paths: Paths, settings: SettingsStore
    ) -> None:
        self._application = application
        self._window = window
        self._shell = shell
        self._paths = paths
        self._settings = settings
        self._losses_told = 0

    def run(self) -> int:
        """Live until the window is closed; returns the exit code."""
        configure_logging(self._paths)
        undo = install_crash_hook(self._shell.report)
        handlers = {number: signal.signal(number, self._on_signal) for number in _ENDING}
        loop = qasync.QEventLoop(self._application)
        loop.set_exception_handler(self._on_loop_error)
        try:
            with loop, generators_finished_by(loop):
                loop.run_until_complete(self._live())
        finally:
            undo()
            for number, handler in handlers.items():
                signal.signal(number, handler)
        return 0

    def _on_signal(self, _number: int, _frame: object) -> None:
        """Ctrl-C in the terminal, or the system going down: end as if the window had been closed.

        Runs at the next line of Python, which the samples bring within a second.
        """
        QTimer.singleShot(0, self._window.close)

    async def _live(self) -> None:
        closed = asyncio.Event()
        self._window.closed.connect(closed.set)
        if not self._window.isVisible():  # closed before this loop could hear of it
            closed.set()
        listener = RaiseListener(self._paths.instance_lock)
        listener.raise_requested.connect(self._window.raise_to_front)
        services = self._create_services()
        for notice in self._settings.notices:
            self._shell.notify(NoticeWish(text=render(notice), kind="warn"))
        watching = self._watch(services)
        self._shell.tasks.start(self._follow_network(services), name="sign of the network")
        self._window.attach(services)
        try:
            await closed.wait()
        finally:
            listener.close()
            self._remember()
            watching.cancel()
            await self._end(services)

    def _create_services(self) -> "Services":
        from desktop.services import create_services
        from desktop.ui.fetch import Fetch
        from desktop.ui.model_loader import ModelLoader

        services = create_services(self._paths, self._settings)
        self._shell.tasks = Tasks(self._shell.report)
        self._shell.loader = ModelLoader(services=services, shell=self._shell)
        self._shell.fetch = Fetch(services, self._shell)
        return services

    def _watch(self, services: "Services") -> "asyncio.Task[None]":
        return self._shell.tasks.start(self._sample(services), name="live samples")

    async def _follow_network(self, services: "Services") -> None:
        """The window says at its foot that no connection is opened, as long as that is so."""
        await asyncio.to_thread(lambda: services.hub)  # the first use imports it, which the window does not wait for

        def tell(setting: Setting[Any] = OFFLINE, _value: object = None) -> None:
            if setting is OFFLINE:
                self._shell.offline_changed.emit(services.hub.offline)

        self._settings.subscribe(tell)
        tell()

    async def _sample(self, services: "Services") -> None:
        """Hand on what the sampler's child sees, once a second, and learn from it after a load."""
        from desktop.actions.learn import OverheadLearner
        from desktop.actions.runs import RunLearner
        from desktop.hardware.sampler import HardwareSampler

        learner = OverheadLearner(services)
        sampling = HardwareSampler(interval=1.0, own_pids=lambda: own_pids(services))
        async with sampling as sampler, RunLearner(services):
            async for sample in sampler:
                self._shell.sampled.emit(sample)
                self._tell_losses(services)
                await learner.see(sample)

    def _tell_losses(self, services: "Services") -> None:
        """Damage is found where something is first read, which may be long after the start."""
        for loss in services.losses[self._losses_told :]:
            self._shell.notify(NoticeWish(text=render(loss), kind="warn"))
        self._losses_told = len(services.losses)

    def _remember(self) -> None:
        state = self._settings.get(WINDOW_STATE)
        state = msgspec.structs.replace(
            state, geometry=self._window.geometry_text(), last_page=self._window.current_page
        )
        try:
            self._settings.set(WINDOW_STATE, state)
        except AppError as error:  # a full disk must not keep the engine from being ended
            log.warning("the window's place was not saved: %s", error)

    async def _end(self, services: "Services") -> None:
        self._window.hide()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LAST_WORK):
                await self._window.close_pages()
                await self._shell.close()
                await services.close()
                return
        log.error("the last work did not end within %s s", LAST_WORK)

    def _on_loop_error(self, _loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
        error = context.get("exception")
        if isinstance(error, Exception):
            self._shell.report(error)
        else:
            log.error("the event loop reports: %s", context.get("message"))


def own_pids(services: "Services") -> tuple[int, ...]:
    """This process and its engine, so that the gauge can tell ours from other programs."""
    engine = services.engine.pid
    return (os.getpid(),) if engine is None else (os.getpid(), engine)
