"""The library for verbs that only read: where its database cannot be opened to be written, they answer without it."""

import asyncio
from typing import TYPE_CHECKING

from desktop.cli.output import print_note
from desktop.errors import DiskFull, FileUnreadable
from desktop.files import FileNotSaved
from desktop.library.library import Library
from desktop.library.starter import StarterModelMissing, starter_model

if TYPE_CHECKING:
    from desktop.library.types import InstalledModel
    from desktop.services import Services


class WithoutDatabase(Library):
    """Knows the starter and paths, and keeps nothing."""

    def __init__(self) -> None:
        """Nothing is opened."""

    def installed(self) -> "tuple[InstalledModel, ...]":
        """Return the starter, where it is there."""
        try:
            return (starter_model(),)
        except StarterModelMissing:  # `snug doctor` says it
            return ()

    def close(self) -> None:
        """Nothing is open."""


async def open_to_read(services: "Services") -> None:
    """Open the library; where it cannot be had, as on a disk that is full or read-only, say so.

    The verb goes on as if nothing was downloaded.
    """
    try:
        await asyncio.to_thread(lambda: services.library)
    except (DiskFull, FileNotSaved, FileUnreadable) as error:
        message, _ = error.explain()
        print_note(f"note: what was downloaded is not known: {message}")
        services.__dict__["library"] = WithoutDatabase()
