"""What the engine answered outlives the process, and is never worth an error."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apsw
import msgspec
import pytest

from desktop.engine import build
from desktop.engine.protocol import (
    CacheSize,
    DeviceMemory,
    FitAnswer,
    ImaginedDevice,
)
from desktop.fit.dry_run import answers as answers_module
from desktop.fit.dry_run.answers import Answers
from desktop.fit.dry_run.dry_runs import DryRuns, hardware_key
from desktop.gguf.header import read_header
from desktop.gguf.stub import stub_of_file
from tests.support.engine_workers import rpc_worker
from tests.support.gguf_writer import dense_model, write_gguf
from tests.unit.fit.builders import bare_plan, device

CARD = ImaginedDevice(name="GPU0", memory_total=24 << 30, memory_free=23 << 30)


def an_answer(number: int) -> FitAnswer:
    return FitAnswer(
        question_id=number,
        engine="1",
        layers=("CPU",),
        caches=(CacheSize(size=number, layers=("CPU",)),),
        compute=(DeviceMemory(device="CPU", compute=number),),
        draft=FitAnswer(question_id=number, engine="1"),
    )


@pytest.fixture
def answers(tmp_path: Path) -> Iterator[Answers]:
    kept = Answers(tmp_path / "cache" / "answers.sqlite3")
    yield kept
    kept.close()


@pytest.mark.asyncio
async def test_a_second_process_asks_no_engine(tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "model.gguf", *dense_model())
    key = stub_of_file(path, read_header(path)).key
    plan = bare_plan(path, n_gpu_layers=5, devices=("GPU0",), tensor_split=(5,))
    async with DryRuns(Answers(tmp_path / "answers.sqlite3")) as first:
        asked = await first.ask(plan, stub_key=key, imagined=[CARD])
    async with DryRuns(Answers(tmp_path / "answers.sqlite3")) as second:
        assert await second.ask(plan, stub_key=key, imagined=[CARD]) == asked
        assert not second.pids
        await second.ask(plan, stub_key="another", imagined=[CARD])
        assert second.pids


@pytest.mark.asyncio
async def test_what_a_name_means_may_change_so_real_devices_are_not_kept(tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "model.gguf", *dense_model())
    kept = tmp_path / "answers.sqlite3"
    remote: dict[str, Any] = {"n_gpu_layers": 5, "devices": ("RPC0",), "tensor_split": (5,)}
    with rpc_worker() as endpoint:
        async with DryRuns(Answers(kept)) as runs:
            first = await runs.ask(bare_plan(path, **remote, rpc_endpoints=(endpoint,)), stub_key="a")
            assert await runs.ask(bare_plan(path, **remote, rpc_endpoints=(endpoint,)), stub_key="a") is first
            assert not kept.exists() or count_in(kept) == 0
            await runs.ask(bare_plan(path), stub_key="a")
            assert count_in(kept) == 1


@pytest.mark.asyncio
async def test_what_names_no_card_of_the_machine_is_the_same_beside_any(tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "model.gguf", *dense_model())
    imagined = bare_plan(path, n_gpu_layers=5, devices=("GPU0",), tensor_split=(5,))
    async with DryRuns(Answers(tmp_path / "answers.sqlite3")) as runs:
        alone = await runs.ask(bare_plan(path), stub_key="a")
        assert await runs.ask(bare_plan(path), stub_key="a", hardware="a card") is alone
        first = await runs.ask(imagined, stub_key="a", imagined=[CARD], hardware="a card")
        assert await runs.ask(imagined, stub_key="a", imagined=[CARD], hardware="another") is first


def count_in(path: Path) -> int:
    with contextlib.closing(apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)) as connection:
        return int(connection.execute("SELECT count(*) FROM answers").get)


def test_devices_are_told_apart_by_more_than_their_names() -> None:
    card = device("CUDA0", 23)
    fuller = msgspec.structs.replace(card, memory_free=1 << 30)
    other = msgspec.structs.replace(card, description="Another card")
    assert hardware_key([card]) == hardware_key([fuller])
    assert len({hardware_key([card]), hardware_key([other]), hardware_key([card], "driver 2"), hardware_key([])}) == 4


def test_what_was_kept_is_found_by_header_question_and_engine(
    answers: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers.keep("a", b"question", an_answer(7))
    assert answers.find("a", b"question") == an_answer(7)
    assert answers.find("b", b"question") is None
    assert answers.find("a", b"other") is None
    monkeypatch.setattr(answers_module, "engine_build", lambda: "another build")
    assert answers.find("a", b"question") is None


def test_the_oldest_are_forgotten(tmp_path: Path) -> None:
    answers = Answers(tmp_path / "answers.sqlite3", most=10)
    for number in range(25):
        answers.keep("a", str(number).encode(), an_answer(number))
    found = [number for number in range(25) if answers.find("a", str(number).encode())]
    assert found == list(range(15, 25))
    answers.close()


@pytest.mark.allow_log("begins anew")
@pytest.mark.parametrize("damage", ["text", "header", "middle", "other"])
def test_a_damaged_file_begins_anew_and_is_kept(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "answers.sqlite3"
    answers = Answers(path)
    for number in range(200):
        answers.keep("a", str(number).encode(), an_answer(number))
    answers.close()
    data = bytearray(path.read_bytes())
    if damage == "text":
        data = bytearray(b"no database at all" * 100)
    elif damage == "header":
        data[:100] = bytes(100)
    elif damage == "middle":
        data[4096 : len(data) // 2] = os.urandom(len(data) // 2 - 4096)
    else:
        data[68:72] = b"ours"  # the application's number
    path.write_bytes(data)
    again = Answers(path)
    for number in range(200):
        again.find("a", str(number).encode())
    again.keep("a", b"new", an_answer(1))
    assert again.find("a", b"new") == an_answer(1)
    again.close()
    assert list(tmp_path.glob("answers.sqlite3.bad-*"))


@pytest.mark.allow_log("not used any more")
def test_a_folder_that_cannot_be_had_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    answers = Answers(tmp_path / "file" / "answers.sqlite3")
    answers.keep("a", b"question", an_answer(7))
    assert answers.find("a", b"question") is None
    answers.close()


@pytest.mark.allow_log("cannot be used")
def test_a_table_that_is_gone_is_no_error(tmp_path: Path) -> None:
    path = tmp_path / "answers.sqlite3"
    answers = Answers(path)
    answers.keep("a", b"question", an_answer(7))
    answers.close()
    with apsw.Connection(str(path)) as connection:
        connection.execute("DROP TABLE answers")
    connection.close()
    answers.keep("a", b"question", an_answer(7))
    assert answers.find("a", b"question") is None
    answers.close()


_WRITER = """
import sys
from pathlib import Path
from desktop.engine.protocol import FitAnswer
from desktop.fit.dry_run.answers import Answers
answers = Answers(Path(sys.argv[1]))
for number in range(100):
    answers.keep(sys.argv[2], str(number).encode(), FitAnswer(question_id=number, engine="1"))
