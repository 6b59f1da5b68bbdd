"""Losses by quantization that others published: what the figures of resources/tensor_types.json are fitted to.

Sources: llama.cpp tools/perplexity/README.md (MIT), "LLaMA 3 8b Scoreboard" and "LLaMA 2 vs. LLaMA 3 Quantization
comparison" (mean KL divergence to f16 on Wikitext-2, nats), and the README of quantpicker (MIT; Qwen3-8B against Q8_0).
"""

from typing import NamedTuple

from benchmarks.llama_quantize import DenseModel


class Published(NamedTuple):
    """A row. imatrix: whether an importance matrix was used; kld: nats."""

    preset: str
    imatrix: bool
    kld: float


LLAMA_3_8B = DenseModel("llama", 32, 4096, 32, 8, 128, 14336, 128_256)
LLAMA_2_7B = DenseModel("llama", 32, 4096, 32, 32, 128, 11008, 32_000)
QWEN3_8B = DenseModel("qwen3", 36, 4096, 32, 8, 128, 12288, 151_936)

F16_KLD = 0.000551
"""Of F16 itself, whose original is BF16."""

LLAMA_3_ROWS = (
    Published("Q8_0", False, 0.001355),
    Published("Q6_K", False, 0.005452),
    Published("Q5_K_M", False, 0.010762),
    Published("Q5_K_S", False, 0.016595),
    Published("Q5_1", False, 0.018045),
    Published("Q5_0", False, 0.022239),
    Published("Q4_K_M", True, 0.028152),
    Published("Q4_K_M", False, 0.031273),
    Published("Q4_K_S", True, 0.031951),
    Published("IQ4_NL", True, 0.035742),
    Published("IQ4_XS", True, 0.036334),
    Published("Q4_K_S", False, 0.043136),
    Published("Q4_1", False, 0.071683),
    Published("Q4_0", False, 0.071940),
    Published("Q3_K_L", True, 0.073077),
    Published("Q3_K_M", True, 0.084358),
    Published("Q3_K_L", False, 0.087176),
    Published("Q3_K_M", False, 0.101913),
    Published("IQ3_M", True, 0.102534),
    Published("IQ3_S", True, 0.111278),
    Published("IQ3_XS", True, 0.138693),
    Published("IQ3_XXS", True, 0.183625),
    Published("Q3_K_S", True, 0.199821),
    Published("Q3_K_S", False, 0.228217),
    Published("IQ2_M", True, 0.325989),
    Published("Q2_K", True, 0.332223),
    Published("Q2_K_S", True, 0.403360),
    Published("IQ2_S", True, 0.439197),
    Published("Q2_K", False, 0.445132),
    Published("IQ2_XS", True, 0.546290),
    Published("IQ2_XXS", True, 0.812022),
    Published("IQ1_M", True, 1.393084),
    Published("IQ1_S", True, 2.254554),
)
"""Where several importance matrices were tried, the largest ("WT 10m")."""

# Not fitted to; whether an importance matrix was used is not said, and below Q5 it is usual.
QWEN3_ROWS = (
    Published("Q6_K", False, 0.0057),
    Published("Q5_K_M", False, 0.0131),
    Published("Q4_K_M", True, 0.0302),
    Published("IQ4_XS", True, 0.0371),
    Published("Q3_K_M", True, 0.0946),
    Published("Q2_K", True, 0.2622),
)
LLAMA_2_ROWS = (
    Published("Q8_0", False, 0.000369),
    Published("Q6_K", False, 0.002098),
    Published("Q4_K_M", False, 0.012686),
    Published("Q2_K", False, 0.108903),
)
