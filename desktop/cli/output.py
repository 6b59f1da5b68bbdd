"""What the command line prints: results to stdout, everything else to stderr."""

import json
import os
import re
import sys
from typing import TextIO

import msgspec

from desktop.errors import AppError

_JSON = msgspec.json.Encoder()
_NOT_ASCII = re.compile("[^\x00-\x7f]")
_STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_LINES = re.compile("[\t\n]")  # what would end a row, or move its columns


def print_json(value: object) -> None:
    """Print exactly one JSON object, with a newline. Sizes are bytes, times seconds, speeds tokens per second."""
    text = msgspec.json.format(_JSON.encode(value), indent=2).decode()
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:  # a stream of few characters, such as PYTHONIOENCODING=ascii: JSON has its own escapes
        text = _NOT_ASCII.sub(lambda found: json.dumps(found[0])[1:-1], text)
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def print_error(error: AppError) -> None:
    """Print what happened and what to do next."""
    message, hint = error.explain()
    print_note(f"error: {message}\nhint: {hint}")


def print_note(text: str) -> None:
    """Print a line for people, on stderr."""
    write_stderr(visible(text) + "\n")


def write_stderr(text: str) -> None:
    """Write to stderr at once. Where nobody reads it any more, it goes nowhere, and the work goes on."""
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except OSError:
        close_quietly(sys.stderr)


def print_text(text: str = "") -> None:
    """Print lines for people, on stdout; names in them may come from a file, a card or a network."""
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(visible(text).encode(encoding, "backslashreplace").decode(encoding) + "\n")


def visible(text: str) -> str:
    """Return `text` with what would steer the terminal, or turn the direction of writing, in its escaped form."""
    return _STEERING.sub(_escaped, text)


def print_table(rows: list[tuple[str, ...]], *, right: tuple[int, ...] = ()) -> None:
    """Print rows in columns; the first row is the heading. `right` are the columns that are aligned right."""
    rows = [tuple(_LINES.sub(_escaped, visible(cell)) for cell in row) for row in rows]
    widths = [max(display_width(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        cells = (_padded(cell, widths[i], right=i in right) for i, cell in enumerate(row))
        print_text("  ".join(cells).rstrip())


def display_width(text: str) -> int:
    """Return the columns `text` takes on a terminal: wide East Asian characters take two."""
    from unicodedata import east_asian_width

    return sum(2 if east_asian_width(character) in "WF" else 1 for character in text)


def replace_closed_streams() -> None:
    """Give the streams that a caller closed (`>&-`) the null device, before another file gets their number."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115, PTH123 - open to the end


def close_quietly(stream: TextIO) -> None:
    """After the reader of a pipe went away: keep the interpreter's own flush at exit from failing on it."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def is_terminal(stream: TextIO | None) -> bool:
    """Tell whether a person looks at `stream`; it may be missing in a windowed build."""
    return stream is not None and stream.isatty()


def _escaped(found: "re.Match[str]") -> str:
    return ascii(found[0])[1:-1]


def _padded(text: str, width: int, *, right: bool) -> str:
    space = " " * (width - display_width(text))
    return space + text if right else text + space
