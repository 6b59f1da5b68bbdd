"""Fits what each tensor type costs to published losses: `python -m benchmarks.quality_fit [--write]`.

The loss of a type is scale * rounding error ** exponent, times a correction that is held near 1; beside it are fitted
the noise, how often ffn_down counts, and what an importance matrix leaves. Printed are the figures, the residual of
each published row with all rows and without that row, and two models that were not fitted to, as Markdown.
--write: resources/tensor_types.json anew. --measure: rounding errors anew, too, instead of those in that file.
"""

import argparse
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from benchmarks.llama_quantize import DenseModel, tensors_of
from benchmarks.published_quality import (
    F16_KLD,
    LLAMA_2_7B,
    LLAMA_2_ROWS,
    LLAMA_3_8B,
    LLAMA_3_ROWS,
    QWEN3_8B,
    QWEN3_ROWS,
    Published,
)
from desktop.fit.rating.mix import MixFigures, Part, TypeFigures, loss_of_shares, mix_figures, shares_of
from desktop.gguf.header import TensorInfo
from desktop.gguf.types import GGML_TYPES_BY_NAME
from desktop.paths import resources_folder

Vector = np.ndarray[Any, np.dtype[np.float64]]

SHARED = 5  # parameters before the corrections: scale, exponent, noise, ffn_down, importance matrix; logarithms
START = (math.log(3.0), 0.0, math.log(0.0009), 0.0, math.log(0.8))
# How far each may be from where it starts before it costs as much as a row that is NOISE off.
WIDTHS = (10.0, 10.0, 0.3, 2.0, 0.3)
CORRECTION = 0.3
NOISE = 0.1
STEPS, FEW_STEPS = 60, 8
UNQUANTIZED = {"f32": 0.0, "f64": 0.0, "bf16": 0.0, "f16": F16_KLD, "i8": 0.0, "i16": 0.0, "i32": 0.0, "i64": 0.0}
"""Whole numbers are tables of indices."""


def shares_in(model: DenseModel, preset: str, *, imatrix: bool) -> dict[Part, float]:
    """Return the mix of `model` in a preset of llama-quantize."""
    tensors = tensors_of(model, preset, imatrix=imatrix)
    return shares_of(TensorInfo(name, shape, GGML_TYPES_BY_NAME[kind], 0, 0) for name, shape, kind in tensors)


class Fit:
    """Parameters to figures, and how far the figures are off."""

    def __init__(self, rows: Sequence[Published], errors: Mapping[str, float]) -> None:
        self._errors = errors
        self._klds = [row.kld for row in rows]
        self._imatrix = [row.imatrix for row in rows]
        self._shares = [shares_in(LLAMA_3_8B, row.preset, imatrix=row.imatrix) for row in rows]
        met = {part.kind.name for shares in self._shares for part in shares}
        self.corrected = sorted(met & errors.keys())
        self._widths = np.array(WIDTHS + (CORRECTION,) * len(self.corrected))

    def start(self) -> Vector:
        """Where the search begins."""
        return np.array(START + (0.0,) * len(self.corrected))

    def figures(self, values: Vector) -> MixFigures:
        """What the parameters mean."""
        scale, exponent, noise, down, imatrix = values[:SHARED]
        corrections = dict(zip(self.corrected, values[SHARED:], strict=True))
        losses = {
            name: math.exp(scale + corrections.get(name, 0.0) + math.exp(exponent) * math.log(error))
            for name, error in self._errors.items()
        }
        return MixFigures(
            noise=math.exp(noise),
            imatrix_factor=math.exp(imatrix),
            down_factor=math.exp(down),
            unquantized=UNQUANTIZED,
            types={name: TypeFigures(rounding_error=error, loss=losses[name]) for name, error in self._errors.items()},
        )

    def residuals(self, values: Vector) -> Vector:
        """Logarithms of predicted over published, then the distances from the start, both in units of NOISE."""
        figures = self.figures(values)
        predicted = [
            loss_of_shares(shares, figures, imatrix=imatrix)
            for shares, imatrix in zip(self._shares, self._imatrix, strict=True)
        ]
        rows = np.log(np.array(predicted) / np.array(self._klds)) / NOISE
        return np.concatenate([rows, (values - self.start()) / self._widths])


def least_squares(residuals: Callable[[Vector], Vector], values: Vector, steps: int) -> Vector:
    """Levenberg and Marquardt's method with a numerical gradient."""
    damping = 1e-2
    now = residuals(values)
    for _ in range(steps):
        gradient = np.stack([(residuals(values + step) - now) / 1e-4 for step in 1e-4 * np.eye(len(values))], axis=1)
        while damping < 1e8:
            step = np.linalg.solve(gradient.T @ gradient + damping * np.eye(len(values)), gradient.T @ now)
            after = residuals(values - step)
            if after @ after < now @ now:
                values, now, damping = values - step, after, damping / 3
                break
            damping *= 4
    return values


