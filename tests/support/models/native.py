"""Asks libllama about a model, in a process of its own: what a test's model says when nothing of ours is in between."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).parents[3]
_TIMEOUT = 50.0


def decode(
    model: Path, prompt: str, *, tokens: int = 20, lora: Path | None = None, scale: float = 1.0, n_ubatch: int = 1024
) -> Any:
    """Return greedy `text` and `tokens` after a prompt, whether all logits were `finite`, and facts of the model.

    `spread` is the smallest distance between the best and the worst logit of a step; `oldest` is the first position
    that the memory still holds.
    """
    adapter = {"lora": str(lora), "scale": scale} if lora else {}
    request = {"do": "decode", "model": str(model), "prompt": prompt, "tokens": tokens, "n_ubatch": n_ubatch}
    return _ask(request | adapter)


def predict(model: Path, prompt: str, follow: list[int]) -> list[int]:
    """Return which token the model would have chosen in the place of each of these."""
    request = {"do": "decode", "model": str(model), "prompt": prompt, "tokens": len(follow), "follow": follow}
    chosen: list[int] = _ask(request)["tokens"]
    return chosen


def embed(model: Path, texts: list[str]) -> Any:
    """Return what the texts are pooled to as `vectors`; vectors of one number from a model that ranks."""
    return _ask({"do": "embed", "model": str(model), "texts": texts})


def perceive(model: Path, projector: Path, prompt: str, *, tokens: int = 20, **media: Any) -> Any:
    """Return greedy text after a prompt with one image (`shade`: 0 to 255) or one sound (`pitch`: Hz) in it."""
    request = {"do": "perceive", "model": str(model), "projector": str(projector), "prompt": prompt, "tokens": tokens}
    return _ask(request | media)


def _ask(request: dict[str, Any]) -> Any:
    command = [sys.executable, "-m", "tests.support.models.native_child", json.dumps(request)]
    environment = os.environ | {"GGML_NO_BACKTRACE": "1"}  # an abort would start a debugger
    child = subprocess.run(
        command, cwd=_ROOT, env=environment, capture_output=True, text=True, timeout=_TIMEOUT, check=False
    )
    assert child.returncode == 0, child.stderr
    return json.loads(child.stdout)
