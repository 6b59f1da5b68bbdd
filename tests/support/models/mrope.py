"""A model whose positions have several dimensions (M-RoPE, as Qwen's that see), and its eye."""

from pathlib import Path

from tests.support.models.blocks import (
    KV,
    N_EMBD,
    Keys,
    attention,
    describe,
    ends,
    feed_forward,
    write,
)
from tests.support.models.projectors import FEED_FORWARD, HEADS, PATCH, WIDTH, vision_layer
from tests.support.models.vocabulary import CHATML
from tests.support.models.weights import Weight, matrix, norm, vector, write_weights

LAYERS = 2


def write_mrope(folder: Path, *, seed: int = 0, name: str = "mrope", kind: str = "q8_0") -> Path:
    """Write a qwen2vl. kind: as of write_dense."""
    weights = [
        part
        for layer in range(LAYERS)
        for part in (
            *attention(layer, kind),
            vector(f"blk.{layer}.attn_q.bias", N_EMBD),
            vector(f"blk.{layer}.attn_k.bias", KV),
            vector(f"blk.{layer}.attn_v.bias", KV),
            *feed_forward(layer, kind),
        )
    ]
    metadata = describe("qwen2vl", LAYERS, CHATML, {"rope.dimension_sections": (8, 12, 12, 0)})
    return write(folder, name, metadata, [*weights, *ends(kind, 0.0)], seed)


def write_mrope_projector(folder: Path, *, seed: int = 0, name: str = "mmproj-mrope") -> Path:
    """Write a qwen2vl_merger: every 28 x 28 pixels of an image become a token, and its longer side counts in places."""
    metadata: Keys = {
        "general.architecture": "clip",
        "general.type": "mmproj",
        "clip.has_vision_encoder": True,
        "clip.projector_type": "qwen2vl_merger",
        "clip.use_gelu": True,
        "clip.vision.image_size": 112,
        "clip.vision.patch_size": PATCH,
        "clip.vision.embedding_length": WIDTH,
        "clip.vision.attention.head_count": HEADS,
        "clip.vision.feed_forward_length": FEED_FORWARD,
        "clip.vision.block_count": LAYERS,
        "clip.vision.projection_dim": N_EMBD,
        "clip.vision.attention.layer_norm_epsilon": 1e-5,
        "clip.vision.image_mean": (0.5, 0.5, 0.5),
        "clip.vision.image_std": (0.5, 0.5, 0.5),
    }
    weights = [
        Weight("v.patch_embd.weight", (PATCH, PATCH, 3, WIDTH), "f16", spread=1 / PATCH),
        Weight("v.patch_embd.weight.1", (PATCH, PATCH, 3, WIDTH), "f16", spread=1 / PATCH),
        *(weight for layer in range(LAYERS) for weight in vision_layer(layer)),
        norm("v.post_ln.weight", WIDTH),
        norm("v.post_ln.bias", WIDTH),
        matrix("mm.0.weight", 4 * WIDTH, 4 * WIDTH, kind="f16"),
        vector("mm.0.bias", 4 * WIDTH),
        matrix("mm.2.weight", 4 * WIDTH, N_EMBD, kind="f16", gain=2.0),
        vector("mm.2.bias", N_EMBD),
    ]
    return write_weights(folder / f"{name}.gguf", metadata, weights, seed=seed)
