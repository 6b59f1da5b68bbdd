"""Getting a model: from its name to a verified file in the library."""

import asyncio
import time
from collections.abc import Callable

import msgspec

from desktop.actions.models import resolve_model
from desktop.download.record import Download
from desktop.library.types import InstalledModel
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
        wanted = found
    end = queue.subscribe(lambda each: on_change(each) if each.id == wanted.id else None)
    try:
        installed = await queue.wait(queue.start(wanted, goes_on=False).id)
    finally:
        end()
    done = next(each for each in queue.downloads() if each.id == wanted.id)
    return Pulled(model=installed, seconds=time.monotonic() - began, resumed_from=done.progress.resumed_from)
