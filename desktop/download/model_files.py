"""The files of one model: fetched one after the other, measured after a restart, thrown away."""

from collections.abc import Callable, Collection, Sequence
from functools import partial
from pathlib import Path, PurePosixPath

import msgspec

from desktop.catalog.file_names import COMMIT
from desktop.catalog.hub import Hub, HubFile
from desktop.catalog.hub_errors import HubFileChanged, HubFileMissing
from desktop.download.limiter import BandwidthLimiter
from desktop.download.part import discard_unless_used
from desktop.download.reporter import Report
from desktop.download.sidecar import claimed_bytes
from desktop.download.types import DownloadProgress, TransferOptions
from desktop.gguf.shards import all_shards
from desktop.library.library import Library
from desktop.library.types import WantedModel
from desktop.threads import in_thread


class ModelFiles:
    """Brings models from `hub` into the models folder. options, limiter: shared by all transfers."""

    def __init__(self, *, hub: Hub, library: Library, options: TransferOptions, limiter: BandwidthLimiter) -> None:
        self._hub = hub
        self._library = library
        self._options = options
        self._limiter = limiter

    async def find(self, wanted: WantedModel) -> tuple[HubFile, ...]:
        """Ask the Hub which files `wanted` means.

        A commit that is gone, for its repository was rewritten, makes no difference while the newest has the same
        content. Raises what Hub.files raises, and HubFileChanged.
        """
        try:
            return await self._files_of(wanted, wanted.revision)
        except HubFileMissing:
            if not COMMIT.fullmatch(wanted.revision):
                raise
        newest = await self._files_of(wanted, "main")
        same = newest[0].sha256 == wanted.sha256 if wanted.sha256 else True
        if not same or sum(file.size for file in newest) != wanted.size:
            raise HubFileChanged(what=f"{wanted.repo}/{newest[0].file}")
        return newest

    async def _files_of(self, wanted: WantedModel, revision: str) -> tuple[HubFile, ...]:
        return await self._hub.files(
            repo=wanted.repo, file=wanted.file, quantization=wanted.quantization, revision=revision
        )

    async def fetch(
        self, files: Sequence[HubFile], *, on_progress: Report, on_brought: Callable[[str], None]
    ) -> DownloadProgress:
        """Fetch what is missing of the files of a model; returns where that ended, with state "done".

        on_progress is told of all files together, on_brought of each that came by this and has its name now.
        Raises what transfer.download raises, and UnsafeName.
        """
        whole = DownloadProgress(state="done", total=sum(file.size for file in files))
        for file in files:
            resumed = await self._fetch_one(file, whole, on_progress, on_brought)
            resumed += whole.resumed_from
            whole = msgspec.structs.replace(whole, done=whole.done + file.size, resumed_from=resumed)
        # Another process had brought those, and has thrown them away while this one waited for it at the next.
        for file in await in_thread(partial(self._gone, files)):
            before = msgspec.structs.replace(
                whole, done=whole.done - file.size, resumed_from=max(0, whole.resumed_from - file.size)
            )
            await self._fetch_one(file, before, on_progress, on_brought)
            whole = msgspec.structs.replace(whole, resumed_from=before.resumed_from)
        return whole

    def _gone(self, files: Sequence[HubFile]) -> list[HubFile]:
        return [file for file in files if not self._library.destination(repo=file.repo, file=file.file).is_file()]

    async def _fetch_one(
        self, file: HubFile, before: DownloadProgress, on_progress: Report, on_brought: Callable[[str], None]
    ) -> int:
        """Fetch one file; returns how much of it was there. before: where the files before it ended."""
        # httpx2 takes its time to import; a window that downloads nothing never needs it.
        from desktop.download.transfer import download

        there = 0

        def report(progress: DownloadProgress) -> None:
            nonlocal there
            there = progress.resumed_from
            on_progress(_of_whole(progress, before))

        destination = await in_thread(partial(self._library.destination, repo=file.repo, file=file.file))
        await download(
            file=file,
            destination=destination,
            hub=self._hub,
            on_progress=report,
            on_brought=partial(on_brought, file.file),
            options=self._options,
            limiter=self._limiter,
        )
        return there

    def came(self, wanted: WantedModel) -> int:
        """Return how many bytes of `wanted` are on the disk. Blocking; raises UnsafeName and OSError."""
        return sum(
            path.stat().st_size if path.is_file() else claimed_bytes(path) for _, path in self._destinations(wanted)
        )

    def places(self, wanted: WantedModel) -> list[Path]:
        """Return where the files of `wanted` belong; none before the Hub was asked. Raises UnsafeName and OSError."""
        return [path for _, path in self._destinations(wanted)]

    def discard(self, wanted: WantedModel, brought: Collection[str]) -> None:
        """Remove what came of `wanted`, but nothing that a model of the library has or another process fetches.

        brought: files that the download has brought whole; others that are whole are not ours to remove.
        Blocking; raises UnsafeName, OSError and the errors of the database.
        """
        models = self._library.installed()
        used = {shard.resolve() for model in models for shard in all_shards(Path(model.path))}
        for name, path in reversed(self._destinations(wanted)):  # another process is at the last one it has begun
            if not discard_unless_used(path, whole=name in brought and path.resolve() not in used):
                return

    def _destinations(self, wanted: WantedModel) -> list[tuple[str, Path]]:
        """Name in the repository and place on the disk of each file; none before the Hub was asked."""
        names = map(str, all_shards(PurePosixPath(wanted.file))) if wanted.file else ()
        return [(name, self._library.destination(repo=wanted.repo, file=name)) for name in names]


def _of_whole(progress: DownloadProgress, before: DownloadProgress) -> DownloadProgress:
    """The progress of one file as that of its model, of whose files some ended `before`."""
    done, total = before.done + progress.done, before.total or 0
    return msgspec.structs.replace(
        progress,
        done=done,
        total=total,
        seconds_left=(total - done) / progress.speed if progress.speed else None,
        resumed_from=before.resumed_from + progress.resumed_from,
    )
