"""Which answers of a server are believed."""

import pytest

from desktop.catalog.hub import HubFile
from desktop.download.answers import AGAIN, TryAgain, check_promise, judge, strong_etag
from desktop.download.speed import SpeedMeter
from desktop.download.types import TransferGaveUp
from desktop.errors import Phrase

GOOD_RANGE = {"Content-Range": "bytes 100-999/1000", "Content-Length": "900"}


def test_a_range_is_told_from_the_whole_file() -> None:
    assert judge(206, GOOD_RANGE, asked=(100, 1000), size=1000) == "range"
    assert judge(206, {"Content-Range": "bytes 100-499/*"}, asked=(100, 1000), size=1000) == "range"
    assert judge(206, {"Content-Range": "bytes 0-499/1000"}, asked=(0, 500), size=1000) == "range"
    assert judge(200, {"Content-Length": "1000"}, asked=None, size=1000) == "whole"
    assert judge(200, {"Content-Length": "1000"}, asked=(100, 1000), size=1000) == "whole"


@pytest.mark.parametrize(
    ("status", "headers", "start"),
    [
        (206, {}, 100),
        (206, {"Content-Range": "bytes 99-999/1000"}, 100),
        (206, {"Content-Range": "bytes 100-999/1001"}, 100),
        (206, {"Content-Range": "bytes 100-1000/1000"}, 100),
        (206, {"Content-Range": "bytes 100-99/1000"}, 100),
        (206, {"Content-Range": "items 100-999/1000"}, 100),
        (206, {"Content-Range": f"bytes 100-{'9' * 5000}/*"}, 100),
        (206, GOOD_RANGE | {"Content-Length": "899"}, 100),
        (206, GOOD_RANGE | {"Content-Encoding": "gzip"}, 100),
        (206, {"Content-Range": "bytes 0-999/1000"}, 0),
        (200, {"Content-Length": "999"}, 0),
        (200, {"Content-Encoding": "gzip"}, 0),
        (204, {}, 0),
        (304, {}, 0),
        (418, {}, 0),
    ],
)
def test_an_answer_that_cannot_be_right_is_not_used(status: int, headers: dict[str, str], start: int) -> None:
    with pytest.raises(TryAgain):
        judge(status, headers, asked=(start, 1000) if start else None, size=1000)


def test_more_than_was_asked_for_is_not_used() -> None:
    with pytest.raises(TryAgain):
        judge(206, {"Content-Range": "bytes 100-500/1000"}, asked=(100, 500), size=1000)


def test_a_busy_server_names_its_wait_and_a_refused_range_forgets_the_part() -> None:
    with pytest.raises(TryAgain) as raised:
        judge(503, {"Retry-After": "9"}, asked=None, size=1000)
    assert (raised.value.wait, raised.value.busy) == (9, True)
    with pytest.raises(TryAgain) as raised:
        judge(416, {}, asked=(100, 1000), size=1000)
    assert raised.value.restart


@pytest.mark.parametrize("template", sorted(AGAIN))
def test_every_failure_is_announced_and_explained_in_the_persons_language(template: str) -> None:
    failure = TryAgain(Phrase.of(template, seconds=30, status=503, what="206"))
    announced = failure.announce(wait=4.4, attempt=2, attempts=6)
    assert "Trying again in 4 s (attempt 2 of 6)" in announced.render()
    error = TransferGaveUp(file="m.gguf", attempts=6, why=failure.reason, kept=True)
    seen: list[str] = []

    def translate(text: str) -> str:
        seen.append(text)
        return text

    error.explain(translate)
    assert template in seen
    assert failure.reason.render() in str(error)


def test_a_redirect_that_promises_another_file_is_not_followed() -> None:
    file = HubFile(repo="o/r", file="f", revision="c" * 40, size=10, sha256="a" * 64, url="https://x/")
    check_promise({}, file)
    check_promise({"X-Linked-Size": "10", "X-Linked-Etag": f'"{"a" * 64}"'}, file)
    check_promise({"X-Linked-Etag": f'"{"b" * 40}"'}, file)  # git's SHA-1 says nothing about the content
    for headers in ({"X-Linked-Size": "11"}, {"X-Linked-Etag": f'"{"b" * 64}"'}):
        with pytest.raises(TryAgain):
            check_promise(headers, file)


def test_only_a_strong_etag_may_guard_a_resumption() -> None:
    assert strong_etag({"ETag": '"abc"'}) == '"abc"'
    assert strong_etag({"ETag": 'W/"abc"'}) == ""
    assert strong_etag({}) == ""


def test_speed_looks_at_the_last_seconds_only() -> None:
    meter = SpeedMeter()
    meter.add(0.0, 0)
    assert meter.speed is None
    for second in range(1, 11):
        meter.add(float(second), second * 100)
    for second in range(11, 21):
        meter.add(float(second), 1000 + (second - 10) * 1000)
    assert meter.speed == pytest.approx(1000)
    assert meter.seconds_left(5000) == pytest.approx(5)
    meter.add(21.0, 0)
    assert meter.speed is None, "a fresh start is not a negative speed"
