"""How well speed is predicted: `python -m benchmarks.speed_accuracy [--quick]`.

Measures this machine with the probe (no model in it), predicts, and runs the real engine: on the starter model in ten
quantizations that can be made from it, and on random models of 0.5 and 0.9 billion weights whose rows are wide enough
for K-quants. Nothing is corrected by runs. Bounds: decode within 10 % (median) and 25 % (90th percentile), prefill
within 20 and 40 %. Exit code 1 where one is missed.
"""

import argparse
import asyncio
import os
import random
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from benchmarks.command import MISSED, percentile
from benchmarks.sides import engine, plan_for
from desktop.engine.protocol import DeviceSpeeds, LoadPlan
from desktop.fit.memory.header_shape import shape_of_header
from desktop.fit.memory.placement import CPU, Costs, Span, request_of
from desktop.fit.speeds.bench import PROMPT, measure_decode, measure_prefill, prompt_of
from desktop.fit.speeds.measured import MeasuredDevice, Probes
from desktop.fit.speeds.speed import SpeedModel
from desktop.fit.speeds.speed_probe import measure_speeds
from desktop.gguf.header import read_header
from desktop.hardware.types import Cpu, Disk, HardwareProfile, Ram
from desktop.library.starter import starter_model
from tests.support.gguf_writer import dense_model, tensor_size, write_filled_gguf
from tests.support.models.vocabulary import bpe_metadata

DEEP = 1500
"""Tokens of conversation at which decode is measured beside the beginning."""
ROUNDS = 2
"""Runs of each kind, of which the best counts: as many as there are probes beside them, so that both have equal chances
of a moment in which the machine does nothing else."""
BOUNDS = {"decode": (0.10, 0.25), "prefill": (0.20, 0.40)}
"""Median and 90th percentile of the error."""
_FTYPES = {  # enum llama_ftype of llama.h
    "F16": 1, "Q4_0": 2, "Q4_1": 3, "Q8_0": 7, "Q5_0": 8, "Q5_1": 9, "Q2_K": 10, "Q3_K_M": 12, "Q4_K_M": 15,
    "Q5_K_M": 17, "Q6_K": 18, "IQ4_NL": 25, "IQ4_XS": 30,
}  # fmt: skip
_OF_STARTER = ("Q4_1", "F16", "Q8_0", "Q5_1", "Q5_0", "Q4_0", "Q6_K", "Q4_K_M", "Q2_K")
_OF_HALF = ("F16", "Q8_0", "Q6_K", "Q5_K_M", "Q4_K_M", "Q4_0", "Q3_K_M", "Q2_K", "IQ4_XS")
_OF_WHOLE = ("Q8_0", "Q4_0")
_NOTHING = HardwareProfile(  # of which nothing is used where all was measured
    system="",
    cpu=Cpu(name="", cores=1, threads=1),
    ram=Ram(total=0, available=0),
    gpus=(),
    disk=Disk(path="/", total=0, free=0),
)
_N_EMBD, _VOCABULARY = 2048, 32000
_CHANCE, _ALIKE = 1 << 18, 512  # different weights, which repeat, and how many neighbours are of one size
_SPREAD = 0.4  # octaves, of their sizes, as in the starter model: it matters, see runtime/speed_probe/measure.py


class Case(NamedTuple):
    """A model to be made: layers 0 is the starter."""

    layers: int
    tied: bool
    types: tuple[str, ...]


class Error(NamedTuple):
    """One prediction beside its measurement, in tokens per second."""

    what: str
    predicted: float
    actual: float

    @property
    def size(self) -> float:
        """Distance from the measurement, as a share of it."""
        return abs(self.predicted / self.actual - 1)

    def __str__(self) -> str:
        """Prediction and measurement in a few words."""
        return f"{self.what} {self.predicted:.1f} for {self.actual:.1f} ({self.predicted / self.actual - 1:+.0%})"


CASES = (Case(0, True, _OF_STARTER), Case(10, True, _OF_HALF), Case(18, False, _OF_WHOLE))
QUICK = (Case(0, True, ("Q4_1", "Q8_0")), Case(10, True, ("Q4_0",)))


