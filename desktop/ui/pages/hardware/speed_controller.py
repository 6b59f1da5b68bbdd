"""Measures this machine when the person asks, never beside a reply or a load: those would make the figures wrong."""

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from desktop.actions.bench import measure_machine
from desktop.actions.survey import learned_speeds
from desktop.engine.protocol import DeviceKind
from desktop.engine.state import EnginePhase
from desktop.errors import AppError
from desktop.services import Services, Survey
from desktop.ui.bridge import explain, sentences
from desktop.ui.pages.hardware.speeds import Occupation, SpeedCard, SpeedRow
from desktop.ui.shell import Shell

if TYPE_CHECKING:
    from desktop.fit.speeds.measured import Probes

LOOK = 0.2
"""Seconds between two looks at whether the engine has work."""
log = logging.getLogger(__name__)


class SpeedController:
    """One measurement at a time. It goes on while another page is shown, and ends with the window."""

    def __init__(self, *, view: SpeedCard, services: Services, shell: Shell, on_measured: Callable[[], None]) -> None:
        self._view = view
        self._services = services
        self._shell = shell
        self._on_measured = on_measured
        self._found: Survey | None = None
        self._measuring: asyncio.Task[None] | None = None
        view.measure_requested.connect(self._on_measure_requested)
        view.stop_requested.connect(self._on_stop_requested)

    async def show(self, found: Survey) -> None:
        """The machine was looked at: show what is known of its speed."""
        self._found = found
        self._view.setVisible(found.engine is not None)
        if found.engine is not None:
            self._show_probes(await asyncio.to_thread(learned_speeds, self._services, found))

    def _show_probes(self, probes: "Probes | None") -> None:
        if self._found is None or self._found.engine is None:
            return
        known = probes.devices if probes is not None else {}
        rows = [
            SpeedRow(device.description, known[device.name].speeds if device.name in known else None)
            for device in self._found.engine.devices
            if device.kind != DeviceKind.ACCELERATOR
        ]
        self._view.set_rows(rows)

    def _on_measure_requested(self) -> None:
        if self._measuring is None or self._measuring.done():
            self._measuring = self._shell.tasks.start(self._measure(), name="measure this machine")

    def _on_stop_requested(self) -> None:
        if self._measuring is not None:
            self._measuring.cancel()

    async def _measure(self) -> None:
        self._view.set_problem("")
        try:
            probes = await self._measured_in_peace()
        except AppError as error:
            log.error("this machine could not be measured: %s", error, exc_info=error)
            self._view.set_problem(sentences(explain(error)))
            return
        finally:
            self._view.set_idle()
        self._show_probes(probes)
        self._on_measured()

    async def _measured_in_peace(self) -> "Probes | None":
        """Measure while the engine has nothing to do; from the beginning where it was given work meanwhile."""
        while True:
            while (occupation := self._occupation()) is not None:
                self._view.set_waiting(occupation)
                await asyncio.sleep(LOOK)
            self._view.set_progress(0.0)
            work = asyncio.ensure_future(measure_machine(self._services, self._view.set_progress))
            try:
                while not work.done() and self._occupation() is None:
                    await asyncio.wait([work], timeout=LOOK)
                if work.done():
                    return work.result()
            finally:
                work.cancel()  # which ends the child
                await asyncio.gather(work, return_exceptions=True)

    def _occupation(self) -> Occupation | None:
        """What the engine is doing that takes the machine's time."""
        engine = self._services.engine
        if engine.state.phase is EnginePhase.LOADING or (engine.plan is not None and engine.comes_back):
            return "loading"
        return "answering" if engine.busy else None
