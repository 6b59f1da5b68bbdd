"""Crashes, full disks and other processes cost a state, and never give a wrong one."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from desktop.runtime.cache import folder
from desktop.runtime.cache.entry_file import make_head
from desktop.runtime.cache.processes import is_alive, this_process
from tests.unit.runtime.cache import cache_process
from tests.unit.runtime.cache.conftest import MIB, Clock, OpenTiers, state_of, suffixes, write_entry

pytestmark = pytest.mark.skipif(os.name != "posix", reason="limits, links and signals of POSIX")

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(cache_root: Path, project_root: Path) -> Iterator[Start]:
    """Starts cache_process on the same folder; ended at the end."""
    children: list[subprocess.Popen[str]] = []

    def starter(verb: str, seed: int, *, limit: int = 64 * MIB) -> "subprocess.Popen[str]":
        command = [sys.executable, cache_process.__file__, verb, str(cache_root), str(limit), str(seed)]
        environment = os.environ | {"PYTHONPATH": str(project_root)}
        child = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        children.append(child)
        return child

    yield starter
    for child in children:
        child.kill()
        child.communicate()


def _size(root: Path) -> int:
    return sum(path.lstat().st_size for path in root.rglob("*") if not path.is_dir())


# --- crashes ---------------------------------------------------------------------------------------------------------


def test_a_process_killed_while_it_writes_leaves_no_wrong_state_and_no_rest(
    open_tiers: OpenTiers, start: Start, cache_root: Path, campaign_factor: int
) -> None:
    rng = random.Random(13)
    unfinished = found = 0
    for seed in range(30 * campaign_factor):
        child = start("write", seed)
        assert child.stdout is not None
        child.stdout.readline()
        _kill_writing(child, cache_root, whole=rng.randrange(4), middle=seed % 2 == 0)
        unfinished += suffixes(cache_root).count(".writing")
        tiers = open_tiers()
        for number in range(1000):
            tokens = [seed, number, *range(50)]
            hit = tiers.find(tokens, "", whole=True)
            if hit is None:
                break
            assert tiers.read(hit) == cache_process.state_of(tokens, cache_process.SIZE)
            found += 1
        tiers.close(60)
        assert set(suffixes(cache_root)) <= {".kv"}
    assert unfinished >= 15 * campaign_factor
    assert found > 0


def _kill_writing(child: "subprocess.Popen[str]", root: Path, *, whole: int, middle: bool) -> None:
    """Kill a child that has written so many files. middle: of one, which is looked for while the child is stopped."""
    before = suffixes(root).count(".kv")
    while suffixes(root).count(".kv") < before + whole:
        time.sleep(0.001)
    time.sleep(0 if middle else 0.01)
    child.send_signal(signal.SIGSTOP)
    os.waitpid(child.pid, os.WUNTRACED)
    while middle and ".writing" not in suffixes(root):
        child.send_signal(signal.SIGCONT)
        time.sleep(0.0005)
        child.send_signal(signal.SIGSTOP)
        os.waitpid(child.pid, os.WUNTRACED)
    child.send_signal(signal.SIGKILL)
    child.wait()


def test_a_state_that_the_engine_died_of_is_not_loaded_again(
    open_tiers: OpenTiers, start: Start, cache_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = open_tiers()
    write_entry(first, [1])
    write_entry(first, [2])
    first.close(60)
    child = start("load", 1)
    _wait_until_loading(child)
    child.kill()
    child.wait()
    again = open_tiers()
    assert again.find([1], "", whole=False) is None
    hit = again.find([2], "", whole=False)
    assert hit is not None
    assert again.read(hit) == state_of([2])
    again.confirm(hit)
    assert suffixes(cache_root) == [".bad", ".kv"]
    assert "the engine ended while it was loading it" in capsys.readouterr().err


def test_the_engine_of_another_model_does_not_forget_what_one_died_of(open_tiers: OpenTiers, start: Start) -> None:
    first = open_tiers()
    write_entry(first, [1])
    first.close(60)
    child = start("load", 1)
    _wait_until_loading(child)
    child.kill()
    child.wait()
    write_entry(open_tiers(model_key="other"), [2])  # sweeps the whole folder
    assert open_tiers().find([1], "", whole=False) is None


def test_a_state_that_another_window_is_loading_stays(open_tiers: OpenTiers, start: Start, cache_root: Path) -> None:
    write_entry(open_tiers(), [1])
    child = start("load", 1)
    _wait_until_loading(child)
    tiers = open_tiers()
    hit = tiers.find([1], "", whole=False)
    assert hit is not None
    assert tiers.read(hit) == state_of([1])
    assert suffixes(cache_root) == [".kv", ".loading", ".loading"]
    tiers.confirm(hit)
    assert suffixes(cache_root) == [".kv", ".loading"]


def test_an_end_in_good_order_blames_no_state(open_tiers: OpenTiers, cache_root: Path) -> None:
    tiers = open_tiers()
    write_entry(tiers, [1])
    hit = tiers.find([1], "", whole=False)
    assert hit is not None
    tiers.read(hit)
    tiers.close(60)
    assert suffixes(cache_root) == [".kv"]


def test_a_process_id_that_was_given_again_is_another_process() -> None:
    pid, began = this_process()
    assert is_alive((pid, began))
    assert not is_alive((pid, began + 1))
    child = subprocess.Popen([sys.executable, "-c", ""])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert not is_alive((child.pid, began))
    child.wait()


def _wait_until_loading(child: "subprocess.Popen[str]") -> None:
    assert child.stdout is not None
    assert [child.stdout.readline().strip() for _ in range(2)] == ["ready", "loading"]


# --- room ------------------------------------------------------------------------------------------------------------


def test_the_limit_holds_over_all_models_and_the_least_used_goes_first(open_tiers: OpenTiers, cache_root: Path) -> None:
    limit = 50_000
    other = open_tiers(model_key="other", disk=limit)
    oldest = write_entry(other, [99], 10_000)
    os.utime(oldest, (1, 1))
    tiers = open_tiers(disk=limit)
    files = {}
    for number in range(1, 5):
        files[number] = write_entry(tiers, [number], 10_000)
        os.utime(files[number], (number * 10, number * 10))
        assert _size(cache_root) <= limit
    assert not oldest.exists()
    hit = tiers.find([1], "", whole=False)
    assert hit is not None
    tiers.read(hit)
    tiers.confirm(hit)
    write_entry(tiers, [5], 10_000)
    assert [number for number, file in files.items() if file.exists()] == [1, 3, 4]
    assert _size(cache_root) <= limit
    assert tiers.find([2], "", whole=False) is None


def test_a_folder_of_very_many_small_files_is_thinned_out(
    open_tiers: OpenTiers, cache_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder, "MOST_FILES", 6)
    tiers = open_tiers()
    for number in range(10):
        write_entry(tiers, [number], 10)
    assert len(suffixes(cache_root)) == 6
    assert tiers.figures.disk_entries == 6


def test_what_is_not_ours_is_neither_counted_nor_touched(open_tiers: OpenTiers, cache_root: Path) -> None:
    strange = [cache_root / "notes.txt", cache_root / "photos" / f"{0:016x}.kv", cache_root / ("a" * 32) / "notes.txt"]
    for path in strange:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(100_000))
    tiers = open_tiers(disk=20_000)
    for number in range(10):
        write_entry(tiers, [number], 4000)
    assert all(path.exists() for path in strange)
    assert tiers.figures.disk_entries == 4


def test_a_full_disk_is_said_once_and_tried_again_after_a_minute(
    open_tiers: OpenTiers, cache_root: Path, clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    import resource  # not on Windows, where this file is only collected

    tiers = open_tiers(clock=clock)
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, old[1]))
    try:
        assert tiers.persist([1], "", state_of([1], 200_000))
        assert tiers.flush(60)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
    assert suffixes(cache_root) == []
    assert not tiers.persist([1], "", state_of([1]))
    assert tiers.figures.dropped == 2
    assert tiers.find([1], "", whole=False) is None
    (line,) = capsys.readouterr().err.splitlines()
    assert "File too large" in line
    clock.now += 61
    write_entry(tiers, [1])
    assert suffixes(cache_root) == [".kv"]


def test_a_disk_that_fills_in_the_middle_of_a_file_is_left_clean(
    open_tiers: OpenTiers, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "small"
    root.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(root)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("a small file system cannot be mounted here")
    try:
        tiers = open_tiers(root=root)
        write_entry(tiers, [1], 100_000)
        assert tiers.persist([2], "", state_of([2], 200_000))
        assert tiers.flush(60)
        assert suffixes(root) == [".kv"]
        assert "No space left on device" in capsys.readouterr().err
        hit = tiers.find([1], "", whole=False)
        assert hit is not None
        assert tiers.read(hit) == state_of([1], 100_000)
        tiers.close(60)
    finally:
        subprocess.run(["umount", root], check=True)


def test_two_processes_share_the_folder(start: Start, cache_root: Path) -> None:
    limit = 8 * cache_process.SIZE
    children = [start("both", seed, limit=limit) for seed in (1, 2)]
    while any(child.poll() is None for child in children):
        blocks = sum(_allocated(path) for path in cache_root.rglob("*"))
        assert blocks <= limit + 65536  # whole blocks of the file system
        time.sleep(0.01)
    assert [child.returncode for child in children] == [0, 0]
    assert set(suffixes(cache_root)) == {".kv"}
    assert _size(cache_root) <= limit


def _allocated(path: Path) -> int:
    try:
        about = path.lstat()
    except FileNotFoundError:
        return 0
    return about.st_blocks * 512 if path.suffix else 0


def test_200_conversations_on_the_disk_do_not_slow_the_start(open_tiers: OpenTiers) -> None:
    tiers = open_tiers()
    folder_of_model = write_entry(tiers, [0]).parent
    for number in range(1, 200):
        key = number.to_bytes(4, "little") + bytes(4 * 2047)
        head = make_head(model_key="model", engine="1", adapters="", key=key, state=b"state")
        (folder_of_model / f"{number:016x}.kv").write_bytes(head + b"state")
    times = []
    for _ in range(5):
        again = open_tiers()
        began = time.thread_time()  # of this thread alone: the machine may have other things to do
        assert again.find([150], "", whole=False) is not None
        times.append(time.thread_time() - began)
    assert min(times) < 0.05


def test_a_folder_that_cannot_be_used_is_said_once_and_breaks_nothing(
    open_tiers: OpenTiers, tmp_path: Path, clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("not a folder")
    tiers = open_tiers(root=tmp_path / "file", clock=clock)
    for _ in range(3):
        assert tiers.find([1], "", whole=False) is None
        clock.now += 2
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert tiers.persist([1], "", b"state")
    assert tiers.flush(60)
    assert tiers.figures.dropped == 1


def test_a_state_that_another_process_removed_is_written_again(open_tiers: OpenTiers, cache_root: Path) -> None:
    tiers = open_tiers()
    write_entry(tiers, [1]).unlink()
    write_entry(tiers, [1])
    assert suffixes(cache_root) == [".kv"]


def test_what_was_kept_goes_when_nothing_is_to_be_kept(open_tiers: OpenTiers, cache_root: Path) -> None:
    write_entry(open_tiers(), [1])
    write_entry(open_tiers(model_key="other"), [2])
    note = cache_root / "note.txt"
    note.write_text("a person's own")
    open_tiers(disk=0)
    assert suffixes(cache_root) == [".txt"]
    open_tiers(disk=0, root=cache_root / "missing")
    assert not (cache_root / "missing").exists()


def test_what_cannot_be_removed_then_is_said(
    open_tiers: OpenTiers, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("not a folder")
    open_tiers(disk=0, root=tmp_path / "file")
    assert "could not be removed" in capsys.readouterr().err
