"""Ollama: manifests that name blobs, one of which is the GGUF.

`<models>/manifests/<registry>/<namespace>/<name>/<tag>` is JSON; its layer `application/vnd.ollama.image.model` lies in
`<models>/blobs/sha256-<hex>` (ollama/ollama, server/modelpath.go, envconfig/config.go): OLLAMA_MODELS, else
`~/.ollama/models` on every system; the service that its Linux installer sets up has a home of its own.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

from desktop.files import read_bounded
from desktop.library.stores.place import Candidate, Origin, Place, Store, distinct
from desktop.library.walk import Walk

_MODEL_LAYER = "application/vnd.ollama.image.model"
_DIGEST = re.compile(r"sha256:(?P<hex>[0-9a-f]{64})")
_MOST_MANIFEST = 1 << 20  # bytes; they have some hundred
_USUAL_REGISTRY, _USUAL_NAMESPACE, _MANIFESTS = "registry.ollama.ai", "library", "manifests"
# docs/linux.md of Ollama: the person `ollama`, whose home is /usr/share/ollama.
_SERVICES = (Path("/usr/share/ollama/.ollama/models"),)


class _Layer(msgspec.Struct, frozen=True):
    digest: str = ""
    mediaType: str = ""  # noqa: N815 - the name in the file


class _Manifest(msgspec.Struct, frozen=True):
    layers: tuple[_Layer, ...] = ()


class Ollama(Store):
    """What Ollama has pulled or created."""

    source = "ollama"

    def roots(self, place: Place) -> tuple[Path, ...]:
        """Return the folder of the environment, that of the person, and on Linux that of the service."""
        services = _SERVICES if place.system == "linux" else ()
        return distinct(place.folder("OLLAMA_MODELS"), place.home / ".ollama" / "models", *services)

    def candidates(self, root: Path, walk: Walk) -> Iterator[Candidate]:
        """Yield the blob of each manifest. A model of several GGUF layers is none that can be used in place."""
        manifests = root / _MANIFESTS
        if manifests not in root.iterdir():  # then it has no model, but is there
            return
        for manifest in walk.files(manifests, suffix=""):
            parts = manifest.relative_to(manifests).parts
            digest = _model_layer(manifest) if len(parts) == 4 else ""
            if digest:
                name = _short_name(*parts)
                blob = root / "blobs" / f"sha256-{digest}"
                yield Candidate(blob, Origin(short=name, name=name, sha256=digest, file_name=parts[3]))


def _model_layer(manifest: Path) -> str:
    try:
        decoded = msgspec.json.decode(read_bounded(manifest, most=_MOST_MANIFEST), type=_Manifest)
    except (OSError, ValueError, RecursionError):  # being written, or no manifest
        return ""
    layers = [layer.digest for layer in decoded.layers if layer.mediaType == _MODEL_LAYER]
    match = _DIGEST.fullmatch(layers[0]) if len(layers) == 1 else None
    return match["hex"] if match else ""


def _short_name(registry: str, namespace: str, name: str, tag: str) -> str:
    """As `ollama list` shows it (GetShortTagname)."""
    if registry != _USUAL_REGISTRY:
        return f"{registry}/{namespace}/{name}:{tag}"
    return f"{name}:{tag}" if namespace == _USUAL_NAMESPACE else f"{namespace}/{name}:{tag}"
