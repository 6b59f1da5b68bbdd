"""The children that answer dry runs: they may die of a question, do not grow, and are few."""

import asyncio
import gc
import sys
import threading
from pathlib import Path
from typing import Any

import psutil
import pytest

from desktop.engine.failure import CorruptModel, EngineAborted
from desktop.engine.protocol import ImaginedDevice, LoadPlan
from desktop.fit.dry_run.answers import Answers
from desktop.fit.dry_run.asking import ask_engine
from desktop.fit.dry_run.dry_runs import CHILDREN, DryRuns
from desktop.gguf.header import read_header
from desktop.gguf.stub import stub_of_file
from desktop.hardware.pipe import LineChild
from tests.support.gguf_writer import dense_model, write_gguf
from tests.support.loud_log import LoudLog
from tests.support.models.decoders import write_dense, write_draft
from tests.support.models.projectors import write_vision_projector
from tests.unit.fit.builders import bare_plan

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(300)]
MIB = 1 << 20
MOST_GROWTH = 8 * MIB


def stub_of(path: Path) -> Path:
    stub = path.with_suffix(".stub")
    stub_of_file(path, read_header(path)).write(stub)
    return stub


def deadly_model(path: Path) -> Path:
    """A mixture of which no expert works: our reader has no reason to refuse it, the engine gives up."""
    metadata, tensors = dense_model()
    return write_gguf(path, metadata | {"llama.expert_count": 8, "llama.expert_used_count": 0}, tensors)


def only_child(runs: DryRuns) -> psutil.Process:
    """The process that answers, where there is one."""
    (pid,) = runs.pids
    return psutil.Process(pid)


async def until_asked(runs: DryRuns) -> None:
    while not runs.is_asking:
        await asyncio.sleep(0)


async def test_a_hundred_questions_of_which_one_is_deadly(tmp_path: Path) -> None:
    good = stub_of(write_gguf(tmp_path / "good.gguf", *dense_model()))
    deadly = stub_of(deadly_model(tmp_path / "deadly.gguf"))
    pids: set[int] = set()
    async with DryRuns() as runs:
        for number in range(100):
            if number == 40:
                with pytest.raises(EngineAborted, match="GGML_ASSERT"):
                    await runs.ask(bare_plan(deadly))
                assert not runs.pids
                continue
            answer = await runs.ask(bare_plan(good, n_ctx=256 * (number + 1)))
            assert answer.n_ctx == 256 * (number + 1)
            pids.update(runs.pids)
    assert len(pids) == 2
    assert not any(psutil.pid_exists(pid) for pid in pids)


async def test_who_asks_at_the_same_time_is_answered_although_one_question_is_deadly(tmp_path: Path) -> None:
    good = stub_of(write_gguf(tmp_path / "good.gguf", *dense_model()))
    deadly = stub_of(deadly_model(tmp_path / "deadly.gguf"))
    async with DryRuns() as runs:
        asked = [runs.ask(bare_plan(deadly if number == 3 else good, n_ctx=256 * (number + 1))) for number in range(8)]
        answers = await asyncio.gather(*asked, return_exceptions=True)
    died = answers.pop(3)
    assert isinstance(died, EngineAborted)
    assert [getattr(answer, "n_ctx", answer) for answer in answers] == [256, 512, 768, 1280, 1536, 1792, 2048]


@pytest.mark.skipif(sys.platform != "linux", reason="what a process holds is told otherwise elsewhere")
async def test_the_child_does_not_grow(tmp_path: Path) -> None:
    model = write_dense(tmp_path)
    stub = stub_of(model)
    beside = {"draft_path": str(write_draft(tmp_path)), "mmproj_path": str(write_vision_projector(tmp_path))}
    sizes = []
    async with DryRuns() as runs:
        for number in range(500):
            free = (8 << 30) + number * MIB  # another program comes and goes
            cards = [ImaginedDevice(name=f"GPU{one}", memory_total=24 << 30, memory_free=free) for one in range(2)]
            split: dict[str, Any] = {"n_gpu_layers": 5, "devices": ("GPU0", "GPU1"), "tensor_split": (2, 3)}
            more = beside if number % 10 == 0 else {}
            await runs.ask(bare_plan(stub, n_ctx=256 * (number % 20 + 1), **split, **more), imagined=cards)
            if number % 100 == 99:
                sizes.append(only_child(runs).memory_info().rss)
    assert max(sizes[1:]) - sizes[0] < MOST_GROWTH, [size / MIB for size in sizes]


