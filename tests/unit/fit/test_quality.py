"""What a quantization costs, in figures and words: by name, and by the tensor types in a header."""

import io
import statistics
import subprocess
import sys
from collections.abc import Sequence

import msgspec
import pytest

from benchmarks.llama_quantize import DenseModel, metadata_of, tensors_of
from benchmarks.published_quality import LLAMA_3_8B, LLAMA_3_ROWS, QWEN3_8B, QWEN3_ROWS
from desktop.engine.protocol import KvType
from desktop.fit.rating.mix import Part, loss_of_shares, mix_figures
from desktop.fit.rating.quality import (
    kv_is_warned_of,
    kv_loss,
    kv_may_be_lowered,
    quality_of,
    quality_of_header,
    quality_word,
    quant_figures,
    quant_table,
    size_factor,
)
from desktop.gguf.header import GgufHeader, parse_header
from desktop.gguf.types import GGML_TYPES_BY_NAME
from tests.support.gguf_writer import Metadata, Tensor, data_size, header_bytes
from tests.unit.fit.architectures import mixture_of_experts
from tests.unit.fit.builders import model


@pytest.mark.parametrize(
    ("kld", "word"),
    [
        (0.0014, "lossless in practice"),
        (0.0055, "near-lossless"),
        (0.0282, "good"),
        (0.0844, "acceptable"),
        (0.1, "poor"),
        (2.0, "poor"),
    ],
)
def test_a_loss_has_a_word(kld: float, word: str) -> None:
    assert quality_word(kld) == word


def test_larger_models_bear_more_and_the_reference_is_an_8b() -> None:
    assert size_factor(8_030_261_248) == 1
    assert 0.4 <= size_factor(70_000_000_000) < 0.6
    assert size_factor(135_000_000) > 3
    large, small = model("large", billions=70), model("small", billions=0.5)
    assert quality_of(large, "Q4_K_M").kld < quant_figures("Q4_K_M").kld < quality_of(small, "Q4_K_M").kld


def test_fewer_bits_lose_more_among_the_usual_files() -> None:
    names = ("Q8_0", "Q6_K", "Q5_K_M", "Q4_K_M", "Q3_K_M", "Q2_K")
    figures = [quant_figures(name) for name in names]
    assert [row.kld for row in figures] == sorted(row.kld for row in figures)
    assert [row.bits_per_weight for row in figures] == sorted((r.bits_per_weight for r in figures), reverse=True)


def test_names_of_other_publishers_are_understood_and_unknown_ones_never_praised() -> None:
    assert quant_figures("UD-Q4_K_XL") is quant_figures("q4_k_m")
    assert quant_figures("BF16").kld == 0
    assert quant_figures("SOMETHING_NEW") is quant_figures("Q4_0")


def test_the_format_a_model_was_trained_in_costs_nothing() -> None:
    assert quality_of(model("gpt-oss-20b", billions=20, architecture="gpt-oss"), "MXFP4").kld == 0
    assert quality_of(model("other", billions=20), "MXFP4").word in ("acceptable", "poor")


def test_q4_1_is_known_to_be_slow_on_processors() -> None:
    assert quant_figures("Q4_1").cpu_efficiency < quant_figures("Q4_0").cpu_efficiency
    assert all(0 < row.cpu_efficiency <= 1 and 0 < row.gpu_efficiency <= 1 for row in quant_table().values())


def _header(metadata: Metadata, tensors: Sequence[Tensor]) -> GgufHeader:
    head = header_bytes(metadata, tensors)
    return parse_header(io.BytesIO(head), size=len(head) + data_size(tensors), name="published.gguf")


def _preset(model: DenseModel, preset: str, *, imatrix: bool = False, **changed: str) -> GgufHeader:
    """A file as llama-quantize makes it; changed: part of a name -> the type such tensors have instead."""
    tensors = [
        next((tensor._replace(kind=kind) for part, kind in changed.items() if f"{part}.weight" in tensor.name), tensor)
        for tensor in tensors_of(model, preset, imatrix=imatrix)
    ]
    return _header(metadata_of(model, imatrix=imatrix), tensors)


def test_the_mix_of_types_comes_near_every_published_loss() -> None:
    offs = []
    for row in LLAMA_3_ROWS:
        quality = quality_of_header(_preset(LLAMA_3_8B, row.preset, imatrix=row.imatrix))
        offs.append(abs(quality.kld / row.kld - 1))
        assert offs[-1] < 0.2, row
        assert quality.source == "mix"
    assert statistics.median(offs) < 0.05


def test_the_mix_comes_near_the_losses_of_a_model_that_it_was_not_fitted_to() -> None:
    for row in QWEN3_ROWS:
        quality = quality_of_header(_preset(QWEN3_8B, row.preset, imatrix=row.imatrix))
        assert quality.kld == pytest.approx(row.kld, rel=0.2), row


def test_files_of_the_same_name_are_told_apart() -> None:
    plain = quality_of_header(_preset(LLAMA_3_8B, "Q4_K_M")).kld
    better = quality_of_header(_preset(LLAMA_3_8B, "Q4_K_M", ffn_down="q6_K")).kld
    worse = quality_of_header(_preset(LLAMA_3_8B, "Q4_K_M", ffn_down="q3_K", ffn_up="q2_K", ffn_gate="q2_K")).kld
    assert better < 0.8 * plain
    assert worse > 3 * plain


def test_an_importance_matrix_lowers_the_loss_of_few_bits_only() -> None:
    with_one, without = (quality_of_header(_preset(LLAMA_3_8B, "Q4_K_S", imatrix=known)).kld for known in (True, False))
    assert 0.7 < with_one / without < 0.85
    with_one, without = (quality_of_header(_preset(LLAMA_3_8B, "Q6_K", imatrix=known)).kld for known in (True, False))
    assert with_one == without


