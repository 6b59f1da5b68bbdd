"""`snug models` lists what is on this disk and what could be, without a network."""

import argparse
import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from desktop.catalog.types import Catalog, CatalogProblem
from desktop.cli import models
from desktop.library.library import Library
from desktop.settings_store import SettingsStore
from tests.support.catalogs import tiny_catalog
from tests.support.model_files import small_model


@pytest.fixture
def services(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("HOME", str(tmp_path))  # of a person without other programs
    library = Library.open(tmp_path / "library.sqlite3", tmp_path / "models")
    settings = SettingsStore.open(tmp_path / "settings.json")
    yield SimpleNamespace(library=library, catalog=tiny_catalog(), settings=settings)
    library.close()


def run_verb(services: Any, *words: str) -> int:
    parser = argparse.ArgumentParser()
    models.add_parser(parser.add_subparsers())
    arguments = parser.parse_args(["models", *words])
    code: int = asyncio.run(arguments.run(arguments, services))
    return code


def install(services: Any) -> Path:
    path = small_model(services.library.destination(repo="owner/tiny-GGUF", file="tiny-Q8_0.gguf"))
    services.library.register(path=path, model_id="tiny-1b", quantization="Q8_0", name="Tiny 1B")
    return path


def test_json_is_one_object_with_installed_models_first(services: Any, capsys: pytest.CaptureFixture[str]) -> None:
    path = install(services)
    assert run_verb(services, "--json") == 0
    rows = json.loads(capsys.readouterr().out)["models"]
    assert [(row["id"], row["status"]) for row in rows] == [
        ("smollm2-135m:Q4_1", "installed"),
        ("tiny-1b:Q8_0", "installed"),
        ("tiny-1b:Q4_K_M", "available"),
    ]
    assert rows[1]["path"] == str(path)
    assert rows[1]["context"] == 4096
    assert rows[2]["size"] is None, "a size that nobody confirmed is not invented"


def test_a_model_whose_file_is_gone_is_listed_as_missing(services: Any, capsys: pytest.CaptureFixture[str]) -> None:
    install(services).unlink()
    run_verb(services)
    lines = capsys.readouterr().out.splitlines()
    assert any("tiny-1b:Q8_0" in line and "missing" in line for line in lines)
    assert any("smollm2-135m:Q4_1" in line and "comes with Snug" in line for line in lines)


def test_an_entry_of_the_catalog_that_does_not_hold_is_named(services: Any, capsys: pytest.CaptureFixture[str]) -> None:
    problem = CatalogProblem(entry="broken-1b", message="Expected `int`")
    services.catalog = Catalog(models=services.catalog.models, problems=(problem,))
    assert run_verb(services) == 0
    shown = capsys.readouterr()
    assert "broken-1b" in shown.err
    assert "broken-1b" not in shown.out


def test_what_another_program_has_is_found_and_named(
    services: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small_model(tmp_path / ".lmstudio" / "models" / "publisher" / "Tiny-GGUF" / "Tiny-Q4_K_M.gguf")
    run_verb(services, "--no-scan")
    assert "publisher" not in capsys.readouterr().out
    run_verb(services)
    assert "installed, of LM Studio" in capsys.readouterr().out
    run_verb(services, "--json")
    row = json.loads(capsys.readouterr().out)["models"][1]
    assert (row["source"], row["architecture"], row["context"]) == ("lm-studio", "llama", 4096)


def test_a_folder_that_is_gone_is_said_on_stderr(
    services: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    services.library.found.add_folder(tmp_path / "unplugged")
    run_verb(services, "--json")
    shown = capsys.readouterr()
    assert "unplugged is not there" in shown.err
    json.loads(shown.out)


def test_what_is_known_is_listed_while_another_program_writes(
    services: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    install(services)
    small_model(tmp_path / "models" / "new.gguf")
    services.library.database.connection.set_busy_timeout(0)
    other = Library.open(tmp_path / "library.sqlite3", tmp_path / "models")
    try:
        with other.database.transaction():
            assert run_verb(services) == 0
    finally:
        other.close()
    shown = capsys.readouterr()
    assert "new files are not listed" in shown.err
    assert "tiny-1b:Q8_0" in shown.out
