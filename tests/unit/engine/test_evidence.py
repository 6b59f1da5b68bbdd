"""Why a child died, as the system's own counters and the sizes of its files tell it."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import msgspec
import pytest

from desktop.engine import process
from desktop.engine.client import EngineClient
from desktop.engine.evidence import Evidence
from desktop.engine.exits import decode_exit
from desktop.engine.failure import CorruptModel, KilledForMemory, explain_failure
from desktop.engine.protocol import FailureKind, Sampling, TextDelta
from tests.support.engine_replies import plan_for, user
from tests.support.stand_in_child import stand_in_child

PID = 77
KILLED, BUS_ERROR = decode_exit(-9, []), decode_exit(-7, [])


def write(root: Path, name: str, text: str) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def cgroup_v2(root: Path, kills: int) -> None:
    write(root, f"proc/{PID}/cgroup", "0::/user.slice/app.scope\n")
    write(root, "sys/fs/cgroup/user.slice/app.scope/memory.events", f"low 0\nmax 9\noom 3\noom_kill {kills}\n")


def cgroup_v1(root: Path, kills: int) -> None:
    write(root, f"proc/{PID}/cgroup", "4:memory:/app\n1:cpu:/\n0::/\n")
    write(root, "sys/fs/cgroup/memory/app/memory.oom_control", f"under_oom 0\noom_kill {kills}\n")


def whole_system(root: Path, kills: int) -> None:
    write(root, "proc/vmstat", f"pgfault 12\noom_kill {kills}\n")


@pytest.mark.parametrize("system", [cgroup_v2, cgroup_v1, whole_system])
def test_a_kill_that_the_kernel_counted_is_told_from_another(system, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    system(tmp_path, 4)
    evidence = Evidence(PID, root=tmp_path)
    assert evidence.explain(KILLED).kind == FailureKind.KILLED
    system(tmp_path, 5)
    explained = evidence.explain(KILLED)
    assert explained.kind == FailureKind.KILLED_FOR_MEMORY
    assert isinstance(explain_failure(explained), KilledForMemory)


def test_a_kill_in_another_group_is_not_taken_for_this_one(tmp_path: Path) -> None:
    cgroup_v2(tmp_path, 0)
    whole_system(tmp_path, 3)
    evidence = Evidence(PID, root=tmp_path)
    whole_system(tmp_path, 4)
    assert evidence.explain(KILLED).kind == FailureKind.KILLED


def test_an_old_kill_is_not_taken_for_this_one(tmp_path: Path) -> None:
    cgroup_v2(tmp_path, 0)
    evidence = Evidence(PID, root=tmp_path)
    cgroup_v2(tmp_path, 1)
    evidence.note_memory()
    assert evidence.explain(KILLED).kind == FailureKind.KILLED_FOR_MEMORY  # it may take a moment to clear away
    evidence.note_memory()
    assert evidence.explain(KILLED).kind == FailureKind.KILLED


def test_where_the_system_says_nothing_nothing_is_claimed(tmp_path: Path) -> None:
    assert Evidence(PID, root=tmp_path).explain(KILLED) == KILLED


def test_another_end_is_not_explained_by_memory(tmp_path: Path) -> None:
    whole_system(tmp_path, 0)
    evidence = Evidence(PID, root=tmp_path)
    whole_system(tmp_path, 1)
    assert evidence.explain(BUS_ERROR) == BUS_ERROR


def test_a_file_that_became_shorter_is_named(tmp_path: Path) -> None:
    paths = [tmp_path / f"model-0000{number}-of-00002.gguf" for number in (1, 2)]
    for path in paths:
        path.write_bytes(b"x" * 100)
    evidence = Evidence(PID, root=tmp_path)
    evidence.note_files(plan_for(paths[0]))
    assert evidence.explain(BUS_ERROR) == BUS_ERROR
    os.truncate(paths[1], 50)
    failure = evidence.explain(BUS_ERROR)
    assert failure.kind == FailureKind.CORRUPT_FILE
    assert str(paths[1]) in str(explain_failure(failure))


@pytest.mark.skipif(sys.platform != "linux", reason="mapped files end differently elsewhere")
@pytest.mark.asyncio
async def test_a_model_file_that_is_cut_under_a_mapped_model_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(bytes(1 << 20))
    script = f"import mmap\nfile = open({str(path)!r}, 'rb')\nview = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)\n"
    script += "word(request, 'ok')\nos.truncate(file.name, 0)\nview[500_000]"
    monkeypatch.setattr(process, "child_command", lambda _role: stand_in_child(script))
    client = EngineClient()
    await client.load(plan_for(path))
    assert client._supervisor._process is not None
    while not client._supervisor._process.evidence._sizes:  # they are noted in the background
        await asyncio.sleep(0.01)
    with pytest.raises(CorruptModel, match=r"model\.gguf"):
        await _listen(client)
    assert client.state.failure is not None
    assert client.state.failure.exit_code == -signal.SIGBUS
    await client.stop()


async def _listen(client: EngineClient) -> None:
    async for part in client.generate(messages=user("hello"), sampling=Sampling()):
        assert isinstance(part, TextDelta)


def test_a_verdict_keeps_the_rest_of_the_failure(tmp_path: Path) -> None:
    whole_system(tmp_path, 0)
    evidence = Evidence(PID, root=tmp_path)
    whole_system(tmp_path, 1)
    failure = msgspec.structs.replace(KILLED, last_lines=("a", "b"))
    assert evidence.explain(failure) == msgspec.structs.replace(failure, kind=FailureKind.KILLED_FOR_MEMORY)
