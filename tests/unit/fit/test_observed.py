"""What this machine's own runs taught is there after a restart, and a damaged file costs no more than that."""

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from desktop.engine.protocol import AttentionSpeed, DeviceSpeeds, LayerSpeed, TypeSpeed
from desktop.fit.remembered import observed as module
from desktop.fit.remembered.observed import LoadOutcome, Observed, Run

SPEEDS = DeviceSpeeds(
    device="CPU",
    description="A processor",
    threads=2,
    product=1e-6,
    decode_layer=LayerSpeed(start=1e-5, value=1e-9),
    prefill_layer=LayerSpeed(start=1e-6, value=1e-9),
    types=(TypeSpeed(kind="q4_K", read_wide=2e10, read_narrow=1e10, compute_wide=4e10, compute_narrow=3e10),),
    attention=(AttentionSpeed(kind="f16", width=64, decode=4e-8, prefill=6e-9),),
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "observed.sqlite3"


def _run(decode: float, model: str = "m") -> Run:
    return Run(engine="b1", placement="CPU:31", model=model, quantization="Q4_1", depth=0, decode=decode)


def test_what_was_learned_is_there_after_a_restart(path: Path) -> None:
    first = Observed(path)
    first.note_probe(SPEEDS, driver="", engine="b1")
    first.note_run(_run(40.0))
    first.note_overhead("RTX 4090", "550.1", "b1", 300 << 20)
    first.note_outcome("m", _outcome("out_of_memory", 8192))
    first.close()
    again = Observed(path)
    assert again.probe(device="A processor", driver="", engine="b1", threads=2) == SPEEDS
    assert [run.decode for run in again.runs(engine="b1")] == [40.0]
    assert again.overhead("RTX 4090", "550.1", "b1") == 300 << 20
    (outcome,) = again.outcomes("m")
    assert (outcome.outcome, outcome.context, outcome.n_parallel) == ("out_of_memory", 8192, 4)
    assert outcome.at > 0
    again.close()


def test_a_probe_is_that_of_one_driver_engine_and_number_of_threads(path: Path) -> None:
    observed = Observed(path)
    observed.note_probe(SPEEDS, driver="550.1", engine="b1")
    known: dict[str, Any] = {"device": "A processor", "driver": "550.1", "engine": "b1", "threads": 2}
    assert observed.probe(**known) == SPEEDS
    for other in ({"device": "B"}, {"driver": "551"}, {"engine": "b2"}, {"threads": 4}):
        assert observed.probe(**(known | other)) is None
    observed.close()


def test_of_an_overhead_the_largest_of_the_last_few_counts(path: Path) -> None:
    observed = Observed(path)
    assert observed.overhead("card", "1", "b1") is None
    for size in (900, 100, 300, 200, 150, 120):
        observed.note_overhead("card", "1", "b1", size)
    assert observed.overhead("card", "1", "b1") == 300
    assert observed.overhead("card", "2", "b1") is None
    observed.close()


def test_outcomes_come_newest_first_and_per_model(path: Path) -> None:
    observed = Observed(path)
    observed.note_outcome("m", _outcome("out_of_memory", 16384))
    observed.note_outcome("m", _outcome("loaded", 8192))
    observed.note_outcome("other", _outcome("loaded", 512))
    assert [(entry.outcome, entry.context) for entry in observed.outcomes("m")] == [
        ("loaded", 8192),
        ("out_of_memory", 16384),
    ]
    observed.close()


def test_old_rows_go_when_there_are_too_many(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_RUNS", 3)
    observed = Observed(path)
    for decode in range(1, 6):
        observed.note_run(_run(decode))
    assert [run.decode for run in observed.runs(engine="b1")] == [5, 4, 3]
    observed.close()


@pytest.mark.allow_log("begins anew|not used any more")
def test_a_damaged_file_is_moved_aside_and_said(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"this is no database" * 1000)
    observed = Observed(path)
    observed.note_run(_run(40.0))
    assert len(observed.runs(engine="b1")) == 1
    (notice,) = observed.notices
    kept = next(path.parent.glob("observed.sqlite3.bad-*"))
    assert kept.read_bytes().startswith(b"this is no database")
    assert str(kept) in notice.render()
    observed.close()


@pytest.mark.allow_log("begins anew|not used any more")
def test_a_file_that_is_damaged_inside_is_moved_aside_when_that_is_met(path: Path) -> None:
    observed = Observed(path)
    for index in range(300):
        observed.note_run(_run(index, model="m" * 200))
    observed.close()
    data = bytearray(path.read_bytes())
    data[8192:] = b"\xff" * (len(data) - 8192)  # the schema stays, rows and indexes do not
    path.write_bytes(data)
    again = Observed(path)
    assert again.runs(engine="b1") == ()
    again.note_run(_run(40.0))
    assert [run.decode for run in again.runs(engine="b1")] == [40.0]
    assert len(again.notices) == 1
    again.close()


@pytest.mark.allow_log("begins anew|not used any more")
def test_a_folder_that_cannot_be_written_costs_only_what_would_be_learned(tmp_path: Path) -> None:
    (tmp_path / "data").write_bytes(b"")  # a file where the folder should be
    observed = Observed(tmp_path / "data" / "observed.sqlite3")
    observed.note_run(_run(40.0))
    assert observed.runs(engine="b1") == ()
    observed.close()


def test_two_processes_may_write(path: Path) -> None:
    observed = Observed(path)
    code = (
        "import sys; from pathlib import Path; from desktop.fit.remembered.observed import Observed\n"
        "other = Observed(Path(sys.argv[1]))\n"
        "for size in range(50): other.note_overhead('card', '1', 'b1', size)\n"
        "other.close()"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(path)]) as child:
        for size in range(50):
            observed.note_overhead("mine", "1", "b1", size)
    assert child.returncode == 0
    assert observed.overhead("card", "1", "b1") == 49
    assert observed.overhead("mine", "1", "b1") == 49
    observed.close()


def _outcome(outcome: module.Outcome, context: int) -> LoadOutcome:
    return LoadOutcome(outcome=outcome, context=context, type_k="f16", type_v="f16", n_gpu_layers=33, n_parallel=4)


def test_what_was_noted_while_the_clock_was_ahead_is_not_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    observed = Observed(tmp_path / "observed.sqlite3")
    ended = LoadOutcome(outcome="out_of_memory", context=4096, type_k="f16", type_v="f16", n_gpu_layers=0, n_parallel=1)
    now = time.time()
    monkeypatch.setattr("desktop.fit.remembered.observed.time.time", lambda: now + 3 * 365 * 86400)
    observed.note_outcome("m", ended)
    monkeypatch.undo()
    assert observed.outcomes("m") == ()
    observed.note_outcome("m", ended)
    assert len(observed.outcomes("m")) == 1
    observed.close()
