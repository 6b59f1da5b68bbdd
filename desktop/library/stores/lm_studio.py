"""LM Studio: `<home>/models/publisher/repo/file.gguf`.

Its home and the folder in its settings as its command line finds them (lmstudio-ai/lms, src/lmstudioPaths.ts and
src/modelsFolder.ts): `~/.lmstudio-home-pointer`, else `~/.cache/lm-studio` where that is there, else `~/.lmstudio`;
`downloadsFolder` in `settings.json`. The same on Linux, macOS and Windows.
"""

from pathlib import Path

from desktop.library.stores.place import Origin, Place, Store, distinct, folder_named, read_json, read_text


class LmStudio(Store):
    """What LM Studio has downloaded."""

    source = "lm-studio"

    def roots(self, place: Place) -> tuple[Path, ...]:
        """Return the folder of its settings, and `models` in each home it may have."""
        homes = distinct(
            folder_named(read_text(place.home / ".lmstudio-home-pointer")),
            place.home / ".lmstudio",
            place.home / ".cache" / "lm-studio",
        )
        chosen = [folder_named(read_json(home / "settings.json").get("downloadsFolder")) for home in homes]
        return distinct(*chosen, *(home / "models" for home in homes))

    def origin(self, root: Path, path: Path) -> Origin:
        """Name the repository, as the folders are those of the Hub."""
        parts = path.relative_to(root).parts
        if len(parts) < 3:
            return Origin()
        repo = "/".join(parts[:2])
        return Origin(model_id=repo, repo=repo, file="/".join(parts[2:]))
