"""`snug bench MODEL`: how fast a model reads and writes on this machine, and how much memory it takes."""

import argparse
import sys
from typing import TYPE_CHECKING, Any, Self

import msgspec

from desktop.cli.output import is_terminal, print_json, print_note, print_table, print_text, write_stderr
from desktop.cli.recommend import check_context
from desktop.errors import WrongUsage
from desktop.sizes import gib

if TYPE_CHECKING:
    from desktop.actions.bench import BenchReport, BenchRow
    from desktop.services import Services

_STAGES = {"machine": "measuring this machine", "load": "loading", "run": "running"}


def add_parser(subparsers: Any) -> None:
    """Declare the verb."""
    parser = subparsers.add_parser(
        "bench",
        help="measure how fast a model reads and writes here, and the memory it takes",
        description="Loads MODEL as planned and measures it at depths of conversation, beside what was predicted.",
    )
    parser.add_argument("model", metavar="MODEL", help="a path to a GGUF, or what `snug models` lists as installed")
    parser.add_argument("--context", metavar="N", type=int, help="tokens of context (default: as for a load)")
    parser.add_argument(
        "--depths", metavar="N,N", help="tokens of conversation before each measurement, for example 0,512,4096"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=run)


async def run(arguments: argparse.Namespace, services: "Services") -> int:
    """Measure and print. Raises what actions.bench.bench_model raises."""
    from desktop.actions.bench import bench_model

    check_context(arguments.context)
    depths = _parse_depths(arguments.depths)
    with _Stages() as stages:
        report = await bench_model(
            services, arguments.model, context=arguments.context, depths=depths, on_stage=stages.tell
        )
    for notice in services.observed.notices:
        print_note(f"note: {notice.render()}")
    if arguments.json:
        print_json(as_json(report))
    else:
        _print_report(report)
    return 0


def as_json(report: "BenchReport") -> dict[str, Any]:
    """Return the report as docs/cli.md describes it."""
    predicted = {part.device: part.total for part in report.predicted}
    return {
        "model": report.model,
        "quantization": report.quantization,
        "context": report.loaded.n_ctx,
        "threads": report.loaded.n_threads,
        "load_seconds": report.loaded.load_seconds,
        "layers_per_device": {name: report.loaded.layers.count(name) for name in dict.fromkeys(report.loaded.layers)},
        "memory": {
            part.device: {"predicted": predicted.get(part.device), "measured": part.total} for part in report.measured
        },
        "exact": report.plan.exact,
        "rows": msgspec.to_builtins(report.rows),
    }


class _Stages:
    """Tells on stderr what is being done: one line that changes on a terminal, a line per stage elsewhere.

    As a context manager it clears that line at the end, also before an error is told.
    """

    def __init__(self) -> None:
        self._person = is_terminal(sys.stderr)
        self._last = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        if self._person and self._last:
            write_stderr("\r\x1b[K")

    def tell(self, stage: str, fraction: float) -> None:
        """Say how far it is."""
        words = f"{_STAGES[stage]} ..."
        text = f"{words} {fraction:.0%}" if self._person else words
        if text != self._last:
            self._last = text
            write_stderr(f"\r{text}\x1b[K" if self._person else f"{text}\n")


def _parse_depths(text: str | None) -> tuple[int, ...]:
    if text is None:
        return ()
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise WrongUsage(reason=f'--depths "{text}" is not a list of tokens; write it like 0,512,4096') from None


def _print_report(report: "BenchReport") -> None:
    loaded = report.loaded
    layers = ", ".join(f"{name}: {loaded.layers.count(name)}" for name in dict.fromkeys(loaded.layers))
    print_text(f"{report.model} ({report.quantization}), {loaded.n_ctx} tokens of context, layers {layers}")
    rows: list[tuple[str, ...]] = [("DEPTH", "READS", "PREDICTED", "WRITES", "PREDICTED")]
    rows += [_speeds(row) for row in report.rows]
    print_table(rows, right=(0, 1, 2, 3, 4))
    print_text("tokens per second; reading 512 tokens more, writing after that depth")
    predicted = {part.device: part.total for part in report.predicted}
    memory: list[tuple[str, ...]] = [("DEVICE", "PREDICTED", "TAKEN")]
    for part in report.measured:
        stated = predicted.get(part.device)
        memory.append((part.device, gib(stated) if stated is not None else "-", gib(part.total)))
    print_table(memory, right=(1, 2))


def _speeds(row: "BenchRow") -> tuple[str, ...]:
    predictions = (row.predicted_prefill, row.predicted_decode)
    prefill, decode = (f"{speed:.1f}" if speed is not None else "-" for speed in predictions)
    return (str(row.depth), f"{row.prefill:.1f}", prefill, f"{row.decode:.1f}", decode)