def write_source(path: Path, layers: int, *, tied: bool) -> Path:
    """Write a llama with random weights in F16."""
    metadata, tensors = dense_model(
        n_layer=layers, n_embd=_N_EMBD, n_head=32, n_head_kv=8, n_ff=5632, vocab=_VOCABULARY, kind="f16", tied=tied
    )
    words = bpe_metadata()
    texts, types = words["tokenizer.ggml.tokens"], words["tokenizer.ggml.token_type"]
    assert isinstance(texts, tuple)
    assert isinstance(types, tuple)
    more = _VOCABULARY - len(texts)
    words["tokenizer.ggml.tokens"] = (*texts, *(f"<|more_{index}|>" for index in range(more)))
    words["tokenizer.ggml.token_type"] = type(types)((*types, *[5] * more))  # LLAMA_TOKEN_TYPE_UNUSED
    kept = {key: value for key, value in metadata.items() if key not in {"tokenizer.ggml.model", "llama.vocab_size"}}
    chance = random.Random(1)
    sizes = [0.02 * 2 ** chance.gauss(0.0, _SPREAD) for _ in range(_CHANCE // _ALIKE)]
    weights = struct.pack(f"<{_CHANCE}e", *(chance.gauss(0, size) for size in sizes for _ in range(_ALIKE)))
    ones = struct.pack(f"<{_N_EMBD}f", *[1.0] * _N_EMBD)

    def data() -> Iterator[bytes]:
        for tensor in tensors:
            size = tensor_size(tensor)
            yield ones if tensor.kind == "f32" else (weights * (size // len(weights) + 1))[:size]

    return write_filled_gguf(path, kept | words, tensors, data())


def files(cases: tuple[Case, ...], folder: Path) -> Iterator[tuple[str, Path]]:
    """Make each model in turn; it is gone when the next one is asked for."""
    for case in cases:
        starter = Path(starter_model().path)
        source = write_source(folder / "source.gguf", case.layers, tied=case.tied) if case.layers else starter
        name = f"random, {case.layers} layers" if case.layers else "starter"
        for quantization in case.types:
            whole = source.stat().st_size > 0 and quantization == ("F16" if case.layers else "Q4_1")
            target = source if whole else folder / f"{quantization}.gguf"
            if not whole:
                command = [sys.executable, "-m", "benchmarks.bare_loop", "--quantize", str(source), str(target)]
                subprocess.run([*command, str(_FTYPES[quantization])], check=True)
            yield f"{name} {quantization}", target
            if not whole:
                target.unlink()
        if case.layers:
            source.unlink()


async def probe(types: Iterable[str] = ()) -> DeviceSpeeds:
    """What the probe says of the processor now; no types: all."""
    answer = await measure_speeds(devices=(CPU,), types=tuple(types))
    return answer.devices[0]


def predict(path: Path, plan: LoadPlan, *probes: DeviceSpeeds) -> tuple[float, float, float]:
    """Decode at the beginning and at DEEP, and prefill; of several probes the best of each, as of the runs."""
    shape = shape_of_header(read_header(path))
    costs, spans = Costs(shape, request_of(plan)), (Span(CPU, 0, shape.n_layer + 1),)
    found = []
    for one in probes:
        speeds = SpeedModel(_NOTHING, (), probes=Probes({CPU: MeasuredDevice(one)}))
        at_start, deep = (speeds.predicted(costs, spans, depth=depth) for depth in (0, DEEP))
        assert at_start is not None, "a type was not measured"
        assert deep is not None
        found.append((at_start[0], deep[0], at_start[1]))
    first, second, third = (max(figures) for figures in zip(*found, strict=True))
    return first, second, third


async def run(path: Path, plan: LoadPlan) -> tuple[float, float, float]:
    """The same from the real engine, the best of some runs each, in turns: what disturbs one disturbs the others."""
    async with engine(plan) as client:
        tokens = await prompt_of(client, DEEP + PROMPT)
        other = tokens[1:]  # shares no beginning with it, so that it is read anew
        start = deep = read = 0.0
        for some in (other, tokens):
            read = max(read, await measure_prefill(client, some, 0))
        for _ in range(ROUNDS):
            start = max(start, await measure_decode(client, tokens, 1, written=24))
            deep = max(deep, await measure_decode(client, tokens, DEEP, written=16))
    return start, deep, read


class Comparison(NamedTuple):
    """Errors of a model with the probes beside its runs, and with the one of the beginning."""

    beside: list[Error]
    at_first: list[Error]


async def compare(path: Path, first: DeviceSpeeds) -> Comparison:
    """Run the real engine between two short probes of the types at hand, and set it beside the predictions."""
    plan = plan_for(path, n_ctx=DEEP + PROMPT + 64, threads=first.threads)
    types = sorted({tensor.kind.name for tensor in read_header(path).tensors if len(tensor.shape) > 1})
    before = await probe(types)
    actual = await run(path, plan)
    predictions = predict(path, plan, before, await probe(types)), predict(path, plan, first)
    whats = ("decode", "decode", "prefill")
    beside, at_first = ([Error(*entry) for entry in zip(whats, one, actual, strict=True)] for one in predictions)
    return Comparison(beside, at_first)


def judge(errors: list[Error]) -> bool:
    """Print the figures of each kind; True where all bounds are kept."""
    kept = True
    for what, (most_median, most_90) in BOUNDS.items():
        sizes = [error.size for error in errors if error.what == what]
        middle, ninety = statistics.median(sizes), percentile(sizes, 0.9)
        good = middle <= most_median and ninety <= most_90
        kept &= good
        print(
            f"{what}: median error {middle:.1%} (bound {most_median:.0%}), 90th percentile {ninety:.1%} "
            f"(bound {most_90:.0%}), {len(sizes)} figures; {'kept' if good else 'MISSED'}"
        )
    return kept


async def main(cases: tuple[Case, ...]) -> int:
    """Probe, predict, run, judge."""
    print(f"load of the machine: {os.getloadavg()[0]:.2f}", flush=True)
    began = time.monotonic()
    first = await probe()
    print(f"probe: {time.monotonic() - began:.0f} s, {first.description}, {first.threads} threads", flush=True)
    errors: list[Error] = []
    errors_at_first: list[Error] = []
    with tempfile.TemporaryDirectory() as folder:
        for name, path in files(cases, Path(folder)):
            found, found_at_first = await compare(path, first)
            errors += found
            errors_at_first += found_at_first
            print(f"{name:28} {', '.join(map(str, found))}", flush=True)
    print("with the one probe of the beginning, to which the machine's drift adds:")
    judge(errors_at_first)
    print("with a probe beside each model:")
    kept = judge(errors)
    print(f"load of the machine: {os.getloadavg()[0]:.2f}; {time.monotonic() - began:.0f} s in all")
    return 0 if kept else MISSED


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="three models only: shows that everything runs")
    sys.exit(asyncio.run(main(QUICK if parser.parse_args().quick else CASES)))
