"""Every message survives the wire, garbage is an error and never a crash, and the document says what is declared."""

import random
import subprocess
import sys

import msgspec
import pytest

from desktop.engine.protocol import AppMessage, EngineMessage, Generate, Load, LoadPlan, PromptMessage
from desktop.errors import Phrase
from tests.support.protocol_document import DOCUMENT, protocol_document
from tests.support.protocol_fuzz import COMMANDS, EVENTS, broken_lines, random_message

AWKWARD: list[msgspec.Struct] = [
    Load(plan=LoadPlan(model_path="/ü/模型.gguf", model_name="m", n_ctx=1, reasons=(Phrase.of("{n} layers", n=3),))),
    Generate(request_id='"\\', messages=(PromptMessage(role="user", content="a\nb\u2028\0😀"),)),
]


def _comes_back(message: msgspec.Struct) -> bool:
    line = msgspec.json.encode(message)
    both: object = AppMessage | EngineMessage
    return b"\n" not in line and msgspec.json.decode(line, type=both) == message


@pytest.mark.parametrize("message", AWKWARD, ids=lambda message: type(message).__name__)
def test_a_message_comes_back_as_it_was_on_one_line(message: msgspec.Struct) -> None:
    assert _comes_back(message)


@pytest.mark.parametrize("kind", COMMANDS + EVENTS)
def test_extreme_values_of_every_message_come_back_as_they_were(kind: type[msgspec.Struct]) -> None:
    chance = random.Random(kind.__name__)
    for _ in range(5):
        assert _comes_back(random_message(kind, chance))


@pytest.mark.parametrize("kind", COMMANDS + EVENTS)
def test_every_message_is_named_in_the_introduction_to_the_document(kind: type[msgspec.Struct]) -> None:
    assert f"`{kind.__name__}`" in DOCUMENT.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "line",
    [b"", b"{}", b"[]", b'{"type":"Nope"}', b'{"type":"Ping"}', b'{"type":"Ping","nonce":"x"}', b"\xff\xfe", b"{"],
)
def test_garbage_is_an_error(line: bytes) -> None:
    with pytest.raises((msgspec.DecodeError, UnicodeDecodeError)):
        msgspec.json.decode(line, type=AppMessage)


def test_broken_messages_are_read_or_refused_and_nothing_else() -> None:
    chance = random.Random(20260101)
    refused = 0
    for _ in range(300):
        line = msgspec.json.encode(random_message(chance.choice(COMMANDS), chance))
        for broken in broken_lines(line, chance):
            try:
                msgspec.json.decode(broken, type=AppMessage)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):  # what runtime/wire.py answers
                refused += 1
    assert refused > 200


def test_the_document_is_current() -> None:
    stale = "run python -m tests.support.protocol_document"
    assert DOCUMENT.read_text(encoding="utf-8") == protocol_document(), stale


def test_the_owner_never_loads_the_engine() -> None:
    script = (
        "import sys, desktop.engine.client, desktop.engine.inventory\n"
        "bad = [m for m in sys.modules if m.split('.')[0] in ('llama_cpp', 'numpy', 'jinja2')"
        " or m.startswith('desktop.runtime')]\n"
        "sys.exit(repr(bad) if bad else 0)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=30)
    assert done.stderr == ""
    assert done.returncode == 0
