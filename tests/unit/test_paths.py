"""Where Snug keeps its files, and what it says when that cannot be told."""

import os
import sys
from pathlib import Path

import pytest

from desktop import paths
from desktop.paths import HomeUnusable, catalog_file, user_paths


def test_every_folder_lies_below_the_one_that_was_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SNUG_HOME", str(tmp_path))
    found = user_paths()
    for folder in (found.config, found.data, found.cache, found.logs, found.models_folder):
        assert folder.is_relative_to(tmp_path)


def test_a_relative_folder_is_made_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SNUG_HOME", "here")
    assert user_paths().config == tmp_path / "here" / "config"


def test_a_folder_of_nobody_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SNUG_HOME", "~nobody-of-that-name/snug")
    with pytest.raises(HomeUnusable, match="no such person") as caught:
        user_paths()
    assert "SNUG_HOME" in caught.value.explain().hint


@pytest.mark.skipif(sys.platform == "win32", reason="names are text there")
def test_a_folder_whose_name_is_no_text_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SNUG_HOME", os.fsdecode(os.fsencode(tmp_path) + b"/\xff"))
    with pytest.raises(HomeUnusable, match="not valid text"):
        user_paths()


@pytest.mark.skipif(sys.platform != "linux", reason="folders are named by such variables there")
@pytest.mark.parametrize("variable", ["XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"])
def test_any_folder_whose_name_is_no_text_is_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.delenv("SNUG_HOME", raising=False)
    monkeypatch.setenv(variable, os.fsdecode(os.fsencode(tmp_path) + b"/\xff"))
    with pytest.raises(HomeUnusable, match="not valid text"):
        user_paths()


def test_a_missing_catalog_is_looked_for_beside_the_resources(monkeypatch: pytest.MonkeyPatch) -> None:
    shipped = paths._shipped

    def without_catalog(name: str) -> Path:
        if name == "models.json":
            raise FileNotFoundError(name)
        return shipped(name)

    whole = catalog_file()
    monkeypatch.setattr(paths, "_shipped", without_catalog)
    assert catalog_file() == whole
