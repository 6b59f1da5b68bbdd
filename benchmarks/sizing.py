"""What models need and how fast they may be on cards that are not here: `python -m benchmarks.sizing`.

For each published shape a file of a header only is written as llama-quantize would make it, and the engine's own dry
run says what it needs on imagined cards (docs/sizing.md). Speeds are the speed model's estimates for cards it never
measured, and intervals. Printed as Markdown.
"""

import asyncio
import math
import sys
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from benchmarks.llama_quantize import DenseModel, dense_of_catalog, metadata_of, tensors_of
from desktop.catalog.catalog import load_catalog
from desktop.engine.protocol import ImaginedDevice
from desktop.fit.cards.cards import find_card, free_of_card
from desktop.fit.cards.what_if import imagine
from desktop.fit.dry_run.dry_runs import DryRuns
from desktop.fit.plans.wish import FitDefaults, FitWish
from desktop.fit.rating.quality import quality_of_header
from desktop.fit.report import FitReport, report_fit
from desktop.fit.subject import FitSubject
from desktop.gguf.header import GgufHeader, read_header
from desktop.hardware.types import Cpu, Disk, Gpu, HardwareProfile, Ram
from desktop.paths import catalog_file
from tests.support.gguf_writer import data_size, header_bytes

GIB = 1 << 30
STEP = 1024
"""Tokens; a context that fits is looked for among its multiples."""
LONGEST = 131_072
NEEDS_NO_IMATRIX = ("F16", "BF16", "Q8_0", "Q6_K", "Q5_K_M")

# Published configurations that are not in the catalog: meta-llama/Llama-2-13b-hf.
LLAMA_2_13B = DenseModel("llama", 40, 5120, 40, 40, 128, 13824, 32_000, context=4096)


class Case(NamedTuple):
    """A question. model: of the catalog, or "llama-2-13b"; remote: cards of other machines; context: tokens."""

    model: str
    preset: str
    cards: tuple[str, ...]
    context: int = 8192
    remote: tuple[str, ...] = ()


class Answer(NamedTuple):
    """size: bytes. whole: every layer on the cards, whether it fits or not; plan: what Snug would do.

    ceiling: tokens per second if the cards' memory were read at its full bandwidth and nothing
    else took time. longest: tokens of context that fit with every layer on the cards, 0 for none.
    """

    case: Case
    size: int
    word: str
    whole: FitReport
    plan: FitReport
    ceiling: float
    longest: int


ONE = ("RX 6800",)
TWO = ("RX 6800", "RX 6800")
LARGE = ("Radeon PRO W6800", "Radeon PRO W6800")
SECTIONS: dict[str, tuple[Case, ...]] = {
    "16 GB for 7B to 14B": (
        *(Case("llama-3.1-8b", preset, ONE) for preset in ("Q4_K_M", "Q8_0", "F16")),
        *(Case("qwen3-14b", preset, ONE) for preset in ("Q4_K_M", "Q6_K", "Q8_0")),
    ),
    "13B at 4 bits on 16 GB": (
        Case("llama-2-13b", "Q4_K_M", ONE, 4096),
        Case("llama-2-13b", "Q4_K_M", ("RTX 3060 12GB",), 4096),
        Case("llama-2-13b", "Q8_0", ONE, 4096),
    ),
    "2 x 16 GB for 32B": tuple(Case("qwen3-32b", preset, TWO) for preset in ("Q4_K_M", "Q5_K_M", "Q6_K", "Q8_0")),
    "32B at 8 and 16 bits on two cards of 512 GB/s": tuple(
        Case("qwen3-32b", preset, LARGE) for preset in ("Q8_0", "F16")
    ),
    "70B": (
        Case("llama-3.3-70b", "Q4_K_M", ("RTX 3090", "RTX 3090")),
        Case("llama-3.3-70b", "Q4_K_M", ("RTX 3090", "RTX 3090", "RTX 3090")),
        Case("llama-3.3-70b", "Q8_0", ("RTX 3090",) * 4),
        Case("llama-3.3-70b", "Q4_K_M", ONE, remote=("RX 6800", "RX 6800")),
        Case("llama-3.3-70b", "Q4_K_M", ONE, remote=("RX 6800", "RX 6800", "RX 6800")),
    ),
    "Against a published measurement": (Case("llama-2-13b", "Q6_K", ("RX 6800 XT",), 256),),
}
# Measured on a Radeon RX 6800 XT with Llama 13B in Q6_K (github.com/ggml-org/llama.cpp/pull/2059, January 2024):
# tokens per second of a prompt of 512 through ROCm, and of a reply of 128 through Vulkan.
MEASURED_PREFILL, MEASURED_DECODE, MEASURED_WEIGHTS = 684.11, 34.13, 13.02e9
PROMPTS = (100, 500, 2000)
FIRST_TOKEN_MODELS = ("llama-3.1-8b", "llama-2-13b", "qwen3-32b", "llama-3.3-70b")


