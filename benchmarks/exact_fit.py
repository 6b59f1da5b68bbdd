"""How long an exact answer takes, and one of the sliders: headers of published models, written as stubs.

    python -m benchmarks.exact_fit [--rounds 40]

exact: the engine's dry run for a header whose stub lies on the disk, another context each time, so that nothing is
remembered; median and 95th percentile, wanted below 50 ms. first: of a child that has to be started. families: 30
models in one go through one child, the child's start among it, wanted below 3 s; then once more from the disk.
slider: a model priced anew at another context by arithmetic, wanted below 5 ms. Exit code 1 when a bound is missed.
"""

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from benchmarks.command import Report, percentile
from benchmarks.published_shapes import PUBLISHED
from desktop.engine.protocol import ImaginedDevice, LoadPlan
from desktop.fit.dry_run.answers import Answers
from desktop.fit.dry_run.dry_runs import DryRuns
from desktop.fit.dry_run.exact import exact_fit
from desktop.fit.memory.header_shape import shape_of_header
from desktop.fit.memory.placement import Costs, Request, assign_layers, memory_of, spans_of
from desktop.gguf.header import GgufHeader, read_header
from desktop.gguf.stub import stub_of_file
from tests.support.gguf_writer import write_gguf

EXACT, FAMILIES, SLIDER = 0.050, 3.0, 0.005
"""Wanted: seconds."""
FAMILY_COUNT = 30
CARD = ImaginedDevice(name="GPU0", memory_total=24 << 30, memory_free=23 << 30)


class Known(NamedTuple):
    """A model whose stub lies on the disk."""

    header: GgufHeader
    stub: Path


def write_stubs(folder: Path) -> dict[str, Known]:
    """Of each published shape; the models themselves are holes in a file."""
    known = {}
    for name, shape in PUBLISHED.items():
        path = write_gguf(folder / f"{name}.gguf", *shape())
        header = read_header(path)
        stub = folder / f"{name}.stub"
        stub_of_file(path, header).write(stub)
        known[name] = Known(header, stub)
    return known


def plan_of(model: Known, n_ctx: int) -> LoadPlan:
    """All layers on one card."""
    layers = model.header.n_layer + 1
    return LoadPlan(
        model_path=str(model.stub),
        model_name=model.stub.stem,
        n_ctx=n_ctx,
        flash_attention="on",
        n_gpu_layers=layers,
        devices=(CARD.name,),
        tensor_split=(layers,),
    )


async def exact(runs: DryRuns, model: Known, n_ctx: int) -> None:
    """The whole way to bytes per device."""
    plan = plan_of(model, n_ctx)
    exact_fit(model.header, await runs.ask(plan, stub_key=model.stub.stem, imagined=[CARD]), plan)


async def measure_exact(known: dict[str, Known], rounds: int, report: Report) -> None:
    """Each model in turn, so that a slow second of the machine meets all alike."""
    figures: dict[str, list[float]] = {name: [] for name in known}
    async with DryRuns() as runs:
        for model in known.values():
            await exact(runs, model, 512)
        for number in range(rounds):
            for name, model in known.items():
                began = time.perf_counter()
                await exact(runs, model, 1024 + 256 * number)
                figures[name].append(time.perf_counter() - began)
    for name, seconds in figures.items():
        judge(report, f"exact, {name}", seconds, EXACT)


async def measure_first(known: dict[str, Known], rounds: int, report: Report) -> None:
    """Of children that have to be started."""
    figures = []
    for _ in range(max(rounds // 8, 3)):
        async with DryRuns() as runs:
            began = time.perf_counter()
            await exact(runs, next(iter(known.values())), 4096)
            figures.append(time.perf_counter() - began)
    judge(report, "first answer of a child", figures, None)


async def measure_families(known: dict[str, Known], folder: Path, rounds: int, report: Report) -> None:
    """The models page: 30 rows, none asked before; then as it is opened the next day."""
    fresh: list[float] = []
    kept: list[float] = []
    for number in range(max(rounds // 8, 3)):
        answers = folder / f"answers-{number}.sqlite3"
        for figures in (fresh, kept):
            async with DryRuns(Answers(answers)) as runs:
                began = time.perf_counter()
                rows = [list(known.values())[row % len(known)] for row in range(FAMILY_COUNT)]
                await asyncio.gather(*(exact(runs, model, 4096 + 256 * row) for row, model in enumerate(rows)))
                figures.append(time.perf_counter() - began)
    judge(report, f"{FAMILY_COUNT} families, a new child", fresh, FAMILIES)
    judge(report, f"{FAMILY_COUNT} families, kept on the disk", kept, FAMILIES)


def measure_slider(known: dict[str, Known], rounds: int, report: Report) -> None:
    """What happens while a slider moves."""
    for name, model in known.items():
        shape, n_layer = shape_of_header(model.header), model.header.n_layer
        halves, figures = (n_layer // 2, n_layer - 4 - n_layer // 2), []
        for number in range(rounds * 5):
            began = time.perf_counter()
            costs = Costs(shape, Request(1024 + 256 * number))
            placed = assign_layers(
                n_layer=n_layer, n_gpu_layers=n_layer - 4, tensor_split=halves, devices=("GPU0", "GPU1")
            )
            memory_of(costs, spans_of(placed), overheads={})
            figures.append(time.perf_counter() - began)
        judge(report, f"slider, {name}", figures, SLIDER)


def judge(report: Report, title: str, seconds: list[float], bound: float | None) -> None:
    """Print the distribution; the 95th percentile has to keep the bound."""
    high = percentile(seconds, 0.95)
    line = f"{title}: median {_ms(statistics.median(seconds))}, 95th percentile {_ms(high)}"
    line += f" ({len(seconds)} times)"
    if bound is None:
        report.note(line)
    elif high > bound:
        report.miss(f"{line}, wanted below {bound * 1000:.0f} ms")
    else:
        report.note(f"{line}, wanted below {bound * 1000:.0f} ms: kept")


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.3g} ms"


def main() -> int:
    """Print what each takes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=40, help="of each model")
    rounds: int = parser.parse_args().rounds
    report = Report()
    with tempfile.TemporaryDirectory() as folder:
        known = write_stubs(Path(folder))
        measures: list[Callable[[], object]] = [
            lambda: asyncio.run(measure_exact(known, rounds, report)),
            lambda: asyncio.run(measure_first(known, rounds, report)),
            lambda: asyncio.run(measure_families(known, Path(folder), rounds, report)),
            lambda: measure_slider(known, rounds, report),
        ]
        for measure in measures:
            measure()
    return report.exit_code


if __name__ == "__main__":
    sys.exit(main())