def test_what_was_not_quantized_costs_next_to_nothing() -> None:
    assert quality_of_header(_preset(LLAMA_3_8B, "BF16")).kld == 0
    assert quality_of_header(_preset(LLAMA_3_8B, "F16")).word == "lossless in practice"


def test_a_small_model_loses_more_by_the_same_mix() -> None:
    small = LLAMA_3_8B._replace(n_layer=16, n_embd=2048, n_head=16, n_head_kv=4, n_ff=6144)
    large = quality_of_header(_preset(LLAMA_3_8B, "Q4_K_M")).kld
    assert quality_of_header(_preset(small, "Q4_K_M")).kld > 1.4 * large


def test_parts_of_a_split_model_are_scored_as_one() -> None:
    tensors = tensors_of(LLAMA_3_8B, "Q4_K_M", imatrix=True)
    metadata = metadata_of(LLAMA_3_8B, imatrix=True)
    first, second = _header(metadata, tensors[:100]), _header({"split.no": 1}, tensors[100:])
    whole = quality_of_header(_header(metadata, tensors))
    assert quality_of_header(first, shards=(second,)).kld == pytest.approx(whole.kld)


def test_experts_count_by_those_that_work_on_a_token() -> None:
    metadata, tensors = mixture_of_experts()
    tensors = [tensor._replace(kind="q2_K") if "_exps" in tensor.name else tensor for tensor in tensors]
    some = quality_of_header(_header(metadata, tensors)).kld
    every = quality_of_header(_header(metadata | {"llama.expert_used_count": 8}, tensors)).kld
    assert some < 0.9 * every


def test_mxfp4_is_free_where_a_model_was_trained_in_it_and_poor_elsewhere() -> None:
    metadata, tensors = mixture_of_experts()
    tensors = [tensor._replace(kind="mxfp4" if "_exps" in tensor.name else "bf16") for tensor in tensors]
    own = {key.replace("llama.", "gpt-oss."): value for key, value in metadata.items()}
    assert quality_of_header(_header(own | {"general.architecture": "gpt-oss"}, tensors)).kld == 0
    assert quality_of_header(_header(metadata, tensors)).word == "poor"


def test_a_type_without_figures_is_taken_for_the_next_smaller_one() -> None:
    figures = mix_figures()
    fewer = {name: entry for name, entry in figures.types.items() if name not in ("q6_K", "iq1_s")}
    older = msgspec.structs.replace(figures, types=fewer)

    def loss(name: str) -> float:
        return loss_of_shares({Part(GGML_TYPES_BY_NAME[name], False): 1.0}, older, imatrix=False)

    assert loss("q6_K") == loss("q5_1")
    assert loss("iq1_s") == loss("q1_0")


def test_a_file_without_tensors_has_no_loss() -> None:
    assert quality_of_header(_header({"general.architecture": "llama"}, ())).kld == 0


def test_the_rounding_errors_in_the_file_are_the_engines_own() -> None:
    command = [sys.executable, "-m", "benchmarks.rounding_error", "--rows", "1"]
    answer = subprocess.run(command, capture_output=True, check=True, timeout=300)
    errors = msgspec.json.decode(answer.stdout, type=dict[str, float])
    known = {name: entry.rounding_error for name, entry in mix_figures().types.items()}
    assert known.keys() == errors.keys()
    for name, error in errors.items():
        assert error == pytest.approx(known[name], rel=0.15), name


@pytest.mark.parametrize(
    ("architecture", "may"),
    [
        ("llama", True),
        ("qwen3moe", True),
        ("qwen35", True),
        ("gpt-oss", False),
        ("gemma2", False),
        ("gemma4", False),
        ("t5gemma", False),
    ],
)
def test_the_program_lowers_no_kv_cache_where_that_was_measured_to_cost(architecture: str, may: bool) -> None:
    assert kv_may_be_lowered(architecture) is may


@pytest.mark.parametrize(
    ("architecture", "k", "v", "warned"),
    [
        ("gemma3", "q8_0", "q8_0", True),
        ("t5gemma", "f16", "q8_0", True),
        ("gemma3", "f16", "f16", False),
        ("gemma3", "bf16", "bf16", False),
        ("llama", "q4_0", "q4_0", False),
    ],
)
def test_only_a_quantized_kv_cache_of_a_gemma_is_warned_of(
    architecture: str, k: KvType, v: KvType, warned: bool
) -> None:
    assert kv_is_warned_of(architecture, k, v) is warned


@pytest.mark.parametrize(
    ("architecture", "k", "v", "high", "word"),
    [
        ("llama", "q8_0", "q8_0", 0.00098, "lossless in practice"),
        ("llama", "f16", "q8_0", 0.000743, "lossless in practice"),
        ("gemma4", "q8_0", "q8_0", 0.377, "poor"),
        ("gemma4", "f16", "q8_0", 0.377, "poor"),
        ("gemma3", "q4_0", "q8_0", 1.088, "poor"),
        ("qwen35moe", "q8_0", "q8_0", 0.04, "good"),
        ("gemma3", "f16", "f16", 0, "lossless in practice"),
    ],
)
def test_a_quantized_kv_cache_costs_what_was_published_for_the_family(
    architecture: str, k: KvType, v: KvType, high: float, word: str
) -> None:
    quality = kv_loss(architecture, k, v)
    assert (quality.high, quality.word) == (high, word)


def test_nothing_is_said_of_a_family_that_nobody_measured() -> None:
    assert kv_loss("granite", "q8_0", "q8_0") == (None, None, None, "")
    assert kv_loss("llama", "q4_0", "q4_0").word is None
