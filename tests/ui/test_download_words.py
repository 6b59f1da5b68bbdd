"""What a card says of a download, as a person reads it."""

import msgspec
import pytest
from PySide6.QtWidgets import QApplication

from desktop.download.record import Download
from desktop.download.types import DownloadProgress, DownloadStopped
from desktop.errors import Phrase
from desktop.ui.pages.models.download_words import percent_of, words_of
from tests.support.queues import WANTED

UNDER_WAY = DownloadProgress(
    state="downloading", done=410_000_000, total=1_000_000_000, speed=4.2e6, seconds_left=140.0
)


def at(progress: DownloadProgress, error: DownloadStopped | None = None) -> Download:
    return Download(id=WANTED.id, wanted=WANTED, progress=progress, position=1, error=error)


def test_what_is_under_way_says_how_much_how_fast_and_how_long(styled: QApplication) -> None:
    words = words_of(at(UNDER_WAY))
    assert words.title == "Downloading Tiny 1B · Q4_K_M"
    assert words.figures == "410 MB of 1.00 GB · 4.2 MB/s · 2 min left"
    assert words.fraction == pytest.approx(0.41)
    assert percent_of(at(UNDER_WAY)) == "41 %"


@pytest.mark.parametrize(("seconds", "words"), [(89, "89 s left"), (5400, "1 h 30 min left")])
def test_the_time_left_is_said_as_precisely_as_it_is_known(styled: QApplication, seconds: float, words: str) -> None:
    assert words_of(at(msgspec.structs.replace(UNDER_WAY, seconds_left=seconds))).figures.endswith(words)


def test_what_keeps_it_from_going_on_is_said(styled: QApplication) -> None:
    broken = msgspec.structs.replace(UNDER_WAY, speed=None, seconds_left=None, message=Phrase("The line broke."))
    assert words_of(at(broken)).figures == "410 MB of 1.00 GB · The line broke."


def test_how_far_the_verification_is_is_said(styled: QApplication) -> None:
    verifying = at(msgspec.structs.replace(UNDER_WAY, state="verifying", done=1_000_000_000, verified=0.425))
    assert words_of(verifying)[1:3] == ("Verifying what came: 42 %", 0.425)
    assert percent_of(verifying) == "100 %"


def test_what_was_stopped_says_how_much_is_kept_and_why(styled: QApplication) -> None:
    stopped = at(msgspec.structs.replace(UNDER_WAY, state="failed"), DownloadStopped(model="Tiny 1B"))
    words = words_of(stopped)
    assert words.title == "Tiny 1B · Q4_K_M: not finished"
    assert words.figures == "410 MB of 1.00 GB"
    assert words.problem.startswith("The download of Tiny 1B was stopped. "), "and what to do"


def test_nothing_is_claimed_before_the_hub_has_said_how_large_it_is(styled: QApplication) -> None:
    queued = at(DownloadProgress(state="queued"))
    assert words_of(queued)[1:] == ("Waiting for its turn", None, "")
    assert percent_of(queued) == "…"
