"""Looks at the machine, runs the doctor, follows the samples."""

from desktop.actions.survey import survey
from desktop.doctor.run import run_checks
from desktop.engine.protocol import LoadedModel
from desktop.engine.state import EnginePhase, EngineState
from desktop.errors import AppError
from desktop.hardware.types import HardwareSample
from desktop.services import Services, Survey
from desktop.ui.bridge import explain
from desktop.ui.looking import tell_look_failure
from desktop.ui.pages.hardware.planner_controller import PlannerController
from desktop.ui.pages.hardware.speed_controller import SpeedController
from desktop.ui.pages.hardware.split_controller import SplitController
from desktop.ui.pages.hardware.view import HardwareView
from desktop.ui.shell import Shell


class HardwareController:
    """Fills the view when it is shown, and again when the person asks."""

    def __init__(self, *, view: HardwareView, services: Services, shell: Shell) -> None:
        self._view = view
        self._services = services
        self._shell = shell
        self._looked = False
        self._split = SplitController(view=view.split, services=services, shell=shell)
        self._planner = PlannerController(view=view.planner, services=services, shell=shell)
        self._speeds = SpeedController(view=view.speeds, services=services, shell=shell, on_measured=self._on_measured)
        self._found: Survey | None = None
        self._loaded: LoadedModel | None = None
        view.again.clicked.connect(lambda: self._look(again=True))
        shell.sampled.connect(self._on_sampled)
        self._unsubscribe = services.engine.subscribe(self._on_engine_state)

    def activate(self) -> None:
        """Look once; the split follows the engine."""
        if not self._looked:
            self._look(again=False)
        elif not self._follow_engine():
            self._split.refresh()

    async def close(self) -> None:
        """Stop listening."""
        self._unsubscribe()

    def _on_engine_state(self, _state: EngineState) -> None:
        self._follow_engine()

    def _follow_engine(self) -> bool:
        """Show what is loaded now; says whether that is another than before."""
        engine = self._services.engine
        loaded = engine.loaded
        on_its_way = loaded is None and engine.state.phase in (EnginePhase.STARTING, EnginePhase.LOADING)
        if loaded is self._loaded or on_its_way or not self._view.isVisible():
            return False
        self._loaded = loaded
        self._split.follow_engine()
        return True

    def _look(self, *, again: bool) -> None:
        self._looked = True
        self._view.set_waiting()
        self._shell.tasks.start(self._fill(again=again), name="hardware page")

    async def _fill(self, *, again: bool) -> None:
        try:
            found = await survey(self._services, again=again)
            self._found = found
            self._view.set_profile(found.profile)
            await self._speeds.show(found)
            self._loaded = self._services.engine.loaded
            self._split.show(found)
            self._planner.show(found)
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

    def _on_measured(self) -> None:
        """What was shown with estimated speeds is shown with measured ones. The models page prices when it is shown."""
        self._split.price_again()
        if self._found is not None:
            self._planner.show(self._found)

    def _on_sampled(self, sample: HardwareSample) -> None:
        if self._view.isVisible():
            loaded = self._services.engine.loaded
            self._view.set_sample(sample, loaded.memory if loaded is not None else ())
