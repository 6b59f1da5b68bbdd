"""The estimate from a catalog entry against the exact price of a file of the same shape."""

from pathlib import Path

import msgspec

from desktop.catalog.types import AttentionShape, RecurrentShape
from desktop.fit.advice.catalog_shape import file_size, shape_of_catalog
from desktop.fit.memory.header_shape import shape_of_header
from desktop.fit.memory.placement import Costs, Request
from desktop.fit.memory.shape import LayerCache
from desktop.fit.rating.quality import quant_figures
from desktop.gguf.header import read_header
from tests.support.gguf_writer import write_gguf
from tests.unit.fit import architectures
from tests.unit.fit.builders import model

SMOLLM2 = AttentionShape(
    n_layer=30, n_embd=576, n_head=9, n_head_kv=3, head_dim_k=64, head_dim_v=64,
    n_ff=1536, vocab_size=49152, tied_embeddings=True,
)  # fmt: skip


def test_the_estimate_of_the_starter_model_is_near_the_file(starter_model: Path) -> None:
    exact = shape_of_header(read_header(starter_model))
    entry = model("smollm2", billions=0.134515008, shape=SMOLLM2, quants=("Q4_1",))
    size, is_estimate = file_size(entry, entry.quantizations[0])
    estimate = shape_of_catalog(entry, entry.quantizations[0])
    assert is_estimate
    assert 0.8 < size / exact.total_weights < 1.2
    assert estimate.total_weights == size
    request = Request(8192)
    assert Costs(estimate, request).kv(0, 30) == Costs(exact, request).kv(0, 30)
    assert (estimate.ff_width, estimate.attention_width) == (exact.ff_width, exact.attention_width)


def test_what_layers_keep_is_the_same_from_a_catalog_and_from_a_header(tmp_path: Path) -> None:
    cases = {
        architectures.sliding_window: AttentionShape(
            n_layer=8, n_embd=512, n_head=4, n_head_kv=2, head_dim_k=128, head_dim_v=128,
            sliding_window=512, full_attention_interval=6,
        ),
        architectures.short_convolutions: AttentionShape(
            n_layer=6, n_embd=512, n_head=8, n_head_kv=(0, 0, 2, 0, 2, 0), head_dim_k=64, head_dim_v=64,
            full_attention_layers=(2, 4), recurrent=RecurrentShape(conv_kernel=3),
        ),
        architectures.latent_attention: AttentionShape(
            n_layer=4, n_embd=512, n_head=8, n_head_kv=8, head_dim_k=128, head_dim_v=64,
            kv_lora_rank=256, rope_dim=64,
        ),
    }  # fmt: skip
    for describe, shape in cases.items():
        exact = shape_of_header(read_header(write_gguf(tmp_path / "m.gguf", *describe())))
        entry = model("m", shape=shape)
        assert shape_of_catalog(entry, entry.quantizations[0]).layers == exact.layers, describe.__name__


def test_a_recurrent_state_has_its_columns_and_its_matrix() -> None:
    shape = AttentionShape(
        n_layer=4, n_embd=2048, n_head=16, n_head_kv=2, head_dim_k=256, head_dim_v=256, full_attention_interval=4,
        recurrent=RecurrentShape(conv_kernel=4, inner_size=4096, state_size=128, group_count=16),
    )  # fmt: skip
    entry = model("hybrid", shape=shape)
    state = 4 * (3 * (4096 + 2 * 16 * 128) + 4096 * 128)
    assert shape_of_catalog(entry, entry.quantizations[0]).layers == (
        LayerCache(state=state), LayerCache(state=state), LayerCache(state=state), LayerCache(512, 512),
    )  # fmt: skip


def test_a_size_that_the_hub_confirmed_is_taken_as_it_is() -> None:
    entry = model("m", quants=("Q4_K_M",))
    known = msgspec.structs.replace(entry.quantizations[0], size=5_000_000_000)
    assert file_size(entry, known) == (5_000_000_000, False)
    assert shape_of_catalog(entry, known).total_weights == 5_000_000_000


def test_fewer_bits_never_need_more_memory() -> None:
    for billions in (0.3, 1, 8, 70):
        entry = model("m", billions=billions)
        by_bits = sorted(entry.quantizations, key=lambda quant: quant_figures(quant.name).bits_per_weight)
        sizes = [shape_of_catalog(entry, quant).total_weights for quant in by_bits]
        assert sizes == sorted(sizes)
