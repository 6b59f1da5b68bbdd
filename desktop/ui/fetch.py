"""Download and chat: what happens in the window around a download, whichever page began it."""

from PySide6.QtCore import QObject

from desktop.download.record import Download
from desktop.fit.types import Choice
from desktop.services import Services, queue_download
from desktop.ui.bridge import render
from desktop.ui.figures import gb
from desktop.ui.shell import NoticeWish, Shell


class Fetch(QObject):
    """Starts downloads and tells the person when one is ready; a failure is told by the shell."""

    def __init__(self, services: Services, shell: Shell) -> None:
        super().__init__(shell)
        self._services = services
        self._shell = shell

    def start(self, choice: Choice, *, then_chat: bool) -> None:
        """Fetch `choice`; when it is there, chat with it at once or only offer to."""
        self._shell.tasks.start(self._fetch(choice, then_chat=then_chat), name=f"fetch {choice.model_id}")

    async def _fetch(self, choice: Choice, *, then_chat: bool) -> None:
        download = queue_download(self._services, model_id=choice.model_id, quantization=choice.quantization)
        model = await self._services.downloads.wait(download.id)
        self._shell.models_changed.emit()
        if then_chat:
            self._shell.model_wanted.emit(model.id)
            return
        self._shell.notify(
            NoticeWish(
                text=self.tr("{name} is ready and verified.").format(name=model.name),
                action=self.tr("Chat with it"),
                on_action=lambda: self._shell.model_wanted.emit(model.id),
                key=f"ready {model.id}",
            )
        )

    def words(self, download: Download) -> tuple[str, str, float | None]:
        """Return title, figures and fraction (0 to 1, None while unknown) of a download under way."""
        progress = download.progress
        title = self.tr("Downloading {name}").format(name=f"{download.choice.name} · {download.choice.quantization}")
        if progress.state in ("queued", "resolving"):
            return title, self.tr("Asking the Hub …"), None
        if progress.state == "verifying":
            return title, self.tr("Verifying …"), None
        if progress.total is None:
            return title, gb(progress.done), None
        parts = [self.tr("{done} of {total}").format(done=gb(progress.done), total=gb(progress.total))]
        if progress.speed:
            parts.append(self.tr("{speed} MB/s").format(speed=f"{progress.speed / 1e6:.1f}"))
        if progress.seconds_left is not None:
            parts.append(self._time_left(progress.seconds_left))
        if progress.message is not None:
            parts.append(render(progress.message))
        return title, " · ".join(parts), progress.done / max(1, progress.total)

    def _time_left(self, seconds: float) -> str:
        if seconds < 90:
            return self.tr("{seconds} s left").format(seconds=round(seconds))
        return self.tr("{minutes} min left").format(minutes=round(seconds / 60))