async def test_a_child_that_died_while_nobody_asked_costs_no_question(tmp_path: Path) -> None:
    good = stub_of(write_gguf(tmp_path / "good.gguf", *dense_model()))
    async with DryRuns() as runs:
        await runs.ask(bare_plan(good))
        child = only_child(runs)
        child.kill()
        while child.is_running():  # until its owner has seen its end
            await asyncio.sleep(0.01)
        assert (await runs.ask(bare_plan(good, n_ctx=1024))).n_ctx == 1024


async def test_a_child_that_dies_before_it_reads_costs_no_question(tmp_path: Path) -> None:
    good = stub_of(write_gguf(tmp_path / "good.gguf", *dense_model()))
    async with DryRuns() as runs:
        await runs.ask(bare_plan(good))
        child = only_child(runs)
        child.suspend()
        asked = asyncio.ensure_future(runs.ask(bare_plan(good, n_ctx=1024)))
        await until_asked(runs)
        child.kill()
        assert (await asked).n_ctx == 1024


@pytest.mark.parametrize("begun", [True, False], ids=["with a child", "before there is one"])
async def test_closing_cancels_who_asks_and_is_no_crash(begun: bool, tmp_path: Path) -> None:
    good = stub_of(write_gguf(tmp_path / "good.gguf", *dense_model()))
    answers = Answers(tmp_path / "answers.sqlite3")
    runs = DryRuns(answers)
    if begun:
        await runs.ask(bare_plan(good))
        only_child(runs).suspend()  # so that nothing is answered before
    asked = [asyncio.ensure_future(runs.ask(bare_plan(good, n_ctx=256 * n), stub_key=f"{n % 3}")) for n in range(1, 7)]
    await until_asked(runs)
    await runs.close()
    ends = await asyncio.wait_for(asyncio.gather(*asked, return_exceptions=True), 100)
    assert [type(end) for end in ends] == [asyncio.CancelledError] * 6
    with pytest.raises(asyncio.CancelledError):
        await runs.ask(bare_plan(good))
    assert not runs.pids
    assert answers._database._database is None, "opened again"


async def test_while_it_is_paused_there_is_no_child_and_questions_wait(tmp_path: Path) -> None:
    good = stub_of(write_gguf(tmp_path / "good.gguf", *dense_model()))
    async with DryRuns() as runs:
        first = asyncio.ensure_future(runs.ask(bare_plan(good)))
        await until_asked(runs)
        async with runs.paused():
            assert (await first).n_ctx == 512  # the question under way was answered
            waiting = asyncio.ensure_future(runs.ask(bare_plan(good, n_ctx=1024)))
            await asyncio.sleep(0.3)
            assert not waiting.done()
            assert not runs.pids
        assert (await waiting).n_ctx == 1024


async def test_a_child_that_was_made_ready_answers_and_is_the_only_one(tmp_path: Path) -> None:
    good = stub_of(write_gguf(tmp_path / "good.gguf", *dense_model()))
    runs = DryRuns()
    runs.get_ready()
    ready = only_child(runs)
    runs.get_ready()
    assert (await runs.ask(bare_plan(good))).n_ctx == 512
    assert only_child(runs) == ready
    await runs.close()
    runs.get_ready()
    assert not runs.pids


async def test_nothing_is_made_ready_while_it_is_paused() -> None:
    async with DryRuns() as runs, runs.paused():
        runs.get_ready()
        assert not runs.pids


async def test_a_child_that_dies_in_the_middle_of_its_answer_is_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = "import os, sys; sys.stdin.readline(); os.write(1, b'{\"n_ctx\": 5'); os.abort()"
    monkeypatch.setattr("desktop.hardware.pipe.child_command", lambda *_: [sys.executable, "-c", script])
    async with DryRuns() as runs:
        with pytest.raises(EngineAborted):
            await runs.ask(bare_plan(tmp_path / "m.stub"))


async def leave_a_question(runs: DryRuns, plan: LoadPlan) -> psutil.Process:
    """Ask and be cancelled before there is an answer; the child, which is stopped."""
    child = only_child(runs)
    child.suspend()
    asked = asyncio.ensure_future(runs.ask(plan))
    await until_asked(runs)
    await asyncio.sleep(0.01)  # so that the question was written
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    return child


