import argparse
import asyncio
import json
import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from desktop.actions import load as load_module
from desktop.actions import models as models_module
from desktop.catalog.catalog import load_catalog
from desktop.catalog.types import Catalog
from desktop.cli import chat
from desktop.cli.main import run_command_line
from desktop.engine.failure import explain_failure
from desktop.engine.protocol import MOST_CONTEXT, EngineFailure, FailureKind
from desktop.errors import AppError, WrongUsage
from desktop.library.types import InstalledModel
from desktop.settings import MODEL_SAMPLING, SYSTEM_PROMPT, TEMPERATURE, SamplingOverrides
from desktop.settings_store import SettingsStore
from tests.support.fake_engine import FakeEngine, Finish, Thought


@pytest.fixture
def settings(tmp_path: Path) -> SettingsStore:
    return SettingsStore.open(tmp_path / "settings.json")


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    async def load_model(
        _services: Any, model: InstalledModel, *, context: int | None, on_progress: Any, **_: Any
    ) -> None:
        loads.append((model.id, context))
        on_progress(0.5)

    def find_model(_services: Any, reference: str | None) -> InstalledModel:
        return msgspec.structs.replace(model, id=reference or model.id)

    loads: list[tuple[str, int | None]] = []
    model = InstalledModel(
        id="fake:Q4_0", model_id="fake", name="Fake 1B", quantization="Q4_0", path="/models/fake.gguf", size=1
    )
    monkeypatch.setattr(load_module, "load_model", load_model)
    monkeypatch.setattr(models_module, "find_model", find_model)
    engine = FakeEngine(["Hello ", "there."])
    engine.loads = loads  # type: ignore[attr-defined]
    return engine


