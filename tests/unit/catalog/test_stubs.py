"""What is kept of models on the Hub: found again without a network, bounded, and never believed when it is damaged."""

import hashlib
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest

from desktop.catalog.remote_header import RemoteModel
from desktop.catalog.stubs import KnownModel, StubCache, clean_stubs, write_stub
from desktop.gguf.header import read_header
from desktop.gguf.stub import Stub, stub_of_file
from tests.support.gguf_writer import dense_model, write_gguf

A, B = "a" * 40, "b" * 40


@pytest.fixture(scope="module")
def stub(tmp_path_factory: pytest.TempPathFactory) -> Stub:
    path = write_gguf(tmp_path_factory.mktemp("model") / "m.gguf", *dense_model())
    return stub_of_file(path, read_header(path))


@pytest.fixture
def cache(tmp_path: Path) -> StubCache:
    return StubCache(tmp_path / "stubs")


def learned(stub: Stub, *, file: str = "m-Q4_K_M.gguf", commit: str = A, repo: str = "owner/repo") -> RemoteModel:
    return RemoteModel(repo=repo, commit=commit, file=file, size=12345, stub=stub, fetched=777)


def test_what_was_kept_is_found_by_another_process(cache: StubCache, stub: Stub, tmp_path: Path) -> None:
    kept = cache.keep(learned(stub))
    assert kept.fetched == 777
    found = StubCache(tmp_path / "stubs").find(repo="owner/repo", file="m-Q4_K_M.gguf", commit=A)
    assert found is not None
    assert found == kept._replace(fetched=0)
    assert (found.header.architecture, found.header.n_layer, found.size) == ("llama", 4, 12345)
    assert found.stub == stub


def test_another_commit_file_or_repository_is_not_found(cache: StubCache, stub: Stub) -> None:
    cache.keep(learned(stub))
    assert cache.find(repo="owner/repo", file="m-Q4_K_M.gguf", commit=B) is None
    assert cache.find(repo="owner/repo", file="m-Q8_0.gguf") is None
    assert cache.find(repo="owner/other", file="m-Q4_K_M.gguf") is None
    assert cache.find(repo="owner/repo", quantization="Q8_0") is None


def test_without_a_commit_what_was_learned_last_is_found(cache: StubCache, stub: Stub) -> None:
    cache.keep(learned(stub, commit=A))
    cache.keep(learned(stub, commit=B))
    cache.keep(learned(stub, file="m-Q8_0.gguf"))
    assert cache.find(repo="owner/repo", file="m-Q4_K_M.gguf", commit=A) is not None  # used last, learned first
    found = cache.find(repo="owner/repo", quantization="q4_k_m")
    assert found is not None
    assert (found.commit, found.file) == (B, "m-Q4_K_M.gguf")


@pytest.mark.allow_log("is not kept")
def test_where_nothing_can_be_kept_the_answer_stands(stub: Stub, tmp_path: Path) -> None:
    (tmp_path / "stubs").write_text("a file where a folder belongs")
    cache = StubCache(tmp_path / "stubs")
    assert cache.keep(learned(stub)).stub == stub
    assert cache.find(repo="owner/repo", file="m-Q4_K_M.gguf") is None


def _only(cache: StubCache, tmp_path: Path, stub: Stub) -> Path:
    cache.keep(learned(stub))
    (path,) = (tmp_path / "stubs").glob("*.known")
    return path


