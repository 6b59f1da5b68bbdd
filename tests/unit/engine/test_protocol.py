"""Every message survives the wire, and garbage is an error and never a crash."""

import subprocess
import sys

import msgspec
import pytest

from desktop.engine import protocol
from desktop.engine.protocol import AppMessage, EngineMessage, LoadPlan, PromptMessage, Sampling
from desktop.errors import Phrase

PLAN = LoadPlan(model_path="/ü/模型.gguf", model_name="m", n_ctx=1, reasons=(Phrase.of("{n} layers", n=3),))
MESSAGES: list[msgspec.Struct] = [
    protocol.Open(),
    protocol.Load(plan=PLAN, load_id=3),
    protocol.CancelLoad(),
    protocol.Generate(
        request_id="r", messages=(PromptMessage(role="user", content="a\nb\u2028\0😀"),), sampling=Sampling(stop=("x",))
    ),
    protocol.Cancel(request_id="r"),
    protocol.Ping(nonce=2**40),
    protocol.Shutdown(),
    protocol.LoadProgress(fraction=0.5),
    protocol.TextDelta(request_id="r", text='"\\'),
    protocol.Done(request_id="r", finish_reason="stop", stats=protocol.GenerationStats(ttft=0.1)),
    protocol.RequestFailed(
        request_id="r", failure=protocol.EngineFailure(kind=protocol.FailureKind.KILLED, last_lines=("a",))
    ),
    protocol.Pong(nonce=1),
]


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_a_message_comes_back_as_it_was_on_one_line(message: msgspec.Struct) -> None:
    line = msgspec.json.encode(message)
    assert b"\n" not in line
    both: object = AppMessage | EngineMessage
    assert msgspec.json.decode(line, type=both) == message


@pytest.mark.parametrize(
    "line",
    [b"", b"{}", b"[]", b'{"type":"Nope"}', b'{"type":"Ping"}', b'{"type":"Ping","nonce":"x"}', b"\xff\xfe", b"{"],
)
def test_garbage_is_an_error(line: bytes) -> None:
    with pytest.raises((msgspec.DecodeError, UnicodeDecodeError)):
        msgspec.json.decode(line, type=AppMessage)


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
