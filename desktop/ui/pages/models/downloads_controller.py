"""The downloads on the models page: a card each, in the order of the queue."""

from collections.abc import Callable, Sequence

from desktop.download.record import Download
from desktop.services import Services
from desktop.ui.pages.models.download_words import percent_of, words_of
from desktop.ui.pages.models.view import ModelsView
from desktop.ui.shell import Fetcher


class DownloadsController:
    """Follows the queue once the library is open."""

    def __init__(self, *, view: ModelsView, services: Services, fetch: Fetcher) -> None:
        self._view = view
        self._services = services
        self._fetch = fetch
        self._unsubscribe: Callable[[], None] | None = None
        view.downloads.stop_requested.connect(self._on_stop_requested)
        view.downloads.resume_requested.connect(fetch.resume)
        view.downloads.discard_requested.connect(self._on_discard_requested)
        view.downloads.next_requested.connect(self._on_next_requested)
        view.downloads.all_stopped.connect(self._on_all_stopped)
        view.downloads.all_resumed.connect(self._on_all_resumed)

    async def follow(self) -> None:
        """Show what is under way or was left unfinished, from now on, and what other processes did in the meantime.

        The library is open when this is called. Raises the errors of the database.
        """
        queue = self._services.downloads
        await queue.read()
        if self._unsubscribe is None:
            self._unsubscribe = queue.subscribe(self._on_download_changed)
            for download in queue.downloads():
                self._on_download_changed(download)

    def close(self) -> None:
        """Stop listening."""
        if self._unsubscribe is not None:
            self._unsubscribe()

    def _on_stop_requested(self, download_id: str) -> None:
        self._services.downloads.pause(download_id)

    def _on_discard_requested(self, download_id: str) -> None:
        self._fetch.discard(download_id)

    def _on_next_requested(self, download_id: str) -> None:
        self._services.downloads.move_to_front(download_id)

    def _on_all_stopped(self) -> None:
        self._services.downloads.pause_all()

    def _on_all_resumed(self) -> None:
        for download in self._services.downloads.downloads():
            if download.progress.state == "paused":
                self._fetch.resume(download.id)

    def _on_download_changed(self, download: Download) -> None:
        if download.progress.is_finished:
            self._view.downloads.remove(download.id)
        else:
            stopped = not download.progress.is_under_way
            file = (download.wanted.repo, download.wanted.file)
            self._view.downloads.show_download(download.id, *words_of(download), stopped=stopped, file=file)
        self._show_queue(self._services.downloads.downloads())

    def _show_queue(self, downloads: Sequence[Download]) -> None:
        """Show what concerns all of them: their order, which files are on their way, what may be done at once."""
        under_way = [each for each in downloads if each.progress.is_under_way]
        queued = [each.id for each in downloads if each.progress.state == "queued"]
        paused = [each.id for each in downloads if each.progress.state == "paused"]
        self._view.set_coming({(each.wanted.repo, each.wanted.file): percent_of(each) for each in under_way})
        self._view.downloads.set_order([each.id for each in downloads], queued)
        self._view.downloads.offer_for_all(stop=len(under_way) > 1, resume=len(paused) > 1)