@pytest.mark.allow_log("is damaged and is fetched again")
def test_no_damage_to_an_entry_is_believed(
    cache: StubCache, stub: Stub, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = _only(cache, tmp_path, stub)
    whole = path.read_bytes()
    generator = random.Random(4)
    for _ in range(200):
        damaged = bytearray(whole)
        at = generator.randrange(len(damaged))
        damaged[at] ^= 1 << generator.randrange(8)
        path.write_bytes(damaged[: generator.randrange(len(damaged))] if generator.random() < 0.3 else damaged)
        found = StubCache(tmp_path / "stubs").find(repo="owner/repo", file="m-Q4_K_M.gguf", commit=A)
        assert found is None
        assert not path.exists()
        assert "damaged" in caplog.text
        caplog.clear()
    path.write_bytes(b"")
    assert StubCache(tmp_path / "stubs").find(repo="owner/repo", file="m-Q4_K_M.gguf") is None
    assert not path.exists()


@pytest.mark.allow_log("is damaged and is fetched again")
def test_a_head_that_was_made_up_is_refused(cache: StubCache, stub: Stub, tmp_path: Path) -> None:
    path = _only(cache, tmp_path, stub)
    fields = msgspec.msgpack.decode(path.read_bytes()[32:])
    content = msgspec.msgpack.encode([*fields[:-1], b"GGUF" + os.urandom(200)])
    path.write_bytes(hashlib.sha256(content).digest() + content)
    assert cache.find(repo="owner/repo", file="m-Q4_K_M.gguf") is None


def test_what_was_not_used_for_longest_goes_first(stub: Stub, tmp_path: Path) -> None:
    for index in range(12):
        for suffix in ("known", "gguf"):
            path = tmp_path / f"{index:02d}.{suffix}"
            path.write_bytes(bytes(10_000))
            os.utime(path, (1000 + index, 1000 + index))
    os.utime(tmp_path / "00.gguf")
    clean_stubs(tmp_path, most_files=4, most_bytes=1 << 20)
    assert sorted(path.name for path in tmp_path.glob("*.known")) == [f"{index:02d}.known" for index in (8, 9, 10, 11)]
    assert sorted(path.name for path in tmp_path.glob("*.gguf")) == [f"{index:02d}.gguf" for index in (0, 9, 10, 11)]
    clean_stubs(tmp_path, most_files=4, most_bytes=25_000)
    assert len(list(tmp_path.glob("*.known"))) == 2
    assert (tmp_path / "00.gguf").exists()


def test_a_hole_in_a_stub_is_not_counted(stub: Stub, tmp_path: Path) -> None:
    path = write_stub(Stub(stub.head, 1 << 40), tmp_path)
    assert path.stat().st_size == 1 << 40
    clean_stubs(tmp_path, most_files=4, most_bytes=1 << 20)
    assert path.exists()


def test_what_was_left_unfinished_is_removed_once_nobody_writes_to_it(tmp_path: Path) -> None:
    old, new = tmp_path / "a.0011.tmp", tmp_path / "b.0022.tmp"
    for path in (old, new):
        path.write_bytes(b"x")
    os.utime(old, (1, 1))
    clean_stubs(tmp_path)
    assert (old.exists(), new.exists()) == (False, True)


def test_a_stub_that_is_damaged_is_written_again(stub: Stub, tmp_path: Path) -> None:
    path = write_stub(stub, tmp_path)
    with path.open("r+b") as stream:
        stream.seek(100)
        stream.write(b"damage")
    assert write_stub(stub, tmp_path).read_bytes()[: len(stub.head)] == stub.head


_WRITER = """
import sys, time
from pathlib import Path
from desktop.catalog.remote_header import RemoteModel
from desktop.catalog.stubs import StubCache, write_stub
from desktop.gguf.header import read_header
from desktop.gguf.stub import stub_of_file
model, folder, begin = Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3])
stub = stub_of_file(model, read_header(model))
time.sleep(max(begin - time.time(), 0))
for _ in range(40):
    path = write_stub(stub, folder)
    assert path.read_bytes()[:len(stub.head)] == stub.head
    StubCache(folder).keep(RemoteModel(repo="o/r", commit="a" * 40, file="m.gguf", size=1, stub=stub, fetched=1))
    assert StubCache(folder).find(repo="o/r", file="m.gguf") is not None
"""


def test_two_processes_may_write_the_same(stub: Stub, tmp_path: Path, project_root: Path) -> None:
    model = write_gguf(tmp_path / "m.gguf", *dense_model())
    folder = tmp_path / "stubs"
    begin = str(time.time() + 1.5)
    children = [
        subprocess.Popen(
            [sys.executable, "-c", _WRITER, str(model), str(folder), begin], cwd=project_root, stderr=subprocess.PIPE
        )
        for _ in range(3)
    ]
    for child in children:
        _, errors = child.communicate(timeout=60)
        assert child.returncode == 0, errors.decode()
    assert not list(folder.glob("*.tmp"))
    assert isinstance(StubCache(folder).find(repo="o/r", file="m.gguf"), KnownModel)
