"""`snug pull MODEL`: download a model, go on with one that was interrupted, verify it."""

import argparse
import shutil
import sys
from types import TracebackType
from typing import TYPE_CHECKING, Self

import msgspec

from desktop.cli.output import is_terminal, print_json, print_text, visible, write_stderr
from desktop.sizes import gb

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    from desktop.download.record import Download
    from desktop.download.types import DownloadProgress
    from desktop.services import Services

_BAR = 24
_STEP = 10
"""Percent between two lines where nobody watches a bar."""

_STATES = {
    "queued": "waiting",
    "resolving": "asking the Hub",
    "downloading": "downloading",
    "verifying": "verifying",
}
"""Of a download that is under way; how it ended is told by the outcome."""


class PulledModel(msgspec.Struct, frozen=True, kw_only=True):
    """What is printed as JSON. resumed_from: bytes that were here before. sha256: of a split model's first file."""

    id: str
    path: str
    size: int
    sha256: str | None
    seconds: float
    resumed_from: int


def add_parser(verbs: "_SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the verb."""
    parser = verbs.add_parser(
        "pull",
        help="download a model, or go on with one that was interrupted, and verify it",
        description="Fetches MODEL into the models folder. Ctrl-C keeps what came; the same command goes on.",
    )
    parser.add_argument(
        "model", metavar="MODEL", help="qwen3-8b[:Q5_K_M], or on the Hub owner/repo:QUANT or owner/repo/file.gguf"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=run)


async def run(arguments: argparse.Namespace, services: "Services") -> int:
    """Fetch it and say where it is. Raises what actions.download.pull_model raises."""
    from desktop.actions.download import pull_model

    with _Progress() as progress:
        pulled = await pull_model(services, arguments.model, on_change=progress)
    model = pulled.model
    result = PulledModel(
        id=model.id,
        path=model.path,
        size=model.size,
        sha256=model.sha256 or None,
        seconds=pulled.seconds,
        resumed_from=pulled.resumed_from,
    )
    if arguments.json:
        print_json(result)
    else:
        print_text(in_words(result))
    return 0


def in_words(result: PulledModel) -> str:
    """Return what a person reads at the end."""
    if result.resumed_from >= result.size:
        return f"{result.id} is on this disk ({gb(result.size)}): {result.path}"
    fetched = result.size - result.resumed_from
    speed = f", {gb(round(fetched / result.seconds))}/s" if result.seconds >= 1 else ""
    resumed = f", {gb(result.resumed_from)} of it from before" if result.resumed_from else ""
    return f"verified: {result.id} ({gb(result.size)}{resumed}{speed}): {result.path}"


class _Progress:
    """Tells on stderr how far it is: a bar on a terminal, a line now and then elsewhere."""

    def __init__(self) -> None:
        self._person = is_terminal(sys.stderr)
        self._has_bar = False
        self._last: tuple[str, int] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._has_bar:
            write_stderr("\r\x1b[K")

    def __call__(self, download: "Download") -> None:
        progress = download.progress
        if progress.state not in _STATES:
            return
        if self._person:
            width = shutil.get_terminal_size().columns - 1
            write_stderr(f"\r{visible(bar(progress))[:width]}\x1b[K")
            self._has_bar = True
        elif (key := (_words(progress), int(100 * _share(progress)) // _STEP)) != self._last:
            self._last = key
            write_stderr(visible(line(progress)) + "\n")


def bar(progress: "DownloadProgress") -> str:
    """Return the line that changes on a terminal."""
    if progress.message is not None or progress.state != "downloading" or not progress.total:
        return line(progress)
    share = _share(progress)
    full = round(_BAR * share)
    return f"{share:4.0%} [{'#' * full}{'.' * (_BAR - full)}] {_figures(progress)}"


def line(progress: "DownloadProgress") -> str:
    """Return the line that stays where output goes to a file."""
    if not progress.total or progress.state in ("queued", "resolving"):
        return _words(progress)
    return f"{_words(progress)}: {int(100 * _share(progress))} % {_figures(progress)}"


def _share(progress: "DownloadProgress") -> float:
    """Of what is being done: downloading or verifying."""
    if progress.verified is not None:
        return progress.verified
    return progress.done / progress.total if progress.total else 0.0


def _words(progress: "DownloadProgress") -> str:
    message = progress.message
    return message.render().rstrip(".") if message is not None else _STATES[progress.state]


def _figures(progress: "DownloadProgress") -> str:
    text = f"{gb(progress.done)} of {gb(progress.total or 0)}"
    if progress.speed is not None:
        text += f"  {progress.speed / 1e6:.1f} MB/s"
    if progress.seconds_left is not None:
        minutes, seconds = divmod(round(progress.seconds_left), 60)
        hours, minutes = divmod(minutes, 60)
        text += f"  {hours}:{minutes:02}:{seconds:02} left" if hours else f"  {minutes}:{seconds:02} left"
    return text
