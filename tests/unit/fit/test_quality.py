"""What a quantization costs, in figures and words."""

import pytest

from desktop.fit.quality import kv_may_be_lowered, quality_of, quality_word, quant_figures, quant_table, size_factor
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


@pytest.mark.parametrize(
    ("architecture", "may"),
    [("llama", True), ("qwen3moe", True), ("gpt-oss", True), ("gemma2", False), ("gemma4", False), ("t5gemma", False)],
)
def test_the_kv_cache_of_a_gemma_is_not_lowered_by_the_program(architecture: str, may: bool) -> None:
    assert kv_may_be_lowered(architecture) is may
