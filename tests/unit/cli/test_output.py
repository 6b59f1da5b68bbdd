"""What the command line prints of names that came from a file, a network or a person."""

import io
import json

import pytest

from desktop.cli.output import print_error, print_json, print_table, print_text
from desktop.errors import FileUnreadable

STEERING = "\x1b[2J\r\u202egpj\x9b"


def test_an_error_does_not_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    print_error(FileUnreadable(path=f"/models/{STEERING}.gguf", reason="it is gone"))
    shown = capsys.readouterr().err
    assert shown.splitlines() == [
        r"error: /models/\x1b[2J\r\u202egpj\x9b.gguf cannot be read: it is gone",
        "hint: Check that the file is there and that you may read it.",
    ]


def test_a_table_does_not_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    print_table([("MODEL", "SIZE"), (STEERING, "1")])
    assert "\x1b" not in capsys.readouterr().out


def test_a_name_of_several_lines_stays_in_its_row(capsys: pytest.CaptureFixture[str]) -> None:
    print_table([("MODEL", "SIZE"), ("a\nb\tc", "1")])
    assert capsys.readouterr().out.splitlines() == ["MODEL    SIZE", r"a\nb\tc  1"]


def test_text_of_every_language_is_shown_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    print_error(FileUnreadable(path="/模型/ж é 😀\u3000x.gguf", reason="it is gone"))
    assert "/模型/ж é 😀\u3000x.gguf" in capsys.readouterr().err


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
def test_every_stream_can_take_every_name(monkeypatch: pytest.MonkeyPatch, encoding: str) -> None:
    name = "模型 ж é 😀"
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr("sys.stdout", stream)
    print_json({"name": name})
    print_text(name)
    stream.flush()
    written = stream.buffer.getvalue().decode(encoding)
    found, end = json.JSONDecoder().raw_decode(written)
    assert found == {"name": name}
    assert written[end:].strip() == name.encode(encoding, "backslashreplace").decode(encoding)
