"""What the tests of images and recordings share."""

from pathlib import Path

import pytest

from tests.support.models.decoders import write_dense
from tests.support.models.projectors import write_audio_projector, write_vision_projector


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="module")
def model(folder: Path) -> Path:
    return write_dense(folder)


@pytest.fixture(scope="module")
def exact_model(folder: Path) -> Path:
    """The same in f32. With an exact plan, who is answered beside it does not change what is said (docs/engine.md)."""
    return write_dense(folder, kind="f32", name="exact")


@pytest.fixture(scope="module")
def eye(folder: Path) -> Path:
    return write_vision_projector(folder)


@pytest.fixture(scope="module")
def ear(folder: Path) -> Path:
    return write_audio_projector(folder)