async def test_who_leaves_before_the_answer_costs_no_child(tmp_path: Path) -> None:
    good = stub_of(write_gguf(tmp_path / "good.gguf", *dense_model()))
    async with DryRuns() as runs:
        await runs.ask(bare_plan(good))
        child = await leave_a_question(runs, bare_plan(good, n_ctx=1024))
        waiting = [asyncio.ensure_future(runs.ask(bare_plan(good, n_ctx=256 * n))) for n in (6, 7, 8)]
        await asyncio.sleep(0)
        waiting.pop(0).cancel()
        child.resume()
        assert [answer.n_ctx for answer in await asyncio.gather(*waiting)] == [1792, 2048]
        assert child.pid in runs.pids
        assert child.is_running()


async def test_a_second_child_answers_only_while_the_first_is_busy(tmp_path: Path) -> None:
    good = stub_of(write_gguf(tmp_path / "good.gguf", *dense_model()))
    async with DryRuns() as runs:
        for number in range(3):
            await runs.ask(bare_plan(good, n_ctx=256 * (number + 1)))
        first = only_child(runs)
        first.suspend()
        asked = [asyncio.ensure_future(runs.ask(bare_plan(good, n_ctx=256 * number))) for number in range(4, 9)]
        await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
        assert len(runs.pids) == CHILDREN
        assert sum(each.done() for each in asked) >= 1
        first.resume()
        assert [answer.n_ctx for answer in await asyncio.gather(*asked)] == [1024, 1280, 1536, 1792, 2048]
        assert len(runs.pids) == CHILDREN


async def test_after_a_rest_there_is_no_child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good = stub_of(write_gguf(tmp_path / "good.gguf", *dense_model()))
    monkeypatch.setattr("desktop.fit.dry_run.dry_runs.REST", 0.05)
    async with DryRuns() as runs:
        await asyncio.gather(*(runs.ask(bare_plan(good, n_ctx=256 * number)) for number in range(1, 5)))
        while runs.pids or psutil.Process().children():
            await asyncio.sleep(0.01)
        assert (await runs.ask(bare_plan(good, n_ctx=4096))).n_ctx == 4096


async def test_a_question_within_the_rest_keeps_the_child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good = stub_of(write_gguf(tmp_path / "good.gguf", *dense_model()))
    monkeypatch.setattr("desktop.fit.dry_run.dry_runs.REST", 0.5)
    async with DryRuns() as runs:
        await runs.ask(bare_plan(good))
        child = only_child(runs)
        child.suspend()
        asked = asyncio.ensure_future(runs.ask(bare_plan(good, n_ctx=1024)))
        await asyncio.sleep(1.0)
        assert only_child(runs) == child
        child.resume()
        assert (await asked).n_ctx == 1024


async def test_a_question_that_was_left_does_not_keep_it_from_closing(tmp_path: Path) -> None:
    good = stub_of(write_gguf(tmp_path / "good.gguf", *dense_model()))
    async with DryRuns() as runs:
        await runs.ask(bare_plan(good))
        child = await leave_a_question(runs, bare_plan(good, n_ctx=1024))
    assert not child.is_running()
    assert len(asyncio.all_tasks()) == 1


async def test_what_goes_wrong_with_a_question_that_was_left_is_no_error_in_the_log(
    tmp_path: Path, loud_log: LoudLog
) -> None:
    good = stub_of(write_gguf(tmp_path / "good.gguf", *dense_model()))
    deadly = stub_of(deadly_model(tmp_path / "deadly.gguf"))
    async with DryRuns() as runs:
        await runs.ask(bare_plan(good))
        child = await leave_a_question(runs, bare_plan(deadly))
        child.resume()
        assert (await runs.ask(bare_plan(good, n_ctx=1024))).n_ctx == 1024
        while runs.is_asking:
            await asyncio.sleep(0.01)
    gc.collect()  # tasks whose error nobody took say so when they go
    assert not loud_log.unexpected()


