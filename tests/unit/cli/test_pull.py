"""`snug pull MODEL` as a program: it downloads, verifies, goes on after an interrupt, and says so."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from desktop.cli.pull import PulledModel, bar, in_words, line
from desktop.database import open_database
from desktop.download.types import DownloadProgress
from desktop.errors import Phrase
from desktop.library.library import Library
from desktop.library.migrations import MIGRATIONS
from desktop.library.types import WantedModel
from tests.support.hub_server import Fault, HubServer
from tests.support.hubs import FILE, REPO
from tests.support.model_files import small_model
from tests.support.queues import leave
from tests.support.transfers import make_source, served


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return make_source(tmp_path)


@pytest.fixture
def server(source: Path) -> Iterator[HubServer]:
    with served(source) as hub:
        yield hub


def start(root: Path, server: HubServer, *words: str, stderr: int = subprocess.PIPE) -> "subprocess.Popen[str]":
    environment = dict(os.environ, HF_ENDPOINT=server.endpoint, NO_PROXY="127.0.0.1")
    environment.pop("PYTHONUNBUFFERED", None)  # as people have it
    return subprocess.Popen(
        [sys.executable, "-m", "desktop", "pull", *words],
        cwd=root, env=environment, stdout=subprocess.PIPE, stderr=stderr, text=True,
    )  # fmt: skip


def rows(home: Path) -> list[tuple[str, str]]:
    """Id and state of the downloads that are not done."""
    database = open_database(home / "data" / "library.sqlite3", name="library", migrations=MIGRATIONS)
    found = database.read("SELECT id, state FROM downloads")
    database.close()
    return found


def pull(root: Path, server: HubServer, *words: str) -> tuple[int, str, str]:
    child = start(root, server, *words)
    out, errors = child.communicate(timeout=100)
    return child.returncode, out, errors


def test_it_downloads_verifies_and_does_it_once(project_root: Path, server: HubServer, source: Path) -> None:
    code, out, errors = pull(project_root, server, f"{REPO}:Q4_K_M", "--json")
    assert code == 0, errors
    answer = json.loads(out)
    assert Path(answer["path"]).read_bytes() == source.read_bytes()
    assert (answer["size"], answer["resumed_from"]) == (3_000_000, 0)
    assert answer["sha256"] == server.repositories[REPO].files[FILE].sha256
    assert "verifying: 100 %" in errors
    code, out, _ = pull(project_root, server, f"{REPO}/{FILE}")
    assert (code, out.startswith(f"{REPO}:Q4_K_M is on this disk (3.0 MB): ")) == (0, True)
    assert server.settled().bytes_sent == 3_000_000


def test_two_files_of_one_quantization_are_two_models(project_root: Path, server: HubServer, source: Path) -> None:
    for name in ("foo", "bar"):
        server.add("owner/two", f"{name}-Q4_K_M.gguf", source)
    answers = [pull(project_root, server, f"owner/two/{name}-Q4_K_M.gguf", "--json") for name in ("foo", "bar")]
    ids = [json.loads(out)["id"] for _, out, _ in answers]
    assert ids == ["owner/two:Q4_K_M", "owner/two:bar-Q4_K_M"]
    code, out, _ = pull(project_root, server, "owner/two/foo-Q4_K_M.gguf")
    assert (code, out.startswith("owner/two:Q4_K_M is on this disk")) == (0, True)


def test_a_space_around_the_address_of_the_hub_is_no_part_of_it(
    project_root: Path, server: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(HubServer, "endpoint", f" {server.endpoint} ")
    code, _, errors = pull(project_root, server, f"{REPO}:Q4_K_M")
    assert code == 0, errors


@pytest.mark.skipif(sys.platform == "win32", reason="another program cannot press Ctrl-C there")
def test_an_interrupt_keeps_what_came_and_the_next_one_goes_on(
    project_root: Path, server: HubServer, source: Path, snug_home: Path
) -> None:
    server.held_from = 1_000_000
    child = start(project_root, server, f"{REPO}:Q4_K_M")
    part = snug_home / "data" / "models" / "owner" / "tiny-GGUF" / f"{FILE}.part"
    deadline = time.monotonic() + 60
    while not part.exists() or part.stat().st_size < 500_000:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    child.send_signal(signal.SIGINT)
    out, errors = child.communicate(timeout=60)
    assert (child.returncode, out) == (130, "")
    assert "Traceback" not in errors
    assert rows(snug_home) == [(f"{REPO}:Q4_K_M", "paused")], "the window leaves it to the person"
    server.held_from = None
    code, out, errors = pull(project_root, server, f"{REPO}:Q4_K_M", "--json")
    assert code == 0, errors
    answer = json.loads(out)
    assert 500_000 <= answer["resumed_from"] < 3_000_000
    assert Path(answer["path"]).read_bytes() == source.read_bytes()
    assert rows(snug_home) == []


@pytest.mark.parametrize("is_registered", [True, False])
def test_what_was_killed_after_the_file_had_its_name_is_brought_to_its_end(
    project_root: Path, server: HubServer, snug_home: Path, tmp_path: Path, is_registered: bool
) -> None:
    server.add(REPO, FILE, small_model(tmp_path / FILE))
    reference = f"{REPO}:Q4_K_M"
    path = Path(json.loads(pull(project_root, server, reference, "--json")[1])["path"])
    library = Library.open(snug_home / "data" / "library.sqlite3", snug_home / "data" / "models")
    (whole,) = (model for model in library.installed() if model.path == str(path))
    wanted = WantedModel(
        model_id=REPO, name=REPO, quantization="Q4_K_M", repo=REPO, file=FILE,
        revision=whole.revision, sha256=whole.sha256, size=whole.size,
    )  # fmt: skip
    leave(library, wanted, goes_on=False)
    if not is_registered:
        library.database.execute("DELETE FROM models")
        library.scan()
        assert [model.sha256 for model in library.installed() if model.path == str(path)] == [""]
    library.close()
    path.with_name(f"{FILE}.part.json").write_bytes(b"left over")
    code, out, errors = pull(project_root, server, reference, "--json")
    assert code == 0, errors
    assert json.loads(out)["sha256"] == whole.sha256
    assert rows(snug_home) == []
    assert [each.name for each in path.parent.iterdir()] == [FILE]
    assert server.settled().bytes_sent == whole.size, "nothing was fetched twice"


def test_two_at_once_fetch_it_once_and_both_have_it(
    project_root: Path, server: HubServer, snug_home: Path, tmp_path: Path
) -> None:
    server.held_from = 1_000_000
    logs = [tmp_path / f"{number}.txt" for number in range(2)]
    children = []
    for log in logs:
        with log.open("w") as said:
            children.append(start(project_root, server, f"{REPO}:Q4_K_M", "--json", stderr=said.fileno()))
    deadline = time.monotonic() + 60
    while not any("Another download of this file is under way" in log.read_text() for log in logs):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    server.held_from = None
    outcomes = [child.communicate(timeout=60) for child in children]
    assert [child.returncode for child in children] == [0, 0], [log.read_text() for log in logs]
    answers = [json.loads(out) for out, _ in outcomes]
    assert answers[0]["path"] == answers[1]["path"]
    assert sorted(answer["resumed_from"] for answer in answers) == [0, 3_000_000]
    assert server.settled().bytes_sent == 3_000_000
    assert rows(snug_home) == []


@pytest.mark.parametrize("reference", [f"{REPO}:Q4_K_M", REPO, f"{REPO}/{FILE}"])
def test_a_model_whose_file_is_not_right_is_fetched_again(
    project_root: Path, server: HubServer, source: Path, reference: str
) -> None:
    path = Path(json.loads(pull(project_root, server, f"{REPO}:Q4_K_M", "--json")[1])["path"])
    path.write_bytes(path.read_bytes()[:1_000_000])
    code, out, errors = pull(project_root, server, reference)
    assert (code, "verified" in out) == (0, True), errors
    assert path.read_bytes() == source.read_bytes()
    assert pull(project_root, server, REPO)[1].startswith(f"{REPO}:Q4_K_M is on this disk")


def test_what_is_not_there_and_what_is_damaged_are_explained(project_root: Path, server: HubServer) -> None:
    code, out, errors = pull(project_root, server, f"{REPO}:Q8_0")
    assert (code, out) == (1, "")
    assert "error: " in errors
    assert "Q4_K_M" in errors, "it names what there is"
    server.faults.append(Fault("flip", at=1000))
    code, out, errors = pull(project_root, server, f"{REPO}:Q4_K_M")
    assert (code, out) == (1, "")
    assert "arrived damaged" in errors
    assert "Traceback" not in errors


@pytest.mark.skipif(sys.platform == "win32", reason="there is no closed pipe to write to")
def test_when_nobody_reads_how_far_it_is_it_comes_all_the_same(
    project_root: Path, server: HubServer, source: Path, snug_home: Path
) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    child = start(project_root, server, f"{REPO}:Q4_K_M", "--json", stderr=writing)
    os.close(writing)
    assert child.stdout is not None
    with child.stdout:
        answer = json.loads(child.stdout.read())
    assert child.wait(60) == 0
    assert Path(answer["path"]).read_bytes() == source.read_bytes()
    assert [path for path in snug_home.rglob("*.log") if "Traceback" in path.read_text()] == []


def test_a_person_reads_how_far_it_is() -> None:
    progress = DownloadProgress(state="downloading", done=25_000_000, total=100_000_000, speed=5e6, seconds_left=3725)
    assert bar(progress) == " 25% [######..................] 25.0 MB of 0.10 GB  5.0 MB/s  1:02:05 left"
    assert line(progress) == "downloading: 25 % 25.0 MB of 0.10 GB  5.0 MB/s  1:02:05 left"
    waiting = DownloadProgress(state="downloading", done=1, total=100, message=Phrase("The connection broke."))
    assert bar(waiting).startswith("The connection broke: 1 %")
    assert line(DownloadProgress(state="resolving")) == "asking the Hub"


def test_the_end_says_what_was_fetched() -> None:
    result = PulledModel(id="m:Q8_0", path="/p", size=300_000_000, sha256=None, seconds=2.0, resumed_from=100_000_000)
    assert in_words(result) == "verified: m:Q8_0 (0.30 GB, 0.10 GB of it from before, 0.10 GB/s): /p"
