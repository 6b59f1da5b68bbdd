"""What is odd in one folder of another program hides nothing of the others, and its models stay in the list."""

import os
import shutil
from pathlib import Path

import pytest

from desktop.library.library import Library
from desktop.library.stores.place import Place
from desktop.library.work import Work
from tests.support.model_files import small_model
from tests.support.ollama_files import add_to_ollama

FIRST, SECOND = "a" * 40, "b" * 40


def snapshots(place: Place, repo: str) -> Path:
    return place.home / ".cache" / "huggingface" / "hub" / f"models--{repo.replace('/', '--')}" / "snapshots"


def paths(library: Library) -> list[Path]:
    return sorted(Path(model.path) for model in library.installed() if not model.bundled)


@pytest.fixture
def cached(library: Library, place: Place) -> list[Path]:
    """Three repositories in the Hugging Face cache, listed."""
    repos = ("aa/one", "bb/two", "cc/three")
    models = [small_model(snapshots(place, repo) / FIRST / "m-Q4_0.gguf", fill=len(repo)) for repo in repos]
    library.scan(place=place)
    assert paths(library) == models
    return models


def test_a_stray_file_among_snapshots(library: Library, place: Place, cached: list[Path]) -> None:
    (snapshots(place, "aa/one") / ".DS_Store").write_bytes(b"x")
    (snapshots(place, "aa/one") / "stray.gguf").write_bytes(b"x")
    (place.home / ".cache" / "huggingface" / "hub" / "models--aaa--file").write_bytes(b"x")
    new = small_model(snapshots(place, "dd/four") / FIRST / "m-Q4_0.gguf", fill=9)
    report = library.scan(place=place)
    assert paths(library) == [*cached, new]
    assert (report.gone, report.problems) == (0, ())


@pytest.mark.parametrize("target", ["nowhere", "odd"])
def test_a_link_into_nowhere_among_snapshots(library: Library, place: Place, cached: list[Path], target: str) -> None:
    (snapshots(place, "bb/two") / "odd").symlink_to(target)
    report = library.scan(place=place)
    assert paths(library) == cached
    assert report.problems == ()


def test_a_snapshot_that_goes_during_the_scan(library: Library, place: Place, cached: list[Path]) -> None:
    newest = snapshots(place, "aa/one") / SECOND
    small_model(newest / "n-Q4_0.gguf", fill=9)
    os.utime(newest, ns=(0, cached[0].parent.stat().st_mtime_ns + 10**9))

    class Meanwhile(Work):
        def check(self) -> None:
            """The other snapshot goes while this one is looked at."""
            shutil.rmtree(cached[0].parent, ignore_errors=True)

    report = library.scan(place=place, work=Meanwhile())
    assert paths(library) == sorted([newest / "n-Q4_0.gguf", *cached[1:]])
    assert (report.gone, report.problems) == (1, ())


def test_a_cache_that_is_gone_takes_its_models_with_it(library: Library, place: Place, cached: list[Path]) -> None:
    shutil.rmtree(cached[0].parents[3])
    assert library.scan(place=place).gone == len(cached)
    assert paths(library) == []


def test_ollama_without_its_manifests_has_no_model(library: Library, place: Place, tmp_path: Path) -> None:
    models = place.home / ".ollama" / "models"
    add_to_ollama(models, "registry.ollama.ai/library/x/latest", small_model(tmp_path / "x.gguf"))
    assert library.scan(place=place).models == 1
    shutil.rmtree(models / "manifests")
    assert library.scan(place=place).gone == 1
    assert paths(library) == []
