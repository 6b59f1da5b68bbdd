"""Looks at the machine, runs the doctor, follows the samples."""

from desktop.actions.survey import survey
from desktop.doctor.run import run_checks
from desktop.errors import AppError
from desktop.hardware.types import HardwareSample
from desktop.services import Services
from desktop.ui.bridge import explain
from desktop.ui.looking import tell_look_failure
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
        self._unsubscribe = services.engine.subscribe(lambda _state: self._show_split())

    def activate(self) -> None:
        """Look once; the split follows the engine."""
        self._show_split()
        if not self._looked:
            self._look(again=False)

    async def close(self) -> None:
        """Stop listening."""
        self._unsubscribe()

    def _show_split(self) -> None:
        self._view.set_split(self._services.engine.loaded)

    def _look(self, *, again: bool) -> None:
        self._looked = True
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
        except AppError as error:
            self._looked = False
            self._view.set_failed(*explain(error))
            tell_look_failure(self._shell, error, lambda: self._look(again=True))
        finally:
            self._view.set_done()

    def _on_sampled(self, sample: HardwareSample) -> None:
        if self._view.isVisible():
            self._view.set_sample(sample)