def parse(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    chat.add_parser(parser.add_subparsers())
    return parser.parse_args(["chat", *words])


def run(engine: FakeEngine, settings: SettingsStore, *words: str) -> int:
    services: Any = SimpleNamespace(engine=engine, settings=settings, catalog=Catalog(models=()))
    return asyncio.run(chat.run(parse(*words), services))


def test_the_reply_goes_to_stdout_and_nothing_else_does(
    engine: FakeEngine, settings: SettingsStore, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(engine, settings, "Hi") == 0
    assert capsys.readouterr() == ("Hello there.\n", "")


def test_a_model_on_the_disk_answers_without_the_catalog(
    engine: FakeEngine, settings: SettingsStore, capsys: pytest.CaptureFixture[str]
) -> None:
    class Spoilt(SimpleNamespace):
        @property
        def catalog(self) -> Catalog:
            return load_catalog(Path("/nothing/models.json"))

    services: Any = Spoilt(engine=engine, settings=settings)
    assert asyncio.run(chat.run(parse("Hi"), services)) == 0
    shown = capsys.readouterr()
    assert shown.out == "Hello there.\n"
    assert "catalog" in shown.err


def test_the_prompt_may_come_from_a_pipe(engine: FakeEngine, settings: SettingsStore) -> None:
    reading, writing = os.pipe()
    os.write(writing, "你好\n".encode() + b"\xff")
    os.close(writing)
    before = os.dup(0)
    os.dup2(reading, 0)
    try:
        assert run(engine, settings) == 0
    finally:
        os.dup2(before, 0)
        os.close(before)
        os.close(reading)
    assert engine.requests[0].messages[-1].content == "你好\n\ufffd"


def test_json_is_one_object_with_the_documented_fields(
    engine: FakeEngine, settings: SettingsStore, capsys: pytest.CaptureFixture[str]
) -> None:
    engine.replies[0] = [Thought("hm"), "42"]
    assert run(engine, settings, "--json", "?") == 0
    value = json.loads(capsys.readouterr().out)
    assert (value["text"], value["reasoning"], value["finish_reason"]) == ("42", "hm", "stop")
    assert set(value["usage"]) == {"prompt", "completion", "cached"}
    assert set(value["timings"]) == {"ttft", "prefill_speed", "decode_speed"}
    assert value["speculation"] == {"mode": "off", "reason": None, "drafted": 0, "accepted": 0}


def test_json_says_how_tokens_were_guessed(
    engine: FakeEngine, settings: SettingsStore, capsys: pytest.CaptureFixture[str]
) -> None:
    assert engine.loaded is not None
    engine.loaded = msgspec.structs.replace(
        engine.loaded, speculation="prompt_lookup", speculation_reason="when_faster"
    )
    engine.replies[0] = ["42", Finish(drafted=80, accepted=61)]
    run(engine, settings, "--json", "?")
    told = json.loads(capsys.readouterr().out)["speculation"]
    assert told == {"mode": "prompt_lookup", "reason": "when_faster", "drafted": 80, "accepted": 61}


@pytest.mark.parametrize(("drafted", "accepted"), [(80, 61), (0, 0)])
def test_a_person_reads_of_guesses_only_where_some_were_made(
    engine: FakeEngine,
    settings: SettingsStore,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    drafted: int,
    accepted: int,
) -> None:
    monkeypatch.setattr(chat, "is_terminal", lambda stream: stream is sys.stderr)
    engine.replies[0] = ["one ", "two", Finish(drafted=drafted, accepted=accepted)]
    run(engine, settings, "Hi")
    line = capsys.readouterr().err.splitlines()[-1].rpartition("\r")[2]
    assert ("61 of 80 guesses right" in line) == (drafted > 0)
    assert "2 tokens · 10.0 tok/s" in line


def test_what_was_typed_wins_over_what_is_set(engine: FakeEngine, settings: SettingsStore) -> None:
    settings.set(TEMPERATURE, 0.3)
    settings.set(SYSTEM_PROMPT, "Be brief.")
    run(
        engine,
        settings,
        "--top-k",
        "0",
        "--seed",
        "7",
        "--stop",
        "a",
        "--stop",
        "b",
        "--max-length",
        "5",
        "--beams",
        "3",
        "Hi",
    )
    request = engine.requests[0]
    assert request.sampling.temperature == 0.3
    assert (request.sampling.top_k, request.sampling.seed, request.sampling.stop) == (0, 7, ("a", "b"))
    assert (request.sampling.max_length, request.sampling.beams) == (5, 3)
    assert [(m.role, m.content) for m in request.messages] == [("system", "Be brief."), ("user", "Hi")]


def test_the_sliders_of_the_window_count_here_too_in_every_quantization(
    engine: FakeEngine, settings: SettingsStore
) -> None:
    settings.set(MODEL_SAMPLING, {"fake": SamplingOverrides(temperature=0.3)})
    run(engine, settings, "Hi")
    assert engine.requests[0].sampling.temperature == 0.3


def test_an_empty_system_prompt_switches_the_set_one_off(engine: FakeEngine, settings: SettingsStore) -> None:
    settings.set(SYSTEM_PROMPT, "Be brief.")
    run(engine, settings, "--system", "", "Hi")
    assert [m.role for m in engine.requests[0].messages] == ["user"]


def test_model_and_context_reach_the_load(engine: FakeEngine, settings: SettingsStore) -> None:
    run(engine, settings, "-m", "qwen3-8b:Q5_K_M", "--context", "4096", "Hi")
    assert engine.loads == [("qwen3-8b:Q5_K_M", 4096)]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "words",
    [
        ["--temperature", "3"],
        ["--top-p", "0"],
        ["--top-p", "nan"],
        ["--max-length", "-1"],
        ["--context", "0"],
        ["--context", str(MOST_CONTEXT + 1)],
        ["--beams", "5"],
    ],
)
def test_a_value_out_of_range_is_wrong_usage_and_loads_nothing(
    engine: FakeEngine, settings: SettingsStore, words: list[str]
) -> None:
    with pytest.raises(WrongUsage) as caught:
        run(engine, settings, *words, "Hi")
    assert caught.value.exit_code == 2
    assert engine.requests == []


@pytest.mark.parametrize("prompt", ["", "  \n"])
def test_an_empty_prompt_is_wrong_usage(engine: FakeEngine, settings: SettingsStore, prompt: str) -> None:
    with pytest.raises(WrongUsage, match="nothing to answer"):
        run(engine, settings, prompt)


def test_a_crash_keeps_what_was_said_on_its_own_line(
    engine: FakeEngine, settings: SettingsStore, capsys: pytest.CaptureFixture[str]
) -> None:
    engine.replies[0] = ["half ", explain_failure(EngineFailure(kind=FailureKind.KILLED, exit_code=-9))]
    with pytest.raises(AppError, match="killed"):
        run(engine, settings, "Hi")
    assert capsys.readouterr().out == "half \n"


def test_a_full_context_is_told_and_not_hidden(
    engine: FakeEngine, settings: SettingsStore, capsys: pytest.CaptureFixture[str]
) -> None:
    engine.replies[0] = ["half", Finish("context_full")]
    run(engine, settings, "Hi")
    assert "context is full" in capsys.readouterr().err


def test_a_reply_cannot_steer_the_terminal(
    engine: FakeEngine, settings: SettingsStore, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chat, "is_terminal", lambda stream: stream is sys.stdout)
    engine.replies[0] = ["a\x1b]0;title\x07b\x9b2J\tc\n"]
    run(engine, settings, "Hi")
    assert capsys.readouterr().out == "a]0;titleb2J\tc\n"


def test_wrong_words_leave_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        run_command_line(["chat", "--temperature", "hot", "Hi"])
    assert caught.value.code == 2
    assert "--temperature" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [("--max-length", "-1", ">= 0"), ("--temperature", "nan", ">= 0.0"), ("--top-p", "2", "<= 1")],
)
def test_an_option_out_of_range_is_named_as_it_was_written(
    engine: FakeEngine, settings: SettingsStore, option: str, value: str, said: str
) -> None:
    with pytest.raises(WrongUsage) as caught:
        run(engine, settings, f"{option}={value}", "Hi")
    assert option in str(caught.value)
    assert said in str(caught.value)


def test_bytes_that_are_no_text_in_a_stop_word_do_no_harm(engine: FakeEngine, settings: SettingsStore) -> None:
    assert run(engine, settings, "--stop", os.fsdecode(b"\xff"), "Hi") == 0
    assert engine.requests[0].sampling.stop == ("\ufffd",)
