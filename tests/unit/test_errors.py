"""Errors are words: whole in English, and whole in another language."""

from desktop.catalog.hub_errors import TIME_OUT, HubUnreachable
from desktop.download.types import TransferGaveUp
from desktop.errors import Phrase

CHINESE = {
    "{endpoint} cannot be reached: {reason}": "无法连接 {endpoint}：{reason}",
    "time-out": "超时",
}


def translate(text: str) -> str:
    return CHINESE.get(text, text)


def test_a_reason_that_is_a_phrase_is_translated_with_the_sentence_around_it() -> None:
    error = HubUnreachable(endpoint="https://hub.example", reason=TIME_OUT)
    assert str(error) == "https://hub.example cannot be reached: time-out"
    assert error.arguments["reason"] == "time-out"
    assert error.explain(translate).message == "无法连接 https://hub.example：超时"


def test_braces_of_a_reason_are_shown_as_they_are() -> None:
    error = HubUnreachable(endpoint="https://hub.example", reason=Phrase.of("{what}", what="{endpoint}"))
    assert str(error) == "https://hub.example cannot be reached: {endpoint}"


def test_what_is_said_to_be_kept_is_kept() -> None:
    kept, nothing = (TransferGaveUp(file="a.gguf", attempts=6, why=TIME_OUT, kept=kept) for kept in (True, False))
    assert "is kept" in kept.explain().hint
    assert "Nothing of it could be kept" in nothing.explain().hint
    assert kept.explain(translate).message.endswith("超时")
