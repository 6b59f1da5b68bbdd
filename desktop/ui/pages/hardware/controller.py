"""Looks at the machine, runs the doctor, follows the samples."""

from desktop.doctor.run import run_checks
from desktop.hardware.types import HardwareSample
from desktop.services import Services, survey
from desktop.ui.pages.hardware.view import HardwareView
from desktop.ui.shell import Shell


class HardwareController:
    """Fills the view when it is shown, and again when the person asks."""

    def __init__(self, *, view: HardwareView, services: Services, shell: Shell) -> None:
        self._view = view
        self._services = services
        self._shell = shell
        self._looked = False
        view.again.clicked.connect(lambda: self._look(again=True))
        shell.sampled.connect(self._on_sampled)

    def activate(self) -> None:
        """Look once; the split may have changed since."""
        self._view.set_split(self._services.engine.loaded)
        if not self._looked:
            self._looked = True
            self._look(again=False)

    async def close(self) -> None:
        """Nothing is kept."""

    def _look(self, *, again: bool) -> None:
        self._view.again.setEnabled(False)
        self._view.set_waiting()
        self._shell.tasks.start(self._fill(again=again), name="hardware page")

    async def _fill(self, *, again: bool) -> None:
        try:
            found = await survey(self._services, again=again)
            self._view.set_profile(found.profile)
            checks = await run_checks(
                profile=found.profile,
                engine=found.engine,
                engine_failure=found.failure,
                models_folder=self._services.models_folder,
            )
            self._view.set_checks(checks)
        finally:
            self._view.again.setEnabled(True)

    def _on_sampled(self, sample: HardwareSample) -> None:
        if self._view.isVisible():
            self._view.set_sample(sample)
