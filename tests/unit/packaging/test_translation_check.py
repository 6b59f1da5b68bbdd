"""The check of the translations finds what would show a person English, or nothing, in the middle of Chinese."""

from pathlib import Path

from check_translations import Message, faults, read_messages

TS = """<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE TS>
<TS version="2.1" language="zh_CN">
<context>
    <name>ChatPage</name>
    <message><source>Send</source><translation>发送</translation></message>
    <message><source>Stop</source><translation type="unfinished"></translation></message>
    <message><source>Old</source><translation type="vanished">旧</translation></message>
    <message numerus="yes"><source>%n models</source>
        <translation><numerusform>%n 个模型</numerusform></translation></message>
</context>
</TS>
"""


def message(source: str, *translations: str, finished: bool = True) -> Message:
    return Message("ChatPage", source, "", translations, finished)


def test_a_file_of_translations_is_read_without_what_has_vanished(tmp_path: Path) -> None:
    file = tmp_path / "snug_zh_CN.ts"
    file.write_text(TS, encoding="utf-8")
    assert list(read_messages(file)) == [
        message("Send", "发送"),
        message("Stop", "", finished=False),
        message("%n models", "%n 个模型"),
    ]


def test_a_complete_translation_has_no_faults() -> None:
    assert faults([message("Send {model}", "发送 {model}")], [message("Send {model}", finished=False)]) == []


def test_a_text_that_was_added_dropped_or_left_unfinished_is_named() -> None:
    translated = [message("Send", "发送"), message("Stop", "", finished=False)]
    lines = faults(translated, [message("Stop"), message("Continue")])
    assert lines == [
        "not in the translation yet: [ChatPage] Continue",
        "no longer in the source: [ChatPage] Send",
        "unfinished: [ChatPage] Stop",
    ]


def test_a_lost_or_invented_field_is_named() -> None:
    both = [message("{size} GiB of {total}", "{size} GiB"), message("%n models", "%1 个模型")]
    lines = faults(both, both)
    assert len(lines) == 2
    assert all(line.startswith("fields differ") for line in lines)