def machine() -> HardwareProfile:
    """A desktop with 8 cores and 64 GB, without cards of its own."""
    return HardwareProfile(
        system="Linux",
        cpu=Cpu(name="Imagined", cores=8, threads=16),
        ram=Ram(total=64 * GIB, available=58 * GIB),
        gpus=(),
        disk=Disk(path="/", total=2000 * GIB, free=1000 * GIB),
        backends=("CPU",),
    )


def shape_of(name: str) -> DenseModel:
    """Return a published shape."""
    if name == "llama-2-13b":
        return LLAMA_2_13B
    return dense_of_catalog(next(model for model in load_catalog(catalog_file()).models if model.id == name))


def write_header(path: Path, model: DenseModel, preset: str) -> GgufHeader:
    """Write a file that is as large as the model and holds its header."""
    imatrix = preset not in NEEDS_NO_IMATRIX
    tensors = tensors_of(model, preset, imatrix=imatrix)
    head = header_bytes(metadata_of(model, imatrix=imatrix), tensors)
    with path.open("wb") as file:
        file.write(head)
        file.truncate(len(head) + data_size(tensors))
    return read_header(path)


class Asker:
    """Asks about one case after the other."""

    def __init__(self, runs: DryRuns, folder: Path) -> None:
        self._runs = runs
        self._folder = folder

    async def answer(self, case: Case) -> Answer:
        """Write the file and ask."""
        path = self._folder / f"{case.model}-{case.preset}.gguf"
        shape = shape_of(case.model)
        header = await asyncio.to_thread(write_header, path, shape, case.preset)

        async def report(context: int, layers: int | None) -> FitReport:
            return await self._report(case, path, header, context=context, layers=layers)

        everything = header.n_layer + 1
        whole = await report(case.context, everything)
        plan = whole if whole.fits else await report(case.context, None)
        longest = await longest_that(lambda context: report(context, everything), min(shape.context, LONGEST))
        word = quality_of_header(header).word
        return Answer(case, header.file_size, word, whole, plan, ceiling_of(whole, _profile(case)), longest)

    async def _report(
        self, case: Case, path: Path, header: GgufHeader, *, context: int, layers: int | None
    ) -> FitReport:
        profile = _profile(case)
        return await report_fit(
            FitSubject(path=path, name=case.model, quantization=case.preset, header=header),
            profile=profile,
            devices=(),
            wish=FitWish(context=context, gpu_layers=layers, imagined=tuple(map(_imagined, profile.gpus))),
            defaults=FitDefaults(),
            dry_runs=self._runs,
            folder=self._folder,
        )


def ceiling_of(report: FitReport, profile: HardwareProfile) -> float:
    """Tokens per second that bandwidth alone allows: each card waits for the one before it."""
    bandwidth = {gpu.backend: gpu.bandwidth for gpu in profile.gpus}
    return 1 / sum(device.weights / (bandwidth[device.name] or math.inf) for device in report.devices[1:])


class Fits(Protocol):
    """A report, as far as it is looked at here."""

    @property
    def fits(self) -> bool:
        """Whether every device has room."""