async def test_a_pause_waits_for_children_that_are_ending_after_their_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = stub_of(write_gguf(tmp_path / "good.gguf", *dense_model()))
    ending, end = asyncio.Event(), LineChild.close

    async def slowly(child: LineChild) -> None:
        ending.set()
        await asyncio.sleep(0.2)
        await end(child)

    monkeypatch.setattr("desktop.fit.dry_run.dry_runs.REST", 0.0)
    monkeypatch.setattr(LineChild, "close", slowly)
    async with DryRuns() as runs:
        await runs.ask(bare_plan(good))
        await ending.wait()
        async with runs.paused():
            assert not psutil.Process().children()


async def test_an_earlier_rest_does_not_end_a_child_that_was_made_ready_after_a_pause(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = stub_of(write_gguf(tmp_path / "good.gguf", *dense_model()))
    monkeypatch.setattr("desktop.fit.dry_run.dry_runs.REST", 0.3)
    async with DryRuns() as runs:
        await runs.ask(bare_plan(good))
        async with runs.paused():
            pass
        monkeypatch.setattr("desktop.fit.dry_run.dry_runs.REST", 60.0)
        runs.get_ready()
        child = only_child(runs)
        await asyncio.sleep(0.6)
        assert only_child(runs) == child


async def test_a_long_name_is_not_written_into_a_pipe_that_nobody_reads(tmp_path: Path) -> None:
    good = stub_of(write_gguf(tmp_path / "good.gguf", *dense_model()))
    async with DryRuns() as runs:
        await runs.ask(bare_plan(good))
        child = only_child(runs)
        child.suspend()
        late = threading.Timer(20, child.resume)  # else a loop that waits for the pipe would wait for good
        late.start()
        asked = asyncio.ensure_future(runs.ask(bare_plan(good, n_ctx=1024, model_name="n" * 300_000)))
        await until_asked(runs)
        await asyncio.sleep(0.1)
        assert late.is_alive()
        late.cancel()
        child.resume()
        assert (await asked).n_ctx == 1024
    late.join()


async def test_what_the_engine_refuses_is_said_of_the_model_and_not_of_its_stub(tmp_path: Path) -> None:
    metadata, tensors = dense_model()
    more = metadata | {"llama.block_count": 40}  # than there are tensors of
    model = write_gguf(tmp_path / "good.gguf", more, tensors)
    async with DryRuns() as runs:
        with pytest.raises(CorruptModel) as refused:
            await ask_engine(runs, bare_plan(model), read_header(model), (), folder=tmp_path / "stubs")
    assert str(refused.value) == f"{model} is damaged or incomplete."
    assert not any("stubs" in text for text in (repr(refused.value.arguments), repr(refused.value.failure)))


async def test_two_pauses_one_after_the_other_and_one_that_fails_leave_all_turns(tmp_path: Path) -> None:
    good = stub_of(write_gguf(tmp_path / "good.gguf", *dense_model()))

    async def fail(runs: DryRuns) -> None:
        async with runs.paused():
            raise ValueError

    async with DryRuns() as runs:
        asked = [asyncio.ensure_future(runs.ask(bare_plan(good, n_ctx=256 * number))) for number in range(1, 7)]
        await until_asked(runs)
        paused = [asyncio.ensure_future(fail(runs)) for _ in range(3)]
        paused[1].cancel()
        ends = await asyncio.gather(*paused, return_exceptions=True)
        assert [type(end) for end in ends] == [ValueError, asyncio.CancelledError, ValueError]
        assert [answer.n_ctx for answer in await asyncio.gather(*asked)] == [256, 512, 768, 1024, 1280, 1536]


async def test_who_leaves_while_the_disk_is_slow_does_not_have_the_answers_opened_after_they_were_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = Answers(tmp_path / "answers.sqlite3")
    find, looking, disk, found = answers.find, threading.Event(), threading.Event(), threading.Event()

    def slowly(*question: Any) -> Any:
        looking.set()
        disk.wait()
        find(*question)
        found.set()

    monkeypatch.setattr(answers, "find", slowly)
    runs = DryRuns(answers)
    asked = asyncio.ensure_future(runs.ask(bare_plan(tmp_path / "m.stub"), stub_key="one", hardware="machine"))
    await asyncio.to_thread(looking.wait)
    asked.cancel()
    await asyncio.wait([asked])
    closing = asyncio.ensure_future(runs.close())
    await asyncio.sleep(0.1)
    disk.set()
    await closing
    await asyncio.to_thread(found.wait)
    assert answers._database._database is None, "opened again"