def without_each(rows: Sequence[Published], errors: Mapping[str, float], values: Vector) -> list[float]:
    """Predict each row with figures that were fitted to the others."""
    predicted = []
    corrected = Fit(rows, errors).corrected
    for index, row in enumerate(rows):
        fit = Fit([*rows[:index], *rows[index + 1 :]], errors)
        kept = [SHARED + corrected.index(name) for name in fit.corrected]
        figures = fit.figures(least_squares(fit.residuals, values[[*range(SHARED), *kept]], FEW_STEPS))
        shares = shares_in(LLAMA_3_8B, row.preset, imatrix=row.imatrix)
        predicted.append(loss_of_shares(shares, figures, imatrix=row.imatrix))
    return predicted


def main() -> int:
    """Fit, print, and write where asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="resources/tensor_types.json anew")
    parser.add_argument("--measure", action="store_true", help="rounding errors anew, by the engine")
    arguments = parser.parse_args()
    errors = _errors(measure=arguments.measure)
    fit = Fit(LLAMA_3_ROWS, errors)
    values = least_squares(fit.residuals, fit.start(), STEPS)
    figures = _rounded(fit.figures(values))
    if arguments.write:
        written = msgspec.json.format(msgspec.json.encode(figures), indent=1) + b"\n"
        (resources_folder() / "tensor_types.json").write_bytes(written)
    _print_figures(figures, values, fit.corrected)
    _print_rows(figures, without_each(LLAMA_3_ROWS, errors, values))
    _print_others("Qwen3-8B", QWEN3_8B, QWEN3_ROWS, figures)
    _print_others("Llama-2-7B", LLAMA_2_7B, LLAMA_2_ROWS, figures)
    return 0


def _errors(*, measure: bool) -> dict[str, float]:
    if not measure:
        return {name: entry.rounding_error for name, entry in mix_figures().types.items()}
    from benchmarks.rounding_error import measured  # loads the engine

    return {name: float(f"{error:.4g}") for name, error in measured().items()}


def _rounded(figures: MixFigures) -> MixFigures:
    def few(value: float) -> float:
        return float(f"{value:.4g}")

    return msgspec.structs.replace(
        figures,
        noise=few(figures.noise),
        imatrix_factor=few(figures.imatrix_factor),
        down_factor=few(figures.down_factor),
        types={
            name: TypeFigures(rounding_error=entry.rounding_error, loss=few(entry.loss))
            for name, entry in figures.types.items()
        },
    )


def _print_figures(figures: MixFigures, values: Vector, corrected: Sequence[str]) -> None:
    print(f"scale {math.exp(values[0]):.2f}, exponent {math.exp(values[1]):.3f}, noise {figures.noise:.5f}")
    print(f"ffn_down counts {figures.down_factor:.1f} times; an importance matrix leaves {figures.imatrix_factor:.2f}")
    factors = dict(zip(corrected, np.exp(values[SHARED:]), strict=True))
    print("\n| type | rounding error | loss | correction |\n|---|--:|--:|--:|")
    for name, entry in sorted(figures.types.items(), key=lambda item: item[1].loss):
        factor = f"{factors[name]:.2f}" if name in factors else "none"
        print(f"| {name} | {entry.rounding_error:.2e} | {entry.loss:.2g} | {factor} |")


def _print_rows(figures: MixFigures, alone: Sequence[float]) -> None:
    print("\n| preset | imatrix | published | model | off | off without this row |\n|---|---|--:|--:|--:|--:|")
    offs = []
    for row, other in zip(LLAMA_3_ROWS, alone, strict=True):
        shares = shares_in(LLAMA_3_8B, row.preset, imatrix=row.imatrix)
        got = loss_of_shares(shares, figures, imatrix=row.imatrix)
        offs.append((abs(got / row.kld - 1), abs(other / row.kld - 1)))
        more = f"{got:.4f} | {got / row.kld - 1:+.0%} | {other / row.kld - 1:+.0%}"
        print(f"| {row.preset} | {'yes' if row.imatrix else 'no'} | {row.kld:.4f} | {more} |")
    for name, column in zip(("with all rows", "without the row"), zip(*offs, strict=True), strict=True):
        print(f"\n{name}: median {np.median(column):.1%} off, at most {max(column):.0%}")


def _print_others(name: str, model: DenseModel, rows: Sequence[Published], figures: MixFigures) -> None:
    print(f"\n{name}\n\n| preset | imatrix | published | model | model / published |\n|---|---|--:|--:|--:|")
    for row in rows:
        got = loss_of_shares(shares_in(model, row.preset, imatrix=row.imatrix), figures, imatrix=row.imatrix)
        print(f"| {row.preset} | {'yes' if row.imatrix else 'no'} | {row.kld:.4f} | {got:.4f} | {got / row.kld:.2f} |")


if __name__ == "__main__":
    sys.exit(main())
