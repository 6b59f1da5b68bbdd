"""LoRA adapters for the dense model."""

from pathlib import Path

from tests.support.gguf_writer import Scalar
from tests.support.models.blocks import KV, N_EMBD
from tests.support.models.weights import matrix, write_weights


def write_lora(
    folder: Path, *, seed: int = 0, name: str = "lora", layers: int = 4, rank: int = 8, strength: float = 1.0
) -> Path:
    """Write an adapter of the dense model's attention.

    strength: how much it adds to a product, beside what was there; at 1 the greedy text is another one.
    layers: those of the model. More than the model has makes an adapter that does not fit.
    """
    metadata: dict[str, Scalar] = {
        "general.architecture": "llama",
        "general.type": "adapter",
        "general.name": f"Tiny {name}",
        "adapter.type": "lora",
        # The engine adds scale * alpha / rank * B A (get_scale in llama-adapter.h).
        "adapter.lora.alpha": strength * rank,
    }
    weights = []
    for layer in range(layers):
        for target, width in (("attn_q", N_EMBD), ("attn_v", KV), ("attn_output", N_EMBD)):
            weight = f"blk.{layer}.{target}.weight"
            weights += [
                matrix(f"{weight}.lora_a", N_EMBD, rank, kind="f16"),
                matrix(f"{weight}.lora_b", rank, width, kind="f16"),
            ]
    return write_weights(folder / f"{name}.gguf", metadata, weights, seed=seed)
