"""Folders that may not be entered: what they hide is told, and hides nothing else."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.model_files import small_model
from tests.support.unprivileged import closed_folders_hold

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="gives up root's rights as Linux has them")


@pytest.fixture
def closed(tmp_path: Path) -> Iterator[list[Path]]:
    """Folders to close; they are opened again, so that they can be removed."""
    folders: list[Path] = []
    yield folders
    for folder in folders:
        folder.chmod(0o700)


def snug(home: Path, *words: str | Path) -> tuple[int, str, str]:
    environment = {**os.environ, "SNUG_HOME": str(home / "snug"), "HOME": str(home), "XDG_CACHE_HOME": ""}
    done = subprocess.run(
        [sys.executable, "-m", "desktop", *map(str, words)],
        env=environment,
        preexec_fn=closed_folders_hold,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def listed(home: Path) -> tuple[set[str], str]:
    code, out, err = snug(home, "models", "--json")
    assert code == 0, err
    return {row["path"] for row in json.loads(out)["models"] if row["path"] and not row["bundled"]}, err


@pytest.mark.parametrize(("above", "mode"), [(0, 0o000), (0, 0o600), (1, 0o000), (2, 0o000)])
def test_a_closed_snapshot_hides_no_other(tmp_path: Path, closed: list[Path], above: int, mode: int) -> None:
    hub = tmp_path / ".cache" / "huggingface" / "hub"
    models = [
        small_model(hub / f"models--{name}--m" / "snapshots" / ("a" * 40) / "m-Q4_0.gguf", fill=len(name))
        for name in ("a", "bb")
    ]
    assert listed(tmp_path)[0] == set(map(str, models))
    models.append(small_model(hub / "models--ccc--m" / "snapshots" / ("a" * 40) / "m-Q4_0.gguf", fill=3))
    closed.append(models[0].parents[above])
    closed[0].chmod(mode)
    paths, err = listed(tmp_path)
    assert paths == set(map(str, models))
    assert mode or "cannot be read: Permission denied" in err


def test_a_file_in_a_closed_folder_is_not_imported_and_says_why(tmp_path: Path, closed: list[Path]) -> None:
    path = small_model(tmp_path / "own" / "m.gguf")
    closed.append(path.parent)
    path.parent.chmod(0o600)
    for words in (("import", path), ("import", path, "--copy")):
        code, out, err = snug(tmp_path, *words)
        assert (code, out) == (1, "")
        assert err.startswith(f"error: {path} cannot be read: Permission denied\nhint: ")
        assert "where the output goes" not in err
