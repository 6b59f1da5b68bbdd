"""Getting a model: from its name to a verified file in the library."""

import asyncio
import time
from collections.abc import Callable, Iterable

import msgspec

from desktop.actions.models import resolve_model
from desktop.download.record import Download
from desktop.library.types import InstalledModel, WantedModel
from desktop.services import Services

OnChange = Callable[[Download], None]


class Pulled(msgspec.Struct, frozen=True, kw_only=True):
    """What came. seconds: that it took. resumed_from: bytes of it that were on this disk before."""

    model: InstalledModel
    seconds: float
    resumed_from: int


async def pull_model(services: Services, reference: str, *, on_change: OnChange) -> Pulled:
    """Fetch what `reference` names, or go on with it, and wait until it is verified and in the library.

    What is on this disk already is left alone, unless its file is not right: then it is fetched again; or unless its
    download was killed in the last moment: then that is brought to its end. Cancelling keeps what came; the window
    shows it as paused, and goes on by itself only with what it was at itself.
    `on_change` is called with the download each time it changes.

    Raises what resolve_model, Hub.files and download.transfer.download raise; HubFileChanged, FileUnreadable, and
    DownloadStopped.
    """
    found = await asyncio.to_thread(resolve_model, services, reference, renew=True)
    queue, began = await asyncio.to_thread(lambda: services.downloads), time.monotonic()
    await queue.read()
    if isinstance(found, InstalledModel):
        left = await asyncio.to_thread(queue.left_of, found)
        if left is None:
            return Pulled(model=found, seconds=0.0, resumed_from=found.size)
        wanted = left.wanted
    else:
        wanted = await asyncio.to_thread(_under_own_id, services, found, queue.downloads())
    end = queue.subscribe(lambda each: on_change(each) if each.id == wanted.id else None)
    try:
        installed = await queue.wait(queue.start(wanted, goes_on=False).id)
    finally:
        end()
    done = next(each for each in queue.downloads() if each.id == wanted.id)
    return Pulled(model=installed, seconds=time.monotonic() - began, resumed_from=done.progress.resumed_from)


def _under_own_id(services: Services, wanted: WantedModel, downloads: Iterable[Download]) -> WantedModel:
    """Blocking."""
    from desktop.library.references import origin_of, under_own_id

    left = [each.wanted for each in downloads if not each.progress.is_finished]
    installed = [(model, origin_of(model)) for model in services.library.installed()]
    return under_own_id(wanted, [*left, *(origin for model, origin in installed if origin and origin.id == model.id)])
