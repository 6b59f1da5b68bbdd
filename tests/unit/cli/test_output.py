"""What the command line prints of names that came from a file, a network or a person."""

import pytest

from desktop.cli.output import print_error, print_table
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


def test_text_of_every_language_is_shown_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    print_error(FileUnreadable(path="/模型/ж é 😀\u3000x.gguf", reason="it is gone"))
    assert "/模型/ж é 😀\u3000x.gguf" in capsys.readouterr().err
