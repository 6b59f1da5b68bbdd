"""What the pages share without knowing each other: banners, live samples, the engine's status, going to a page."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from PySide6.QtCore import QObject, Signal, SignalInstance

from desktop.ui.bridge import explain
from desktop.ui.widgets.notice import NoticeKind
from desktop.ui.widgets.status_line import StateKind

if TYPE_CHECKING:
    import asyncio

    from desktop.catalog.hub_files import HubListing, HubModelFile
    from desktop.engine.protocol import LoadedModel
    from desktop.fit.types import Choice
    from desktop.library.types import InstalledModel
    from desktop.ui.tasks import Tasks

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class NoticeWish:
    """A banner that somebody wants shown. A later one with the same `key` replaces it; `seconds` 0 stays."""

    text: str
    hint: str = ""
    kind: NoticeKind = "info"
    action: str = ""
    on_action: Callable[[], None] | None = None
    seconds: float = 0.0
    key: str = ""


class Controller(Protocol):
    """What the window asks of every page's controller."""

    def activate(self) -> None:
        """The page has just been shown."""

    async def close(self) -> None:
        """The window is closing: end what runs and save what is not saved."""


class Loader(Protocol):
    """What pages may ask of desktop.ui.model_loader.ModelLoader."""

    installed: "InstalledModel | None"
    coming: "InstalledModel | None"

    @property
    def loaded(self) -> SignalInstance:
        """LoadedModel; also after the engine came back from a crash."""

    @property
    def state_changed(self) -> SignalInstance:
        """EngineState."""

    def load(
        self, reference: str = "", *, context: int | None = None, split: tuple[int, ...] | None = None
    ) -> "asyncio.Task[LoadedModel]":
        """Load an installed model, "" is the default. context: tokens; split: layers per graphics card."""

    def is_needed(self) -> bool:
        """Whether nothing is loaded, loading or coming back by itself."""

    async def ensure(self) -> None:
        """Wait until a model is there or on its way back."""


class Fetcher(Protocol):
    """What pages may ask of desktop.ui.fetch.Fetch."""

    def start(self, choice: "Choice", *, then_chat: bool) -> None:
        """Fetch a model of the catalog; when it is there, chat with it at once or only offer to."""

    def start_file(self, listing: "HubListing", file: "HubModelFile", *, then_chat: bool) -> None:
        """Fetch a file of a repository on the Hub."""

    def renew(self, model: "InstalledModel") -> None:
        """Fetch a model again whose file is not right; one that did not come from the Hub is left alone."""

    def resume(self, download_id: str) -> None:
        """Go on with a download that was stopped or has failed, also one of an earlier run."""

    def discard(self, download_id: str) -> None:
        """Stop a download and remove what came."""


class Shell(QObject):
    """Signals between pages and window. Requests end in `wanted`; facts are in the past tense."""

    page_wanted = Signal(str)
    """Show the page of this name."""
    notice_wanted = Signal(object)
    """NoticeWish."""
    notice_unwanted = Signal(str)
    """Take away the banner with this key."""
    model_wanted = Signal(str)
    """Load this installed model ("" is the person's default) and chat with it."""
    status_changed = Signal(str, str)
    """StateKind and words, for the foot of the window."""
    device_changed = Signal(str)
    """What the model runs on, for the foot of the window."""
    figures_changed = Signal(str)
    """Figures of the last reply, for the foot of the window."""
    offline_changed = Signal(bool)
    """Whether no connection may be opened, from now on."""
    models_changed = Signal()
    """A model was installed or removed."""
    sampled = Signal(object)
    """HardwareSample, about once a second while somebody looks."""
    theme_wanted = Signal(str)
    """Change the scheme at once: "system", "light" or "dark"."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.tasks: Tasks
        """Set, like loader and fetch, by the session before the first controller is made: asyncio can wait for the
        paint.
        """
        self.loader: Loader
        self.fetch: Fetcher

    def notify(self, wish: NoticeWish) -> None:
        """Show a banner above the page."""
        self.notice_wanted.emit(wish)

    def report(self, error: BaseException) -> None:
        """Tell the person about a failure, and the log what stands behind it."""
        log.error("%s", error, exc_info=error)
        words = explain(error)
        self.notify(NoticeWish(text=words.message, hint=words.hint, kind="bad", key=words.message))

    def set_status(self, kind: StateKind, words: str) -> None:
        """Say how the engine is."""
        self.status_changed.emit(kind, words)

    async def close(self) -> None:
        """End what runs in the background."""
        await self.tasks.close()