async def longest_that(report: Callable[[int], Awaitable[Fits]], most: int) -> int:
    """Return the longest context, in whole steps, at which `report` fits; 0 when none does."""
    low, high = 0, most // STEP
    while low < high:
        middle = (low + high + 1) // 2
        found = await report(middle * STEP)
        low, high = (middle, high) if found.fits else (low, middle - 1)
    return low * STEP


def _profile(case: Case) -> HardwareProfile:
    gpus, remote = ([find_card(name) for name in names] for names in (case.cards, case.remote))
    return imagine(machine(), gpus=gpus, remote=remote)


def _imagined(gpu: Gpu) -> ImaginedDevice:
    return ImaginedDevice(name=gpu.backend or "", memory_total=gpu.vram_total, memory_free=free_of_card(gpu.vram_total))


def rows(answers: Sequence[Answer]) -> list[str]:
    """The answers as lines of a Markdown table; sizes in GiB."""
    heads = ("model", "quantization, loss", "file", "cards", "context", "needed per card", "all layers on cards")
    lines = [f"| {' | '.join((*heads, 'longest context', 'tokens/s', 'bandwidth allows'))} |"]
    lines.append("|---|---|--:|---|--:|---|---|--:|--:|--:|")
    for answer in answers:
        case, devices = answer.case, answer.whole.devices[1:]
        cards = [*(f"{name} in a machine of its own" for name in case.remote), *case.cards]
        needs = [device.weights + device.kv + device.compute + device.overhead for device in devices]
        cells = (
            case.model,
            f"{case.preset}, {answer.word}",
            f"{answer.size / GIB:.1f}",
            " + ".join(f"{cards.count(name)} x {name}" for name in dict.fromkeys(cards)),
            f"{case.context}",
            " + ".join(
                f"{need / GIB:.1f} of {device.free / GIB:.1f}" for need, device in zip(needs, devices, strict=True)
            ),
            "yes" if answer.whole.fits else f"no; {_left(answer.plan)} stay in RAM",
            f"{answer.longest}" if answer.longest else "none",
            f"{answer.plan.speed.decode_low:.0f} to {answer.plan.speed.decode_high:.0f}",
            f"{answer.ceiling:.0f}",
        )
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _left(report: FitReport) -> str:
    cpu = report.devices[0]
    return f"{cpu.weights / GIB:.1f} GiB"


def first_token() -> list[str]:
    """Milliseconds until the first token, scaled from a measured prefill: a token of a prompt costs 2 FLOP a weight."""
    lines = [
        "| model | prompt of " + " | ".join(f"{length} tokens" for length in PROMPTS) + " | tokens in 280 to 450 ms |"
    ]
    lines.append("|---|" + "--:|" * (len(PROMPTS) + 1))
    for name in FIRST_TOKEN_MODELS:
        weights = sum(math.prod(tensor.shape) for tensor in tensors_of(shape_of(name), "Q6_K", imatrix=False))
        speed = MEASURED_PREFILL * MEASURED_WEIGHTS / weights
        waits = " | ".join(f"{1000 * length / speed:,.0f} ms" for length in PROMPTS)
        lines.append(f"| {name} | {waits} | {0.28 * speed:.0f} to {0.45 * speed:.0f} |")
    return lines


async def ask_all(sections: dict[str, tuple[Case, ...]]) -> None:
    """Print each section when it is answered."""
    with tempfile.TemporaryDirectory(prefix="snug-sizing-") as folder:
        async with DryRuns() as runs:
            asker = Asker(runs, Path(folder))
            for title, cases in sections.items():
                print(f"## {title}\n")
                print("\n".join(rows([await asker.answer(case) for case in cases])), end="\n\n", flush=True)


def main() -> int:
    """Ask everything."""
    asyncio.run(ask_all(SECTIONS))
    print(f"Measured there: {MEASURED_DECODE} tokens/s.\n\n## First token\n")
    print("\n".join(first_token()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
