"""The last plan of each model that led to a complete reply: what to go back to when another only crashes."""

import asyncio
import logging
from pathlib import Path

import msgspec

from desktop.engine.protocol import LoadPlan
from desktop.errors import AppError
from desktop.files import locked, move_aside, read_bounded, write_atomically

MOST_MODELS = 64
"""Models that are remembered; the one whose plan was noted first is forgotten first."""
_WORDS = ("reasons", "model_name", "predicted", "placement", "exact")
"""Fields that say nothing of how the engine works."""

log = logging.getLogger(__name__)


class KnownGood:
    """Remembers plans in a small JSON file: model file to LoadPlan. Use it from one event loop."""

    def __init__(self, path: Path) -> None:
        """Nothing is read yet."""
        self._path = path
        self._plans: dict[str, LoadPlan] | None = None
        self._saves: set[asyncio.Future[None]] = set()

    def remember(self, plan: LoadPlan) -> None:
        """A reply was completed with `plan`; it is on the disk after `saved`."""
        plans = self._known()
        if plans.get(plan.model_path) == plan:
            return
        plans[plan.model_path] = plan
        save = asyncio.get_running_loop().run_in_executor(None, self._save, plan)
        self._saves.add(save)
        save.add_done_callback(self._saves.discard)

    def offer(self, plan: LoadPlan) -> LoadPlan | None:
        """The plan for the same model file that was good, where it is another than `plan`."""
        good = self._known().get(plan.model_path)
        return good if good is not None and _essence(good) != _essence(plan) else None

    async def saved(self) -> None:
        """Wait until everything that was remembered is on the disk, or was told in the log."""
        while self._saves:
            await asyncio.wait(self._saves)

    def _known(self) -> dict[str, LoadPlan]:
        if self._plans is None:
            self._plans = self._read()
        return self._plans

    def _save(self, plan: LoadPlan) -> None:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with locked(self._path):
                plans = self._read()  # another process may have added some
                plans.pop(plan.model_path, None)
                plans[plan.model_path] = plan
                kept = dict(list(plans.items())[-MOST_MODELS:])
                write_atomically(self._path, msgspec.json.format(msgspec.json.encode(kept), indent=1) + b"\n")
        except (AppError, OSError) as error:
            log.warning("the plan that works could not be remembered: %s", error)

    def _read(self) -> dict[str, LoadPlan]:
        try:
            return msgspec.json.decode(read_bounded(self._path), type=dict[str, LoadPlan])
        except FileNotFoundError:
            return {}
        except OSError as error:
            log.warning("the plans that work cannot be read: %s", error)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            log.warning("the plans that work cannot be read (%s); kept as %s", error, move_aside(self._path))
        return {}


def _essence(plan: LoadPlan) -> dict[str, object]:
    fields = msgspec.structs.asdict(plan)
    return {name: value for name, value in fields.items() if name not in _WORDS}
