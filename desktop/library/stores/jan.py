"""Jan: `<data>/llamacpp/models/<model>/model.gguf`, beside it a `model.yml`, which may point to a file elsewhere.

The data folder as janhq/jan finds it (src-tauri/src/core/app/commands.rs and paths.rs): JAN_DATA_FOLDER, else
`data_folder` in `settings.json` of `Jan` or `jan.ai.app`, else `Jan/data` in the system's place for application data.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from desktop.library.stores.place import Candidate, Origin, Place, Store, distinct, folder_named, read_json, read_text
from desktop.library.walk import Walk

# One line of YAML; Jan writes plain or quoted scalars. `mmproj_path` is another key.
_MODEL_PATH = re.compile(r"""^model_path:[ ]*(?P<quote>["']?)(?P<path>.+?)(?P=quote)[ ]*$""", re.MULTILINE)
_MODELS = Path("llamacpp", "models")


class Jan(Store):
    """What Jan has downloaded or was told of."""

    source = "jan"

    def roots(self, place: Place) -> tuple[Path, ...]:
        """Return `llamacpp/models` of each data folder it may have."""
        data = place.application_data
        settings = [data / name / "settings.json" for name in ("Jan", "jan.ai.app")]
        chosen = [folder_named(read_json(path).get("data_folder")) for path in settings]
        folders = distinct(place.folder("JAN_DATA_FOLDER"), *chosen, data / "Jan" / "data")
        return tuple(folder / _MODELS for folder in folders)

    def candidates(self, root: Path, walk: Walk) -> Iterator[Candidate]:
        """Yield its files, and those elsewhere that a `model.yml` names."""
        yield from super().candidates(root, walk)
        for description in walk.files_of_part(root, suffix="model.yml"):
            path = _described(description, root)
            if path is not None:
                yield Candidate(path, self.origin(root, description))

    def origin(self, root: Path, path: Path) -> Origin:
        """Name it after its folder: the file is always called model.gguf."""
        name = path.parent.relative_to(root).as_posix()
        if name == ".":
            return Origin()
        return Origin(short=name, name=name, file_name=f"{path.parent.name}{path.suffix}")


def _described(description: Path, root: Path) -> Path | None:
    """The file that a model.yml names, where it lies outside Jan's own folder."""
    match = _MODEL_PATH.search(read_text(description))
    path = folder_named(match["path"]) if match else None  # one of its own is relative to the data folder
    if path is None or path.is_relative_to(root) or path.suffix.lower() != ".gguf":
        return None
    return path
