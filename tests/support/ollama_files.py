"""What Ollama keeps on the disk."""

import hashlib
import json
import shutil
from pathlib import Path


def add_to_ollama(models: Path, name: str, model: Path) -> str:
    """Leave in Ollama's folder `models` what `ollama pull` leaves; returns the SHA-256."""
    digest = hashlib.sha256(model.read_bytes()).hexdigest()
    blob = models / "blobs" / f"sha256-{digest}"
    blob.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(model, blob)
    manifest = models / "manifests" / name
    manifest.parent.mkdir(parents=True, exist_ok=True)
    layers = [
        {"mediaType": "application/vnd.ollama.image.model", "digest": f"sha256:{digest}", "size": blob.stat().st_size},
        {"mediaType": "application/vnd.ollama.image.license", "digest": f"sha256:{'0' * 64}", "size": 1},
    ]
    manifest.write_text(json.dumps({"schemaVersion": 2, "layers": layers}))
    return digest
