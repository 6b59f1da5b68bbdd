"""`snug bench`, with the real engine."""

import asyncio
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from desktop.actions.bench import BenchReport
from desktop.cli.bench import _print_report
from desktop.cli.main import run_command_line
from desktop.engine.protocol import LoadedModel, LoadPlan
from desktop.fit.remembered.observed import Observed
from desktop.fit.speeds.speed_probe import measure_speeds
from desktop.library.errors import ModelFileGone
from desktop.paths import user_paths

pytestmark = pytest.mark.usefixtures("snug_home")


@pytest.fixture
def measured() -> str:
    """The engine with which the machine is as if it was measured before, with the types of the starter model only."""
    answer = asyncio.run(measure_speeds(types=("q4_1", "q8_0", "f32")))
    observed = Observed(user_paths().observed_database)
    for device in answer.devices:
        observed.note_probe(device, driver="", engine=answer.engine)
    observed.close()
    return answer.engine


def test_speed_and_memory_stand_beside_what_was_predicted_and_are_remembered(
    capsys: pytest.CaptureFixture[str], starter_model: Path, measured: str
) -> None:
    assert run_command_line(["bench", str(starter_model), "--context", "1024", "--depths", "64,0", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert [row["depth"] for row in answer["rows"]] == [0, 64]
    for row in answer["rows"]:
        assert set(row) == {"depth", "prefill", "decode", "predicted_prefill", "predicted_decode"}
        assert all(value > 0 for name, value in row.items() if name != "depth")
    assert answer["layers_per_device"] == {"CPU": 31}
    memory = answer["memory"]["CPU"]
    assert memory["predicted"] >= memory["measured"] > 90 << 20
    observed = Observed(user_paths().observed_database)
    runs = observed.runs(engine=measured)
    observed.close()
    assert sorted(run.depth for run in runs) == [0, 64]
    assert {run.placement for run in runs} == {"CPU:31"}
    assert run_command_line(["fit", str(starter_model), "--context", "1024", "--json"]) == 0
    speed = json.loads(capsys.readouterr().out)["speed"]
    assert speed["measured"]
    assert speed["prefill_low"] < speed["prefill"] < speed["prefill_high"]


def test_a_name_in_a_file_does_not_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    plan = LoadPlan(model_path="m.gguf", model_name="m", n_ctx=512, flash_attention="on")
    facts: dict[str, Any] = {"architecture": "llama", "n_layer": 1, "n_ctx": 512, "n_ctx_train": 512, "n_vocab": 9}
    facts |= {"n_params": 9, "n_threads": 1, "has_chat_template": True, "memory": (), "load_seconds": 1.0}
    loaded = LoadedModel(name="m", layers=("CPU", "CPU"), **facts)
    name = "\x1b[2JFree\u202ebeer"
    _print_report(
        BenchReport(model=name, quantization="Q4_0", plan=plan, loaded=loaded, predicted=(), measured=(), rows=())
    )
    assert capsys.readouterr().out.startswith(r"\x1b[2JFree\u202ebeer (Q4_0), 512 tokens")


def test_an_error_does_not_stand_behind_the_line_of_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    async def fails(*_: object, on_stage: Callable[[str, float], None], **__: object) -> None:
        on_stage("run", 0.5)
        raise ModelFileGone(model="m", path="m.gguf")

    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setattr("desktop.actions.bench.bench_model", fails)
    assert run_command_line(["bench", "m.gguf"]) == 1
    assert "running ... 50%\x1b[K\r\x1b[Kerror: " in terminal.getvalue()


def test_a_context_that_is_too_small_is_called_that(capsys: pytest.CaptureFixture[str], starter_model: Path) -> None:
    assert run_command_line(["bench", str(starter_model), "--context", "100"]) == 2
    assert "tokens of context are too few to measure; it takes " in capsys.readouterr().err


@pytest.mark.parametrize("words", [["--depths", "much"], ["--context", "1024", "--depths", "1000"]])
def test_depths_that_cannot_be_are_refused(
    words: list[str], capsys: pytest.CaptureFixture[str], starter_model: Path
) -> None:
    assert run_command_line(["bench", str(starter_model), *words]) != 0
    assert "depths" in capsys.readouterr().err
