"""`snug import`, `rm` and `verify`, run as a person runs them."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.model_files import projector, small_model, truncated_model


@pytest.fixture
def environment(snug_home: Path, tmp_path: Path) -> dict[str, str]:
    """A person with an empty home, whose trash is below it."""
    home = tmp_path / "home"
    home.mkdir()
    return {**os.environ, "SNUG_HOME": str(snug_home), "HOME": str(home), "XDG_DATA_HOME": str(home / "share")}


def snug(environment: dict[str, str], *words: str | Path) -> tuple[int, str, str]:
    command = [sys.executable, "-m", "desktop", *map(str, words)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    return done.returncode, done.stdout, done.stderr


def answer(environment: dict[str, str], *words: str | Path) -> dict[str, Any]:
    code, out, err = snug(environment, *words, "--json")
    assert code == 0, err
    value: dict[str, Any] = json.loads(out)
    return value


def test_from_a_file_to_the_trash(environment: dict[str, str], snug_home: Path, tmp_path: Path) -> None:
    path = small_model(tmp_path / "Downloads" / "Nice-Q4_K_M.gguf")
    added = answer(environment, "import", path)
    assert (added["outcome"], added["id"], added["path"]) == ("added", "Nice-Q4_K_M", str(path))
    assert answer(environment, "import", path)["outcome"] == "already_there"
    copied = answer(environment, "import", path, "--copy")
    assert copied["outcome"] == "copied"
    assert Path(copied["path"]).is_relative_to(snug_home / "data" / "models")
    assert answer(environment, "verify", "Nice-Q4_K_M")["proof"] == "structure"
    rows = answer(environment, "models")["models"]
    assert [row["source"] for row in rows if row["status"] == "installed"] == ["snug", "folder", "snug"]
    assert "may mean several models" in snug(environment, "rm", "nice-q4_k_m")[2]
    hidden = answer(environment, "rm", "Nice-Q4_K_M")
    assert (hidden["outcome"], hidden["paths"]) == ("hidden", [])
    assert path.exists()
    trashed = answer(environment, "rm", copied["path"])
    assert (trashed["outcome"], trashed["paths"]) == ("trashed", [copied["path"]])
    if sys.platform == "linux":
        assert (Path(environment["XDG_DATA_HOME"]) / "Trash" / "files" / path.name).is_file()


def test_a_folder_is_imported_and_removed(environment: dict[str, str], tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    small_model(folder / "a.gguf")
    projector(folder / "mmproj-a.gguf")
    added = answer(environment, "import", folder)
    assert (added["outcome"], added["models"], added["id"]) == ("folder_added", ["a"], None)
    assert snug(environment, "import", folder)[1] == f"listed from now on: what is below {folder} (models found: 1)\n"
    assert answer(environment, "rm", folder)["outcome"] == "folder_removed"
    assert "a" not in [row["id"] for row in answer(environment, "models")["models"]]


def test_several_at_once_do_not_hurt_each_other(environment: dict[str, str], snug_home: Path, tmp_path: Path) -> None:
    snug(environment, "models")
    paths = [small_model(tmp_path / str(number) / "same.gguf", fill=number) for number in range(4)]
    small_model(snug_home / "data" / "models" / "by-hand.gguf", fill=9)
    words = [["import", str(path), "--copy", "--json"] for path in paths] + [["models"], ["models"]]
    running = [
        subprocess.Popen(
            [sys.executable, "-m", "desktop", *each], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        for each in words
    ]
    for process in running:
        _, error = process.communicate(timeout=120)
        assert process.returncode == 0, error.decode()
    rows = [row for row in answer(environment, "models")["models"] if row["status"] != "available"]
    assert sorted(row["size"] for row in rows[1:]) == [paths[0].stat().st_size] * 5
    copies = [Path(row["path"]).read_bytes() for row in rows if "same" in row["path"]]
    assert sorted(copies) == sorted(path.read_bytes() for path in paths)
    assert len({row["id"] for row in rows}) == 6


def test_what_is_wrong_is_said_with_a_next_step(environment: dict[str, str], tmp_path: Path) -> None:
    short = truncated_model(tmp_path / "short.gguf")
    part = projector(tmp_path / "mmproj.gguf")
    wrong: list[tuple[str | Path, ...]] = [
        ("import", short),
        ("import", part),
        ("import", tmp_path / "none.gguf"),
        ("import", tmp_path, "--copy"),
        ("verify", short),
        ("verify", "nobody"),
        ("rm", "nobody"),
        ("rm", "smollm2-135m"),
    ]
    for words in wrong:
        code, out, err = snug(environment, *words)
        assert (code, out) == (1, ""), words
        assert err.startswith("error: "), words
        assert "\nhint: " in err, words
        assert "Traceback" not in err, words


def test_an_empty_path_is_not_the_current_folder(environment: dict[str, str]) -> None:
    code, out, err = snug(environment, "import", "")
    assert (code, out) == (1, "")
    assert "cannot be read: it is empty" in err


def test_an_empty_name_removes_nothing(environment: dict[str, str], tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    small_model(folder / "a-Q8_0.gguf")
    answer(environment, "import", folder)
    there = environment | {"PYTHONPATH": str(Path.cwd())}
    command = [sys.executable, "-m", "desktop", "rm", ""]
    done = subprocess.run(command, env=there, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1, done.stdout
    assert done.stderr.startswith("error: ")
    assert [row["source"] for row in answer(environment, "models")["models"]].count("folder") == 1


def test_a_name_of_several_is_refused(environment: dict[str, str], snug_home: Path) -> None:
    folder = snug_home / "data" / "models" / "owner" / "m"
    models = [small_model(folder / f"m-{name}.gguf", fill=len(name)) for name in ("Q4_K_M", "Q8_0")]
    answer(environment, "models")
    code, out, err = snug(environment, "rm", "owner/m", "--permanently")
    assert (code, out) == (1, "")
    assert "owner/m:Q4_K_M, owner/m:Q8_0" in err
    assert all(path.exists() for path in models)
    assert answer(environment, "rm", "owner/m:q8_0", "--permanently")["paths"] == [str(models[1])]


def test_a_folder_is_one_however_it_is_spelled(environment: dict[str, str], tmp_path: Path) -> None:
    folder = tmp_path / "home" / "mine"
    small_model(folder / "a.gguf")
    (folder / "sub").mkdir()
    (tmp_path / "link").symlink_to(folder)
    for spelled in ("~/mine", folder / "sub" / "..", tmp_path / "link"):
        added = answer(environment, "import", spelled)
        assert (added["path"], added["models"]) == (str(folder), ["a"])
    assert answer(environment, "rm", tmp_path / "link" / "sub" / "..")["path"] == str(folder)
    assert answer(environment, "import", tmp_path / "link")["path"] == str(tmp_path / "link")
    assert answer(environment, "rm", "~/mine")["path"] == str(tmp_path / "link")
    code, _, err = snug(environment, "rm", "~nobody-of-this-name")
    assert (code, err.startswith("error: ")) == (1, True)
