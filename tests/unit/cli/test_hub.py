"""`snug models --search` and `--files`: the whole program's core talks to a Hub of ours, over the network."""

import asyncio
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from desktop.catalog.search import HUB_SORTS
from desktop.cli import hub as cli_hub
from desktop.cli.main import run_command_line
from desktop.library.types import WantedModel
from desktop.paths import user_paths
from desktop.services import create_services
from desktop.settings import MINIMUM_SPEED, OFFLINE
from tests.support.hub_server import Fault, HubServer
from tests.support.tiny_hub import REPO, tiny_hub
from tests.unit.cli.test_documented_fields import names

BASE = "someone/Tiny"
FACTS = {
    "tags": ["gguf", f"base_model:quantized:{BASE}", "license:mit"],
    "likes": 1234,
    "downloads": 56789,
    "gguf": {"total": 1_500_000_000, "architecture": "llama", "context_length": 4096},
}


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    with tiny_hub(tmp_path) as hub:
        hub.repositories[REPO].facts = dict(FACTS)
        monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
        yield hub


def run(*words: str) -> int:
    return run_command_line(["models", *words])


def printed(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    assert run(*words, "--json") == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def documented(project_root: Path, table: str) -> dict[str, str]:
    """What docs/cli.md says of each field in the table with this heading."""
    text = (project_root / "docs" / "cli.md").read_text(encoding="utf-8").partition(f"| {table} | meaning |")[2]
    rows = text.partition("\n\n")[0]
    found: dict[str, str] = {}
    for field, said in re.findall(r"^\| (.*?) \| (.*) \|$", rows, re.MULTILINE):
        for name in re.findall(r"`(\w+)", field):
            found[name] = said
    return found


def test_a_search_prints_what_is_documented(
    server: HubServer, project_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found, said = printed(capsys, "--search", "tiny"), documented(project_root, "of a search")
    assert said.keys() == found.keys()
    elsewhere = {"choices"}  # fields of `snug recommend`, which are not repeated
    assert names(said["models"]) - elsewhere == found["models"][0].keys()


def test_a_list_of_files_prints_what_is_documented(
    server: HubServer, project_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.add_served(REPO, "mmproj-F16.gguf", server.repositories[REPO].files["tiny-Q8_0.gguf"])
    found, said = printed(capsys, "--files", REPO), documented(project_root, "of a repository")
    assert said.keys() == found.keys()
    assert names(said["models"]) == found["models"][0].keys()
    assert names(said["projectors"]) == found["projectors"][0].keys()


def test_a_search_is_a_table_for_people(server: HubServer, capsys: pytest.CaptureFixture[str]) -> None:
    server.gate(REPO, "hf_members_only")
    assert run("--search", "tiny") == 0
    head, row = capsys.readouterr().out.splitlines()
    assert head.split() == ["REPOSITORY", "PARAMETERS", "DOWNLOADS", "LIKES", "UPDATED", "LICENCE", "ACCESS"]
    assert re.split(r"\s{2,}", row) == [REPO, "1.5B", "56,789", "1,234", "2025-01-02", "MIT", "by terms"]


def test_what_fits_is_listed_with_its_best_file(server: HubServer, capsys: pytest.CaptureFixture[str]) -> None:
    quick = create_services(user_paths())
    quick.settings.set(MINIMUM_SPEED, 0.0)
    found = printed(capsys, "--search", "tiny", "--fits")
    [row] = found["models"]
    assert (row["best"]["file"], row["best"]["exact"], row["best"]["verdict"]) == ("tiny-Q8_0.gguf", True, "fits")
    assert row["best"]["memory"]
    assert run("--files", REPO, "--fits") == 0
    head, *rows = capsys.readouterr().out.splitlines()
    assert head.split()[-1] == "VERDICT"
    assert [line.split()[0] for line in rows] == [f"{REPO}:Q4_K_M", f"{REPO}:Q8_0"]
    assert all(line.endswith("fits") for line in rows)


def test_quantizations_of_a_model_are_found_without_a_text(
    server: HubServer, capsys: pytest.CaptureFixture[str]
) -> None:
    assert [row["repo"] for row in printed(capsys, "--base", BASE)["models"]] == [REPO]
    assert printed(capsys, "--base", "someone/Else")["models"] == []
    assert printed(capsys, "--author", "owner")["models"]


def test_pages_follow_each_other(server: HubServer, capsys: pytest.CaptureFixture[str]) -> None:
    server.add_served("owner/tiny-two", "t-Q8_0.gguf", server.repositories[REPO].files["tiny-Q8_0.gguf"])
    first = printed(capsys, "--search", "tiny", "--limit", "1")
    second = printed(capsys, "--search", "tiny", "--limit", "1", "--next", first["next"])
    assert {first["models"][0]["repo"], second["models"][0]["repo"]} == {REPO, "owner/tiny-two"}
    assert second["next"] is None
    run("--search", "tiny", "--limit", "1")
    assert f"--next {first['next']}" in capsys.readouterr().err


def test_nothing_found_is_said(server: HubServer, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--search", "nothing-like-it") == 0
    assert capsys.readouterr().out == "Nothing was found.\n"


def test_offline_is_explained_and_nothing_is_sent(server: HubServer, capsys: pytest.CaptureFixture[str]) -> None:
    create_services(user_paths()).settings.set(OFFLINE, True)
    for words in (("--search", "tiny"), ("--files", REPO), ("--search", "tiny", "--fits")):
        assert run(*words) == 1
        assert "error: The network is switched off.\nhint: " in capsys.readouterr().err
    assert not server.requests


@pytest.mark.parametrize("words", [("--search", "x"), ("--files", REPO)])
def test_a_hub_that_refuses_is_explained(
    server: HubServer, words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    server.hub_faults.append(Fault("status", status=429, seconds=9))
    assert run(*words) == 1
    assert "wait 9 seconds" in capsys.readouterr().err


def test_names_of_strangers_steer_no_terminal(server: HubServer, capsys: pytest.CaptureFixture[str]) -> None:
    server.repositories[REPO].facts["tags"] = ["gguf", "license:\x1b]0;owned\x07"]
    run("--search", "tiny")
    assert "\x1b" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "option"),
    [
        (("--fits",), "--fits"),
        (("--next", "x"), "--next"),
        (("--sort", "likes"), "--sort"),
        (("--limit", "5"), "--limit"),
        (("--search", "x", "--limit", "0"), "--limit"),
        (("--search", "x", "--limit", "101"), "--limit"),
        (("--search", "x", "--no-scan"), "--no-scan"),
        (("--files", REPO, "--no-scan"), "--no-scan"),
        (("--files", REPO, "--sort", "likes"), "--sort"),
        (("--files", REPO, "--author", "x"), "--author"),
        (("--files", REPO, "--base", BASE), "--base"),
        (("--files", REPO, "--limit", "5"), "--limit"),
        (("--files", REPO, "--next", "x"), "--next"),
    ],
)
def test_an_option_that_would_have_no_effect_is_wrong_usage(
    server: HubServer, words: tuple[str, ...], option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*words) == 2
    printed = capsys.readouterr()
    assert printed.err.startswith(f"error: {option} ")
    assert printed.out == ""
    assert not server.requests


def test_the_orders_are_those_of_the_search() -> None:
    assert tuple(HUB_SORTS) == cli_hub._SORTS


def test_every_name_that_is_listed_is_one_that_pull_takes_for_that_file(
    server: HubServer, capsys: pytest.CaptureFixture[str]
) -> None:
    served = server.repositories[REPO].files["tiny-Q8_0.gguf"]
    for name in (
        "other-Q8_0.gguf",
        "plain.gguf",
        "v1.5.gguf",
        "tiny-v1.5-f16.gguf",
        "Q6_K.gguf",
        "m-Q6_K.gguf",
        "UD-Q4_K_XL.gguf",
        "with space-Q3_K.gguf",
        "one/same.gguf",
        "two/same.gguf",
        "IQ4_XS/s-IQ4_XS-00001-of-00002.gguf",
        "IQ4_XS/s-IQ4_XS-00002-of-00002.gguf",
        "lacks-IQ4_XS-00001-of-00002.gguf",
        "mmproj-BF16.gguf",
        "m-imatrix.gguf",
        "m-BF16.gguf",
    ):
        server.add_served(REPO, name, served)
    rows = printed(capsys, "--files", REPO)["models"]
    assert len(rows) == 14
    services = create_services(user_paths())
    for row in rows:
        meant = services.library.resolve(row["id"], services.catalog)
        assert isinstance(meant, WantedModel), row
        found = asyncio.run(services.hub.files(repo=meant.repo, file=meant.file, quantization=meant.quantization))
        assert (meant.repo, found[0].file) == (REPO, row["file"])
    run("--files", REPO)
    assert [line.rsplit(maxsplit=3)[0] for line in capsys.readouterr().out.splitlines()[1:]] == [
        row["id"] for row in rows
    ]
    assert f"{REPO}:Q4_K_M" in {row["id"] for row in rows}
    services.library.close()


def test_a_keyring_that_does_not_tell_the_token_is_told(server: HubServer, capsys: pytest.CaptureFixture[str]) -> None:
    file = create_services(user_paths()).hub_token.file
    file.parent.mkdir(parents=True)
    file.write_text("in the keyring")
    assert run("--search", "tiny") == 0
    printed = capsys.readouterr()
    assert REPO in printed.out
    assert "note: the keyring did not tell your token" in printed.err


def test_a_search_and_a_list_exclude_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        run("--search", "x", "--files", REPO)
    assert ended.value.code == 2
