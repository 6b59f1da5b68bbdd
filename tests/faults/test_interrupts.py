"""Ctrl-C once, twice, three times, at any moment of a verb: a silent end with exit code 130, and what came stays."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from desktop.download.sidecar import claimed_bytes
from tests.support.hub_server import HubServer
from tests.support.hubs import FILE, REPO
from tests.support.transfers import make_source

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="another program cannot press Ctrl-C there")

# What comes before our first line is Python's own start, where nobody can answer for it.
START = """
import sys
from desktop.__main__ import main
sys.argv = ["snug", *sys.argv[1:]]
print("begun", flush=True)
sys.exit(main())
"""
ROUNDS = 8


@pytest.fixture
def server(source: Path) -> Iterator[HubServer]:
    with HubServer() as hub:
        hub.add(REPO, FILE, source)
        yield hub


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return make_source(tmp_path, size=20_000_000)


def started(root: Path, server: HubServer, *words: str) -> "subprocess.Popen[str]":
    """A verb whose first line of ours was reached."""
    child = subprocess.Popen(
        [sys.executable, "-c", START, *words], cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=dict(os.environ, HF_ENDPOINT=server.endpoint, NO_PROXY="127.0.0.1"),
    )  # fmt: skip
    assert child.stdout is not None
    assert child.stdout.readline() == "begun\n"
    return child


def press(child: "subprocess.Popen[str]", chance: random.Random, *, first: float) -> str:
    """Ctrl-C up to three times, the first time within `first` seconds; returns when, for the message of a failure."""
    waits = [chance.uniform(0, first)]
    waits += [chance.choice([0.0, chance.uniform(0, 0.4)]) for _ in range(chance.randrange(3))]
    for wait in waits:
        time.sleep(wait)
        child.send_signal(signal.SIGINT)
    return f"pressed after {waits}"


def assert_silent(errors: str, story: str) -> None:
    for word in ("Traceback", "ignored", "never retrieved", "KeyboardInterrupt", "error:"):
        assert word not in errors, f"{story}: {errors}"


@pytest.mark.timeout(7200)
def test_interrupted_at_any_moment_a_download_keeps_what_came(
    project_root: Path, server: HubServer, source: Path, snug_home: Path, campaign_factor: int
) -> None:
    destination = snug_home / "data" / "models" / REPO / FILE
    for seed in range(ROUNDS * campaign_factor):
        chance, kept = random.Random(seed), claimed_bytes(destination)
        server.bytes_per_second = 100_000.0  # it would take minutes
        child = started(project_root, server, "pull", f"{REPO}:Q4_K_M")
        if chance.random() < 0.5:  # in the imports, or while the services begin; else while bytes come
            story = f"seed {seed}, at once, {press(child, chance, first=0.8)}"
        else:
            _wait_for_bytes(child, server)
            story = f"seed {seed}, bytes, {press(child, chance, first=0.3)}"
        _, errors = child.communicate(timeout=60)
        assert child.returncode == 130, f"{story}: {errors}"
        assert_silent(errors, story)
        assert claimed_bytes(destination) >= kept, story
    kept, server.bytes_per_second = claimed_bytes(destination), None
    child = started(project_root, server, "pull", f"{REPO}:Q4_K_M", "--json")
    out, errors = child.communicate(timeout=100)
    assert child.returncode == 0, errors
    assert json.loads(out)["resumed_from"] == kept
    assert destination.read_bytes() == source.read_bytes()


def _wait_for_bytes(child: "subprocess.Popen[str]", server: HubServer) -> None:
    before, deadline = server.bytes_sent, time.monotonic() + 60
    while server.bytes_sent == before:
        assert child.poll() is None
        assert time.monotonic() < deadline, "nothing comes"
        time.sleep(0.01)


@pytest.mark.usefixtures("snug_home")
@pytest.mark.timeout(7200)
def test_interrupted_while_it_ends_a_verb_has_said_all_or_is_interrupted(
    project_root: Path, server: HubServer, campaign_factor: int
) -> None:
    for seed in range(ROUNDS // 2 * campaign_factor):
        child = started(project_root, server, "models", "--no-scan", "--json")
        story = f"seed {seed}, {press(child, random.Random(seed), first=1.2)}"
        out, errors = child.communicate(timeout=60)
        assert_silent(errors, story)
        assert child.returncode in (0, 130), f"{story}: {errors}"
        if child.returncode == 0:  # else what it wrote may have been cut off
            assert json.loads(out)["models"], story
