"""The Hugging Face cache: `models--owner--repo/snapshots/<commit>/file.gguf`, links to `blobs/<etag>`.

Where it is: huggingface_hub/constants.py (HF_HUB_CACHE, else HUGGINGFACE_HUB_CACHE, else HF_HOME/hub, else
XDG_CACHE_HOME or ~/.cache). On Windows without the right to make links the file itself lies in the snapshot. The name
of a blob is its ETag: 64 digits are a SHA-256, 40 are one of git, which is none of the content.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from desktop.catalog.file_names import COMMIT, SHA256
from desktop.library.stores.place import Candidate, Origin, Place, Store, distinct
from desktop.library.walk import Walk

_REPO = re.compile(r"models--(?P<owner>[^/\\]+?)--(?P<name>[^/\\]+)")


class HuggingFace(Store):
    """What huggingface_hub, `hf download` and the programs that use them have fetched."""

    source = "huggingface"

    def roots(self, place: Place) -> tuple[Path, ...]:
        """Return the one folder that huggingface_hub uses."""
        chosen = place.folder("HF_HUB_CACHE") or place.folder("HUGGINGFACE_HUB_CACHE")
        home = place.folder("HF_HOME")
        cache = place.folder("XDG_CACHE_HOME") or place.home / ".cache"
        return distinct(chosen or (home or cache / "huggingface") / "hub")

    def candidates(self, root: Path, walk: Walk) -> Iterator[Candidate]:
        """Yield the files of each repository's snapshots, of those that lead to one blob the newest commit's."""
        for repo in sorted(folder for folder in root.iterdir() if _REPO.fullmatch(folder.name)):
            for snapshot in walk.folders(repo / "snapshots"):
                for path in walk.files_of_part(snapshot):
                    yield Candidate(path, self.origin(root, path))

    def origin(self, root: Path, path: Path) -> Origin:
        """Read repository, commit and checksum from the path."""
        folder, _, commit, *file = path.relative_to(root).parts
        match = _REPO.fullmatch(folder)
        if match is None or not COMMIT.fullmatch(commit):
            return Origin()
        repo = f"{match['owner']}/{match['name']}"
        return Origin(model_id=repo, repo=repo, file="/".join(file), revision=commit, sha256=blob_sha256(path))


def blob_sha256(path: Path) -> str:
    """Return the SHA-256 that the blob behind a file of a snapshot is named after, "" for none."""
    blob = path.resolve().name
    return blob if SHA256.fullmatch(blob) else ""
