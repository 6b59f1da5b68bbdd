"""The mixes of llama-quantize's presets, by the sizes that llama.cpp publishes."""

import math

import pytest

from benchmarks.llama_quantize import BASE, DenseModel, dense_of_catalog, tensors_of, type_of
from benchmarks.published_quality import LLAMA_3_8B
from desktop.catalog.catalog import load_catalog
from desktop.paths import catalog_file
from tests.support.gguf_writer import data_size, tensor_size

# llama.cpp tools/quantize/README.md (MIT): bits per weight of Llama 3.1 8B.
PUBLISHED = {
    "IQ1_S": 2.0042, "IQ1_M": 2.1460, "IQ2_XXS": 2.3824, "IQ2_XS": 2.5882, "IQ2_S": 2.7403, "IQ2_M": 2.9294,
    "IQ3_XXS": 3.2548, "IQ3_XS": 3.4977, "IQ3_S": 3.6606, "IQ3_M": 3.7628, "IQ4_XS": 4.4597, "IQ4_NL": 4.6818,
    "Q2_K_S": 2.9697, "Q2_K": 3.1593, "Q3_K_S": 3.6429, "Q3_K_M": 3.9960, "Q3_K_L": 4.2979, "Q4_K_S": 4.6672,
    "Q4_K_M": 4.8944, "Q5_K_S": 5.5704, "Q5_K_M": 5.7036, "Q6_K": 6.5633, "Q8_0": 8.5008, "F16": 16.0005,
}  # fmt: skip
NEEDS_NO_IMATRIX = ("IQ4_XS", "IQ4_NL")  # theirs were made without one, as those of Q2_K and above


@pytest.mark.parametrize("preset", PUBLISHED)
def test_a_preset_takes_the_bits_that_llama_cpp_publishes(preset: str) -> None:
    imatrix = preset.startswith("IQ") and preset not in NEEDS_NO_IMATRIX
    tensors = tensors_of(LLAMA_3_8B, preset, imatrix=imatrix)
    weights = sum(math.prod(tensor.shape) for tensor in tensors)
    assert weights == 8_030_261_248
    assert sum(map(tensor_size, tensors)) * 8 / weights == pytest.approx(PUBLISHED[preset], abs=5e-5)


def test_a_70b_keeps_its_few_values_at_five_bits() -> None:
    llama = DenseModel("llama", 80, 8192, 64, 8, 128, 28672, 128_256)
    assert type_of("blk.10.attn_v.weight", llama, "Q3_K_S", imatrix=False) == "q5_K"
    assert type_of("blk.10.attn_k.weight", llama, "Q3_K_S", imatrix=False) == "q3_K"


def test_a_table_that_is_the_output_too_is_quantized_as_the_output() -> None:
    assert type_of("token_embd.weight", LLAMA_3_8B, "Q4_K_M", imatrix=False) == "q4_K"
    assert type_of("token_embd.weight", LLAMA_3_8B._replace(tied=True), "Q4_K_M", imatrix=False) == "q6_K"


def test_every_preset_has_a_type_for_every_tensor() -> None:
    for preset in BASE:
        kinds = {tensor.kind for tensor in tensors_of(LLAMA_3_8B, preset, imatrix=False)}
        assert BASE[preset] in kinds


@pytest.mark.parametrize(
    ("model", "preset"), [("llama-3.2-1b", "Q4_K_M"), ("llama-3.2-3b", "Q6_K"), ("smollm2-1.7b", "Q8_0")]
)
def test_a_published_file_is_as_large_but_for_its_header(model: str, preset: str) -> None:
    entry = next(entry for entry in load_catalog(catalog_file()).models if entry.id == model)
    size = next(one.size for one in entry.quantizations if one.name == preset)
    assert size is not None
    header = size - data_size(tensors_of(dense_of_catalog(entry), preset, imatrix=True))
    assert 1_000_000 < header < 12_000_000  # most of it the vocabulary
