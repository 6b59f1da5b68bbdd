"""How far a download is, in words, for its card and for the row of its file."""

from typing import NamedTuple

from PySide6.QtCore import QCoreApplication

from desktop.download.record import Download
from desktop.download.types import DownloadProgress
from desktop.ui.bridge import explain, render, sentences
from desktop.ui.figures import gb


class DownloadWords(NamedTuple):
    """What a card says. fraction: from 0 to 1, None while nobody can tell. problem: why it failed, and what to do."""

    title: str
    figures: str
    fraction: float | None
    problem: str = ""


def words_of(download: Download) -> DownloadWords:
    """Return what its card says of a download."""
    translate = QCoreApplication.translate
    progress = download.progress
    name = f"{download.wanted.name} · {download.wanted.quantization}"
    fraction = progress.done / progress.total if progress.total else None
    if progress.is_stopped:
        title = translate("DownloadWords", "{name}: not finished").format(name=name)
        problem = [] if download.error is None else [*explain(download.error)]
        if problem and download.goes_on:
            problem.append(translate("DownloadWords", "It goes on by itself when that has passed."))
        return DownloadWords(title, _amount(progress), fraction or 0.0, sentences(problem))
    title = translate("DownloadWords", "Downloading {name}").format(name=name)
    if progress.state == "queued":
        return DownloadWords(title, translate("DownloadWords", "Waiting for its turn"), None)
    if progress.state == "resolving":
        return DownloadWords(title, translate("DownloadWords", "Asking the Hub …"), None)
    if progress.state == "verifying":
        words = translate("DownloadWords", "Verifying what came: {share} %")
        share = progress.verified or 0.0
        return DownloadWords(title, words.format(share=int(100 * share)), share)
    message = "" if progress.message is None else render(progress.message)
    return DownloadWords(title, _joined(_amount(progress), _speed(progress), _time_left(progress), message), fraction)


def percent_of(download: Download) -> str:
    """Return how much of it came, for where there is hardly room: "41 %"."""
    progress = download.progress
    return f"{100 * progress.done // progress.total} %" if progress.total else "…"


def _joined(*parts: str) -> str:
    return " · ".join(filter(None, parts))


def _amount(progress: DownloadProgress) -> str:
    if progress.total is None:
        return gb(progress.done) if progress.done else ""
    words = QCoreApplication.translate("DownloadWords", "{done} of {total}")
    return words.format(done=gb(progress.done), total=gb(progress.total))


def _speed(progress: DownloadProgress) -> str:
    if not progress.speed:
        return ""
    return QCoreApplication.translate("DownloadWords", "{speed} MB/s").format(speed=f"{progress.speed / 1e6:.1f}")


def _time_left(progress: DownloadProgress) -> str:
    if progress.seconds_left is None:
        return ""
    translate = QCoreApplication.translate
    if progress.seconds_left < 90:
        return translate("DownloadWords", "{seconds} s left").format(seconds=round(progress.seconds_left))
    minutes = round(progress.seconds_left / 60)
    if minutes < 90:
        return translate("DownloadWords", "{minutes} min left").format(minutes=minutes)
    words = translate("DownloadWords", "{hours} h {minutes} min left")
    return words.format(hours=minutes // 60, minutes=minutes % 60)
