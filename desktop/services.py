"""The composition root: which parts the app is made of, and the few actions that need several of them.

`Services` is built once per process and handed down; nothing looks it up. What costs time or may fail on its own
(databases, the Hub) is opened on first use, so that a broken chat database never keeps `snug probe` from answering.
"""

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast, overload

from desktop.catalog.catalog import load_catalog
from desktop.engine.client import EngineClient
from desktop.engine.known_good import KnownGood
from desktop.engine.protocol import EngineInfo
from desktop.errors import AppError, Phrase
from desktop.paths import Paths, catalog_file
from desktop.settings import (
    BANDWIDTH_LIMIT,
    DOWNLOADS_AT_ONCE,
    HF_ENDPOINT,
    MODELS_FOLDER,
    OFFLINE,
    OTHER_PROGRAMS,
    TOKEN_TO_MIRROR,
)
from desktop.settings_store import SettingsStore

if TYPE_CHECKING:
    from collections.abc import Hashable

    from desktop.catalog.hub import Hub
    from desktop.catalog.hub_token import TokenStore
    from desktop.catalog.stubs import StubCache
    from desktop.catalog.types import Catalog
    from desktop.chat.store import ChatStore
    from desktop.download.queue import DownloadQueue
    from desktop.fit.dry_run.dry_runs import DryRuns
    from desktop.fit.remembered.observed import Observed
    from desktop.fit.types import Choice
    from desktop.hardware.types import HardwareProfile
    from desktop.library.library import Library
    from desktop.library.types import Source


T = TypeVar("T")


class opened_once(cached_property[T]):  # noqa: N801 - used as a decorator, like its base
    """A cached_property that two threads do not open twice: that of Python 3.12 and later has no lock."""

    def __init__(self, open_it: Callable[[Any], T]) -> None:
        super().__init__(open_it)
        self._opening = threading.RLock()

    @overload
    def __get__(self, instance: None, owner: type[Any] | None = None) -> Self: ...
    @overload
    def __get__(self, instance: object, owner: type[Any] | None = None) -> T: ...
    def __get__(self, instance: object | None, owner: type[Any] | None = None) -> Self | T:
        """Open at the first call; afterwards the instance has the value itself."""
        if instance is None:
            return self
        with self._opening:
            return super().__get__(instance, owner)


@dataclass(frozen=True, kw_only=True)
class Survey:
    """What this machine has, and what the engine can use of it."""

    profile: "HardwareProfile"
    engine: EngineInfo | None = None
    failure: AppError | None = None


@dataclass
class Surveys:
    """Remembers the latest survey, because several pages ask for it."""

    latest: Survey | None = None


@dataclass(frozen=True)
class Services:
    """The parts of a running app."""

    paths: Paths
    settings: SettingsStore
    engine: EngineClient
    surveys: Surveys = field(default_factory=Surveys)
    exact_choices: "dict[Hashable, Choice]" = field(default_factory=dict)
    """What the engine said in this session of models of the catalog and of the Hub, by the question."""

    @opened_once
    def catalog(self) -> "Catalog":
        """The curated catalog."""
        return load_catalog(catalog_file())

    @opened_once
    def store(self) -> "ChatStore":
        """The conversations."""
        from desktop.chat.store import ChatStore

        return ChatStore.open(self.paths.chats_database)

    @opened_once
    def library(self) -> "Library":
        """The models on this disk."""
        from desktop.library.library import Library

        return Library.open(self.paths.library_database, self.models_folder, self._switched_off)

    @opened_once
    def observed(self) -> "Observed":
        """What this machine's own runs have taught. Blocking."""
        from desktop.fit.remembered.observed import Observed

        return Observed(self.paths.observed_database)

    @cached_property
    def dry_runs(self) -> "DryRuns":
        """Who asks the engine what a plan would need; its children answer all that ask."""
        from desktop.fit.dry_run.answers import Answers
        from desktop.fit.dry_run.dry_runs import DryRuns

        return DryRuns(Answers(self.paths.answers_database))

    @opened_once
    def hub(self) -> "Hub":
        """The Hugging Face Hub, or the mirror the person chose."""
        from desktop.catalog.hub import Hub

        return Hub(
            endpoint=partial(self.settings.get, HF_ENDPOINT),
            offline=partial(self.settings.get, OFFLINE),
            kept_token=self.hub_token.read,
            token_to_mirror=partial(self.settings.get, TOKEN_TO_MIRROR),
        )

    @cached_property
    def hub_token(self) -> "TokenStore":
        """Where the person's token for the Hub is kept."""
        from desktop.catalog.hub_token import TokenStore

        return TokenStore(self.paths.hub_token_file)

    @cached_property
    def stubs(self) -> "StubCache":
        """What is known of models on the Hub that are not on this disk."""
        from desktop.catalog.stubs import StubCache

        return StubCache(self.paths.stubs)

    @opened_once
    def downloads(self) -> "DownloadQueue":
        """The downloads under way. Blocking, because of the library; the queue is used from one event loop."""
        from desktop.download.limiter import BandwidthLimiter
        from desktop.download.queue import DownloadQueue

        return DownloadQueue(
            hub=self.hub,
            library=self.library,
            limiter=BandwidthLimiter(partial(self.settings.get, BANDWIDTH_LIMIT)),
            at_once=partial(self.settings.get, DOWNLOADS_AT_ONCE),
        )

    @property
    def losses(self) -> tuple[Phrase, ...]:
        """What was found damaged since the start and began anew, as far as it is open; opens nothing."""
        observed: Observed | None = self.__dict__.get("observed")
        return () if observed is None else observed.notices

    @property
    def models_folder(self) -> Path:
        """Where downloads land."""
        chosen = self.settings.get(MODELS_FOLDER)
        return Path(chosen).expanduser() if chosen else self.paths.models_folder

    def _switched_off(self) -> "frozenset[Source]":
        """The other programs whose models the person does not want to see."""
        return frozenset(
            cast("Source", name) for name, setting in OTHER_PROGRAMS.items() if not self.settings.get(setting)
        )

    async def close(self) -> None:
        """End the engine and close what was opened."""
        await self.engine.stop()
        for name in ("dry_runs", "downloads", "library", "store", "observed"):
            if name in self.__dict__:
                result = getattr(self, name).close()
                if asyncio.iscoroutine(result):
                    await result


def create_services(paths: Paths, settings: SettingsStore | None = None) -> Services:
    """Put the app together. Reads the settings file unless it was read already; opens nothing else yet."""
    engine = EngineClient(known_good=KnownGood(paths.known_good_file))
    return Services(paths=paths, settings=settings or SettingsStore.open(paths.settings_file), engine=engine)
