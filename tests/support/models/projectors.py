"""Projectors with random weights: an eye and an ear for the dense model."""

from pathlib import Path

from tests.support.models.blocks import N_EMBD, Keys
from tests.support.models.weights import Weight, matrix, norm, vector, write_weights

WIDTH = 64
HEADS = 2
FEED_FORWARD = 128

PATCH = 14
IMAGE = 56
IMAGE_TOKENS = (IMAGE // PATCH) ** 2

SAMPLE_RATE = 16_000
MEL_BINS = 80
# Whisper reads 30 seconds as 3000 frames and halves them; the projector stacks them. 1500 has to be a multiple of the
# stack: clip.cpp expects another number of tokens otherwise, and aborts.
FRAMES = 1500
STACK = 20
SOUND_TOKENS = FRAMES // STACK


def write_vision_projector(
    folder: Path, *, seed: int = 0, name: str = "mmproj-vision", layers: int = 2, n_embd: int = N_EMBD
) -> Path:
    """Write a SigLIP with Janus' projector: an image of any size becomes 16 tokens.

    n_embd: of the language model; another one than the model's makes a projector that does not fit.
    """
    special: Keys = {
        "clip.has_vision_encoder": True,
        "clip.projector_type": "janus_pro",
        "clip.use_gelu": True,
        "clip.vision.image_size": IMAGE,
        "clip.vision.patch_size": PATCH,
        "clip.vision.image_mean": (0.5, 0.5, 0.5),
        "clip.vision.image_std": (0.5, 0.5, 0.5),
    }
    weights = [
        Weight("v.patch_embd.weight", (PATCH, PATCH, 3, WIDTH), "f16", spread=1 / PATCH),
        vector("v.patch_embd.bias", WIDTH),
        Weight("v.position_embd.weight", (WIDTH, IMAGE_TOKENS), spread=0.3),
        *(weight for layer in range(layers) for weight in _layer("v", layer)),
        *_norm("v.post_ln"),
        matrix("mm.0.weight", WIDTH, N_EMBD, kind="f16"),
        vector("mm.0.bias", N_EMBD),
        matrix("mm.1.weight", N_EMBD, n_embd, kind="f16", gain=2.0),
        vector("mm.1.bias", n_embd),
    ]
    return write_weights(folder / f"{name}.gguf", _clip("vision", layers, n_embd) | special, weights, seed=seed)


def write_pooling_projector(folder: Path, *, seed: int = 0, name: str = "mmproj-pooling") -> Path:
    """Write a SigLIP with Gemma 3's projector: 16 tokens per image, and each of them attends to those behind it."""
    side, pool = 2 * IMAGE, 2
    special: Keys = {
        "clip.has_vision_encoder": True,
        "clip.projector_type": "gemma3",
        "clip.use_gelu": True,
        "clip.vision.image_size": side,
        "clip.vision.patch_size": PATCH,
        "clip.vision.projector.scale_factor": pool,
        "clip.vision.image_mean": (0.5, 0.5, 0.5),
        "clip.vision.image_std": (0.5, 0.5, 0.5),
    }
    weights = [
        Weight("v.patch_embd.weight", (PATCH, PATCH, 3, WIDTH), "f16", spread=1 / PATCH),
        vector("v.patch_embd.bias", WIDTH),
        Weight("v.position_embd.weight", (WIDTH, (side // PATCH) ** 2), spread=0.3),
        *_layer("v", 0),
        *_norm("v.post_ln"),
        norm("mm.soft_emb_norm.weight", WIDTH),
        matrix("mm.input_projection.weight", N_EMBD, WIDTH, kind="f16"),
    ]
    return write_weights(folder / f"{name}.gguf", _clip("vision", 1, N_EMBD) | special, weights, seed=seed)


def write_audio_projector(
    folder: Path, *, seed: int = 0, name: str = "mmproj-audio", layers: int = 1, n_embd: int = N_EMBD
) -> Path:
    """Write a Whisper encoder with Ultravox's projector: up to 30 seconds of sound become 75 tokens."""
    special: Keys = {
        "clip.has_audio_encoder": True,
        "clip.projector_type": "ultravox",
        "clip.audio.num_mel_bins": MEL_BINS,
        "clip.audio.projector.stack_factor": STACK,
    }
    weights = [
        Weight("a.conv1d.1.weight", (3, MEL_BINS, WIDTH), "f16", spread=0.06),
        vector("a.conv1d.1.bias", 1, WIDTH),
        Weight("a.conv1d.2.weight", (3, WIDTH, WIDTH), "f16", spread=0.07),
        vector("a.conv1d.2.bias", 1, WIDTH),
        Weight("a.position_embd.weight", (WIDTH, FRAMES), spread=0.1),
        *(weight for layer in range(layers) for weight in _layer("a", layer)),
        *_norm("a.post_ln"),
        norm("mm.a.norm_pre.weight", WIDTH * STACK),
        matrix("mm.a.mlp.1.weight", WIDTH * STACK, 2 * N_EMBD, kind="f16"),
        norm("mm.a.norm_mid.weight", N_EMBD),
        matrix("mm.a.mlp.2.weight", N_EMBD, n_embd, kind="f16"),
    ]
    return write_weights(folder / f"{name}.gguf", _clip("audio", layers, n_embd) | special, weights, seed=seed)


def _clip(sense: str, layers: int, n_embd: int) -> Keys:
    return {
        "general.architecture": "clip",
        "general.type": "mmproj",
        "general.name": f"Tiny {sense}",
        f"clip.{sense}.embedding_length": WIDTH,
        f"clip.{sense}.attention.head_count": HEADS,
        f"clip.{sense}.feed_forward_length": FEED_FORWARD,
        f"clip.{sense}.block_count": layers,
        f"clip.{sense}.projection_dim": n_embd,
        f"clip.{sense}.attention.layer_norm_epsilon": 1e-5,
    }


def vision_layer(layer: int) -> list[Weight]:
    """A transformer's block of an eye."""
    return _layer("v", layer)


def _layer(prefix: str, layer: int) -> list[Weight]:
    """A transformer's block as clip.cpp names it; Whisper has no bias for keys."""
    block = f"{prefix}.blk.{layer}"
    weights = [*_norm(f"{block}.ln1"), *_norm(f"{block}.ln2")]
    for part in ("attn_q", "attn_k", "attn_v", "attn_out"):
        weights.append(matrix(f"{block}.{part}.weight", WIDTH, WIDTH, kind="f16"))
        if prefix == "v" or part != "attn_k":
            weights.append(vector(f"{block}.{part}.bias", WIDTH))
    return [
        *weights,
        matrix(f"{block}.ffn_up.weight", WIDTH, FEED_FORWARD, kind="f16"),
        vector(f"{block}.ffn_up.bias", FEED_FORWARD),
        matrix(f"{block}.ffn_down.weight", FEED_FORWARD, WIDTH, kind="f16"),
        vector(f"{block}.ffn_down.bias", WIDTH),
    ]


def _norm(name: str) -> list[Weight]:
    return [norm(f"{name}.weight", WIDTH), vector(f"{name}.bias", WIDTH)]
