"""The virtual environment is taken for whole only while its stamp says so."""

import json
import sys
from pathlib import Path

import pytest

from snug_setup.environment import QT_PACKAGES, Environment, file_key, project_key, without_packages

LOCK = """\
# made by make lock
anyio==4.16.0 ; sys_platform != 'emscripten' \\
    --hash=sha256:aa \\
    --hash=sha256:bb
pyside6-essentials==6.11.3 \\
    --hash=sha256:cc
qasync==0.28.0 \\
    --hash=sha256:dd
tqdm==4.70.1 \\
    --hash=sha256:ee
"""


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    folder = tmp_path / ".venv"
    folder.mkdir()
    return Environment(tmp_path, folder, tmp_path / "build" / "setup.log")


def test_an_environment_without_a_stamp_lacks_everything(environment: Environment) -> None:
    assert environment.lacks({"python": "1", "run.txt": "2"}) == ["python", "run.txt"]


def test_after_the_set_up_nothing_is_lacking(environment: Environment) -> None:
    environment.finish({"python": "1", "run.txt": "2"})
    assert environment.lacks({"python": "1", "run.txt": "2"}) == []


def test_what_changed_is_lacking_and_the_rest_is_kept(environment: Environment) -> None:
    environment.finish({"python": "1", "run.txt": "2"})
    assert environment.lacks({"python": "1", "run.txt": "3", "dev.txt": "4"}) == ["run.txt", "dev.txt"]


def test_while_something_is_installed_there_is_no_stamp(environment: Environment) -> None:
    environment.finish({"python": "1"})
    environment.begin(python_key="1")
    assert environment.installed() == {}


def test_an_interrupted_environment_is_made_anew(environment: Environment) -> None:
    (environment.folder / "half-installed").touch()
    environment.begin(python_key="1")
    assert not (environment.folder / "half-installed").exists()
    assert environment.python.exists()


def test_leaving_packages_out_of_a_lock_takes_their_hashes_with_them() -> None:
    kept = without_packages(LOCK, QT_PACKAGES)
    assert "anyio==4.16.0" in kept
    assert "sha256:bb" in kept
    assert "tqdm==4.70.1" in kept
    assert not any(gone in kept for gone in ("pyside6", "qasync", "sha256:cc", "sha256:dd"))


def test_the_real_lock_loses_all_of_qt(project_root: Path) -> None:
    text = (project_root / "requirements" / "run.txt").read_text(encoding="utf-8")
    text += (project_root / "requirements" / "dev.txt").read_text(encoding="utf-8")
    assert all(f"\n{name}==" in text for name in QT_PACKAGES)
    assert not any(f"\n{name}==" in without_packages(text, QT_PACKAGES) for name in QT_PACKAGES)


def test_a_key_follows_the_content_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "run.txt"
    file.write_text("a")
    before = file_key(file)
    file.write_text("b")
    assert file_key(file) != before


def test_a_new_rule_of_a_linter_installs_nothing_anew(tmp_path: Path) -> None:
    project = tmp_path / "pyproject.toml"
    base = '[build-system]\nrequires = []\n[project]\nname = "x"\n'
    project.write_text(base)
    before = project_key(tmp_path)
    project.write_text(base + "[tool.ruff]\nline-length = 1\n")
    assert project_key(tmp_path) == before
    project.write_text(base.replace('"x"', '"y"'))
    assert project_key(tmp_path) != before


def test_the_stamp_is_readable_by_a_person(environment: Environment) -> None:
    environment.finish({"python": "1"})
    assert json.loads(environment.stamp.read_text()) == {"python": "1"}
    assert environment.python.name.startswith("python")
    assert sys.platform == "win32" or environment.python.parent.name == "bin"
