"""Values of a download, and what can go wrong with one. Sizes are bytes, times seconds, speeds bytes per second."""

from typing import Literal

import msgspec

from desktop.errors import QT_TRANSLATE_NOOP, AppError, DiskFull, Explanation, Phrase, Translate, untranslated

DownloadState = Literal["queued", "resolving", "downloading", "verifying", "done", "failed", "paused", "cancelled"]


class DownloadProgress(msgspec.Struct, frozen=True, kw_only=True):
    """How far a download is.

    total, speed, seconds_left: None while they are not known.
    message: what a person should know now, for example that the line broke and when it is tried again.
    resumed_from: bytes that were there already when it was begun this time.
    verified: while a file is verified the share of it that was read for that, from 0 to 1; else None.
    """

    state: DownloadState
    done: int = 0
    total: int | None = None
    speed: float | None = None
    seconds_left: float | None = None
    message: Phrase | None = None
    resumed_from: int = 0
    verified: float | None = None

    @property
    def is_under_way(self) -> bool:
        """Whether it comes, or will as soon as it is its turn."""
        return not (self.is_stopped or self.is_finished)

    @property
    def is_stopped(self) -> bool:
        """Whether it ended too early: what came is kept, and a person can go on with it."""
        return self.state in ("paused", "failed")

    @property
    def is_finished(self) -> bool:
        """Whether nothing is left to do or to show."""
        return self.state in ("done", "cancelled")


class TransferOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How patient a transfer is, and in how many pieces a file comes.

    connections: at most so many at once. least_piece, largest_piece: bytes that one of them is asked for at once; a
        file gets as many connections as it has least pieces.
    lone_speed: bytes per second of the first connection after `lone_seconds` with which it stays the only one, because
        more of them would only cost time.
    patience: seconds that the slowest piece may still take when nothing else is left; else it is shared.
    note_bytes, note_seconds: after so much what came is put on the disk for certain; less of it is lost when the
        machine goes down. When only the program is killed, next to nothing is.
    stall: seconds without a byte before the connection is given up. connect: seconds that it may take to be there.
    attempts: failures in a row, without `enough_progress` bytes between them, before the transfer is given up.
    first_wait, longest_wait: back-off between attempts, doubled each time.
    longest_retry_after: seconds that a server may ask to wait; more than that ends the transfer, which can be resumed.
    progress_interval: seconds between two reports.
    """

    connections: int = 4
    least_piece: int = 4 << 20
    largest_piece: int = 64 << 20
    lone_speed: float = 150e6
    lone_seconds: float = 0.2
    patience: float = 5.0
    note_bytes: int = 64 << 20
    note_seconds: float = 10.0
    stall: float = 30.0
    connect: float = 15.0
    attempts: int = 6
    enough_progress: int = 1 << 20
    first_wait: float = 1.0
    longest_wait: float = 30.0
    longest_retry_after: float = 120.0
    progress_interval: float = 0.1


class ChecksumMismatch(AppError):
    """What came is not what the Hub promised."""

    message = QT_TRANSLATE_NOOP("core", "{file} arrived damaged: its SHA-256 is not the one the Hub names.")
    hint = QT_TRANSLATE_NOOP(
        "core", "The damaged file was removed. Download it again; if that does not help, try a mirror."
    )


class TransferGaveUp(AppError):
    """The line broke too often. `why` is what happened last; kept: whether anything of the file is on the disk."""

    message = QT_TRANSLATE_NOOP("core", "{file} could not be downloaded, after {attempts} attempts: {reason}")
    hint = QT_TRANSLATE_NOOP("core", "What came so far is kept. Start the download again to go on from there.")

    hint_without = QT_TRANSLATE_NOOP("core", "Nothing of it could be kept. Try again later, or choose a mirror.")

    def __init__(self, *, file: str, attempts: int, why: Phrase, kept: bool, detail: object = None) -> None:
        self.kept = kept
        super().__init__(file=file, attempts=attempts, reason=why, detail=detail)

    def explain(self, translate: Translate = untranslated) -> Explanation:
        """Render the templates through `translate`; the hint is true of what is kept."""
        told = super().explain(translate)
        return told if self.kept else told._replace(hint=translate(self.hint_without))


class NoRoomForDownload(DiskFull):
    """The disk cannot hold the file."""

    message = QT_TRANSLATE_NOOP("core", "The disk with {path} is too full: {need} more are needed, {free} are free.")
    hint = QT_TRANSLATE_NOOP("core", "Free some space or choose another folder, then go on. What came so far is kept.")


class PartRemoved(AppError):
    """Somebody has taken the unfinished file away while it came."""

    message = QT_TRANSLATE_NOOP("core", "The unfinished file {path} was removed or replaced while it was downloaded.")
    hint = QT_TRANSLATE_NOOP("core", "Start the download again; it begins anew.")


class FileTooLarge(AppError):
    """The file system (FAT32, for example) cannot hold a file of this size."""

    message = QT_TRANSLATE_NOOP("core", "The disk with {path} cannot hold a file of {size}.")
    hint = QT_TRANSLATE_NOOP("core", "Choose a models folder on a disk that is formatted for large files.")


class DownloadStopped(AppError):
    """Somebody paused or cancelled the download that was waited for."""

    message = QT_TRANSLATE_NOOP("core", "The download of {model} was stopped.")
    hint = QT_TRANSLATE_NOOP("core", "Start it again whenever you like.")
