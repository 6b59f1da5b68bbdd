import logging
import sys
from pathlib import Path

import pytest

from desktop.log import LogFile, Private, configure_logging, redact
from desktop.paths import Paths, user_paths


@pytest.fixture
def paths() -> Paths:
    return user_paths()


@pytest.mark.parametrize(
    ("line", "secret"),
    [
        ("using hf_AbCdEfGhIjKlMnOp1234 for the Hub", "hf_AbCdEfGhIjKlMnOp1234"),
        ("key sk-proj-abc123_def456", "sk-proj-abc123_def456"),
        ("Authorization: Bearer abc.def-123", "abc.def-123"),
        ("{'Authorization': 'Bearer abc.def-123'}", "abc.def-123"),
        ("[(b'authorization', b'Basic dXNlcjpwYXNz')]", "dXNlcjpwYXNz"),
        ("headers (b'x-api-key', b'12345678')", "12345678"),
        ('{"api_key": "0123456789abcdef"}', "0123456789abcdef"),
        ("GET https://hub.example/file?token=0123456789&x=1", "0123456789"),
        ("GET https://cdn.example/f?X-Amz-Signature=0a1b2c&Expires=3", "0a1b2c"),
        ("proxy http://anna:geheim@proxy.example:3128", "geheim"),
        ("password=correcthorse", "correcthorse"),
    ],
)
def test_a_secret_never_reaches_the_log(line: str, secret: str) -> None:
    assert secret in line
    assert secret not in redact(line)


@pytest.mark.parametrize(
    "line",
    [
        "142 tokens in 3.2 s",
        "loaded qwen3-8b:Q5_K_M from /data/models",
        "key up",
        "tokens: 1024 of 8192",
        "basic checks passed",
    ],
)
def test_ordinary_lines_stay_as_they_are(line: str) -> None:
    assert redact(line) == line


def test_chat_text_is_told_by_its_length_only() -> None:
    assert f"{Private('my secret story')} {Private('x')!r}" == "<15 characters> <1 characters>"


def test_the_log_is_a_file_without_secrets_even_in_a_traceback(paths: Paths) -> None:
    configure_logging(paths)
    try:
        raise ValueError("bad header Authorization: Bearer abcdef123456")
    except ValueError:
        logging.getLogger("desktop.test").info("prompt %s failed", Private("hello"), exc_info=True)
    text = paths.log_file.read_text(encoding="utf-8")
    assert "prompt <5 characters> failed" in text
    assert "ValueError: bad header" in text
    assert "abcdef123456" not in text


def test_configuring_twice_writes_each_line_once(paths: Paths) -> None:
    configure_logging(paths)
    configure_logging(paths, debug=True)
    logging.getLogger("desktop.test").debug("only once")
    assert paths.log_file.read_text(encoding="utf-8").count("only once") == 1


def test_half_a_character_does_not_stop_the_log(paths: Paths, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(paths)
    logging.getLogger("desktop.test").info("name \ud800 end")
    assert "name ? end" in paths.log_file.read_text(encoding="utf-8")
    assert capsys.readouterr().err == ""


def test_the_log_does_not_grow_without_end(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("desktop.log.LARGEST_FILE", 2000)
    configure_logging(paths)
    for number in range(200):
        logging.getLogger("desktop.test").info("line %d %s", number, "x" * 60)
    files = sorted(paths.logs.iterdir())
    assert len(files) == 4
    assert all(file.stat().st_size <= 2000 for file in files)
    assert "line 199" in paths.log_file.read_text(encoding="utf-8")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a disk that is always full exists on Linux only")
def test_a_full_disk_is_told_once_and_the_program_goes_on(paths: Paths, capsys: pytest.CaptureFixture[str]) -> None:
    paths.logs.mkdir(parents=True)
    paths.log_file.symlink_to("/dev/full")
    configure_logging(paths)
    for _ in range(3):
        logging.getLogger("desktop.test").info("text")
    said = capsys.readouterr().err
    assert said.count("cannot be written") == 1
    assert "No space left" in said
    [handler] = [handler for handler in logging.getLogger().handlers if isinstance(handler, LogFile)]
    logging.getLogger().removeHandler(handler)
    with pytest.raises(OSError, match="No space left"):
        handler.close()  # logging.shutdown() ignores this at the end of the program


def test_a_windowed_program_without_stderr_survives_a_log_that_cannot_be(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths.logs.parent.mkdir(parents=True)
    paths.logs.write_text("a file in place of the folder")
    monkeypatch.setattr(sys, "stderr", None)
    configure_logging(paths)
    logging.getLogger("desktop.test").info("text")
    assert paths.logs.read_text() == "a file in place of the folder"