answers.close()
"""


def test_two_processes_may_use_it(tmp_path: Path) -> None:
    path = tmp_path / "answers.sqlite3"
    writers = [
        subprocess.Popen([sys.executable, "-c", _WRITER, str(path), name], stderr=subprocess.PIPE, text=True)
        for name in ("one", "two")
    ]
    complaints = [writer.communicate(timeout=60)[1] for writer in writers]
    assert (complaints, [writer.returncode for writer in writers]) == (["", ""], [0, 0])
    answers = Answers(path)
    assert all(answers.find(name, str(number).encode()) for name in ("one", "two") for number in range(100))
    answers.close()


def test_another_build_of_the_engine_is_told_without_starting_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "llama_cpp"
    (package / "lib").mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('it was run')")
    library = package / "lib" / "libggml-cuda.so.0"
    monkeypatch.setattr(build, "_MODULE", "no_such_module")
    build.engine_build.cache_clear()
    assert build.engine_build() == ""
    monkeypatch.setattr(build, "_MODULE", "llama_cpp")
    monkeypatch.delitem(sys.modules, "llama_cpp", raising=False)  # what is imported is not looked for
    monkeypatch.syspath_prepend(tmp_path)
    found = set()
    for content in ("", "vulkan", "another"):
        library.write_text(content)
        build.engine_build.cache_clear()
        found.add(build.engine_build())
    assert len(found) == 3
    monkeypatch.undo()
    build.engine_build.cache_clear()
    assert build.engine_build() not in found
