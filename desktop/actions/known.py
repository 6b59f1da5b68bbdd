"""What is known of a model that is not on this disk: from what was kept, or from its header on the Hub."""

import asyncio
import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from desktop.catalog.file_names import COMMIT
from desktop.catalog.hub_errors import HubBusy, HubUnreachable, OfflineSwitchOn
from desktop.errors import QT_TRANSLATE_NOOP, Phrase
from desktop.services import Services

if TYPE_CHECKING:
    from desktop.catalog.remote_header import RemoteHeaders
    from desktop.catalog.stubs import KnownModel
    from desktop.library.types import WantedModel

NOT_LOOKED_UP = QT_TRANSLATE_NOOP(
    "core", "The Hub could not be asked whether the file has changed; this is for the file as it was on {date}."
)
_log = logging.getLogger(__name__)


class Known(NamedTuple):
    """A model, and what a person should know of where that is from."""

    model: "KnownModel"
    remarks: tuple[Phrase, ...] = ()


async def known_model(services: Services, wanted: "WantedModel", headers: "RemoteHeaders") -> Known:
    """Return what is known of `wanted`; at most its header is fetched, and nothing when it was asked for before.

    Where the Hub cannot be asked, what was kept last of the file is taken, and a remark says so.
    Raises what Hub.model and RemoteHeaders.read_model raise.
    """
    commit, file = wanted.revision, wanted.file
    if not COMMIT.fullmatch(commit) or not file:
        try:
            found = await services.hub.model(
                repo=wanted.repo, file=file, quantization=wanted.quantization, revision=commit
            )
        except (OfflineSwitchOn, HubUnreachable, HubBusy) as error:
            kept = await kept_model(services, wanted)
            if kept is None:
                raise
            _log.warning("the Hub could not be asked about %s: %s", wanted.id, error)
            date = datetime.fromtimestamp(kept.learned, UTC).strftime("%Y-%m-%d")
            return Known(kept, (Phrase.of(NOT_LOOKED_UP, date=date),))
        commit, file = found.commit, found.file
    kept = await asyncio.to_thread(services.stubs.find, repo=wanted.repo, file=file, commit=commit)
    if kept is not None:
        return Known(kept)
    fetched = await headers.read_model(repo=wanted.repo, commit=commit, file=file)
    _log.info("fetched %d bytes for the header of %s/%s", fetched.fetched, wanted.repo, file)
    return Known(await asyncio.to_thread(services.stubs.keep, fetched))


async def kept_model(services: Services, wanted: "WantedModel") -> "KnownModel | None":
    """Return what was kept of `wanted`, without a look at the network; without a commit, what was learned last."""
    commit = wanted.revision if COMMIT.fullmatch(wanted.revision) else ""
    quantization = "" if wanted.file else wanted.quantization
    return await asyncio.to_thread(
        services.stubs.find, repo=wanted.repo, file=wanted.file, quantization=quantization, commit=commit
    )
