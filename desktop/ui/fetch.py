"""Download and chat: what happens in the window around a download, whichever page began it."""

import asyncio
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

from desktop.actions.hub import wanted_file
from desktop.actions.models import wanted_in_catalog
from desktop.catalog.hub_errors import OfflineSwitchOn
from desktop.download.types import DownloadStopped
from desktop.errors import AppError
from desktop.fit.types import Choice
from desktop.library.references import origin_of
from desktop.library.types import InstalledModel, WantedModel
from desktop.services import Services
from desktop.ui.bridge import explain
from desktop.ui.shell import NoticeWish, Shell

if TYPE_CHECKING:
    from desktop.catalog.hub_files import HubListing, HubModelFile


FIRST_WAIT, LONGEST_WAIT = 60.0, 900.0
"""Seconds until a download that a bad line ended goes on by itself: each time twice as long, up to the second."""


class Fetch(QObject):
    """Starts downloads, tells the person when one is ready, and offers to try again when one failed.

    One for all pages. What was under way when the program ended goes on as soon as the network may be used, and what a
    bad line ended goes on after a while.
    """

    def __init__(self, services: Services, shell: Shell) -> None:
        super().__init__(shell)
        self._services = services
        self._shell = shell
        self._wanted: dict[str, bool] = {}
        """The downloads waited for, by id, and whether to chat once they are there."""
        self._waits: dict[str, float] = {}
        """How long a download is left alone the next time, by id, in seconds."""
        shell.offline_changed.connect(self._on_offline_changed)

    def start(self, choice: Choice, *, then_chat: bool) -> None:
        """Fetch a model of the catalog; when it is there, chat with it at once or only offer to."""
        wanted = wanted_in_catalog(self._services, model_id=choice.model_id, quantization=choice.quantization)
        self._start(wanted, then_chat=then_chat)

    def start_file(self, listing: "HubListing", file: "HubModelFile", *, then_chat: bool) -> None:
        """Fetch a file of a repository on the Hub."""
        self._start(wanted_file(self._services, listing, file), then_chat=then_chat)

    def renew(self, model: InstalledModel) -> None:
        """Fetch a model again whose file is not right; one that did not come from the Hub is left alone."""
        wanted = origin_of(model)
        if wanted is not None:
            self._start(wanted, then_chat=False)

    def resume(self, download_id: str) -> None:
        """Go on with a download that was stopped or has failed, also one of an earlier run."""
        self._resume(download_id, then_chat=False)

    def discard(self, download_id: str) -> None:
        """Stop a download and remove what came; nothing is offered for it any more."""
        self._services.downloads.cancel(download_id)
        self._shell.notice_unwanted.emit(_key(download_id))

    async def go_on(self) -> None:
        """Go on with what was queued or under way when the program ended. Raises the errors of the database."""
        downloads = await asyncio.to_thread(lambda: self._services.downloads)
        await downloads.read()
        for download in downloads.interrupted():
            self.resume(download.id)

    def _on_offline_changed(self, is_offline: bool) -> None:
        if not is_offline:
            self._shell.tasks.start(self.go_on(), name="interrupted downloads")

    def _start(self, wanted: WantedModel, *, then_chat: bool) -> None:
        self._follow(self._services.downloads.start(wanted).id, then_chat=then_chat)

    def _resume(self, download_id: str, *, then_chat: bool) -> None:
        self._follow(self._services.downloads.resume(download_id).id, then_chat=then_chat)

    def _follow(self, download_id: str, *, then_chat: bool) -> None:
        self._shell.notice_unwanted.emit(_key(download_id))
        if download_id in self._wanted:
            self._wanted[download_id] = self._wanted[download_id] or then_chat
        else:
            self._wanted[download_id] = then_chat
            self._shell.tasks.start(self._wait(download_id), name=f"fetch {download_id}")

    async def _wait(self, download_id: str) -> None:
        try:
            model = await self._until_done(download_id)
        except DownloadStopped:
            return  # the person stopped it, and the page shows it as stopped
        except AppError as error:
            self._offer_again(download_id, error, then_chat=self._wanted[download_id])
            if self._goes_on(download_id):
                self._shell.tasks.start(self._go_on_later(download_id), name=f"go on with {download_id}")
        else:
            self._waits.pop(download_id, None)
            self._tell(model.id, model.name, then_chat=self._wanted[download_id])
        finally:
            del self._wanted[download_id]

    async def _until_done(self, download_id: str) -> InstalledModel:
        while True:
            try:
                return await self._services.downloads.wait(download_id)
            except DownloadStopped:
                if not self._is_under_way(download_id):
                    raise  # else it was stopped and taken up again before this task could look

    def _goes_on(self, download_id: str) -> bool:
        return any(each.id == download_id for each in self._services.downloads.interrupted())

    async def _go_on_later(self, download_id: str) -> None:
        """Take it up when the line may be better, unless the person has done something about it meanwhile.

        The chat is only offered then: nobody waits for it any more. The network switch goes on with what it ended.
        """
        wait = self._waits.get(download_id, FIRST_WAIT)
        self._waits[download_id] = min(2 * wait, LONGEST_WAIT)
        await asyncio.sleep(wait)
        if self._goes_on(download_id) and not self._services.hub.offline:
            self._resume(download_id, then_chat=False)

    def _is_under_way(self, download_id: str) -> bool:
        downloads = self._services.downloads.downloads()
        return any(each.id == download_id and each.progress.is_under_way for each in downloads)

    def _offer_again(self, download_id: str, error: AppError, *, then_chat: bool) -> None:
        words = explain(error)
        self._shell.notify(
            NoticeWish(
                text=words.message,
                hint=words.hint,
                kind="info" if isinstance(error, OfflineSwitchOn) else "bad",  # their own wish is no mishap
                action=self.tr("Try again"),
                on_action=lambda: self._resume(download_id, then_chat=then_chat),
                key=_key(download_id),
            )
        )

    def _tell(self, model_id: str, name: str, *, then_chat: bool) -> None:
        self._shell.models_changed.emit()
        if then_chat:
            self._shell.model_wanted.emit(model_id)
            return
        self._shell.notify(
            NoticeWish(
                text=self.tr("{name} is ready and verified.").format(name=name),
                action=self.tr("Chat with it"),
                on_action=lambda: self._shell.model_wanted.emit(model_id),
                key=_key(model_id),
            )
        )


def _key(download_id: str) -> str:
    return f"download {download_id}"
