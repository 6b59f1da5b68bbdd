"""How long the models page takes until every row has the engine's own figures, through the actions that it calls.

    python -m benchmarks.page_prices [--rounds 5]

30 models of the catalog, among them those with most tensors, all their files known as after an earlier visit: ranked
(actions/recommend.py), looked up and asked about (actions/exact.py), each round in a new profile, so that the child of
dry runs has to be started and nothing is remembered. On this machine, and as if it had other cards. Then at another
context, with the child running; then as on the next day, with the answers of the first day on the disk. What the page
adds is a rest of 0.3 s before it asks, and painting. All rows are wanted within 3 s. The best row's time says when a
person sees the first exact figures. Exit code 1 when a bound is missed.
"""

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import aclosing
from pathlib import Path
from typing import NamedTuple

import psutil

from benchmarks.catalog_headers import catalog_of, known_models
from benchmarks.command import Report
from desktop.actions.exact import remembered_choices, verify_choices
from desktop.actions.recommend import recommend_models
from desktop.actions.survey import survey
from desktop.catalog.catalog import load_catalog
from desktop.catalog.stubs import StubCache
from desktop.catalog.types import Catalog
from desktop.engine.protocol import ImaginedDevice
from desktop.fit.cards.cards import card_called
from desktop.fit.cards.what_if import imagine, imagined_devices
from desktop.paths import Paths, catalog_file
from desktop.services import Services, Survey, create_services

BOUND = 3.0
"""Wanted: seconds until all rows are exact."""
MODELS = 30
CONTEXTS = (8192, 4096)
MACHINES: dict[str, tuple[str, ...]] = {"this machine": (), "8 GB": ("8",), "24 GB": ("24",), "2 x 16 GB": ("16", "16")}


class Page(NamedTuple):
    """Seconds from the beginning. ranked: rows are there; first: one is exact; whole: all are, `rows` of them.

    ours, child: processor time, which tells what it would be on a machine where nobody else computes.
    """

    ranked: float
    first: float
    whole: float
    rows: int
    ours: float
    child: float


async def open_page(services: Services, found: Survey, context: int, cards: Sequence[ImaginedDevice] | None) -> Page:
    """Do what the page does when it is shown, or when its sliders rest."""
    began, ours, child = time.perf_counter(), time.process_time(), children_seconds()
    advice = await asyncio.to_thread(recommend_models, services, found.profile, context=context)
    rows = await remembered_choices(services, found, (*advice.choices, *advice.rejected), imagined=cards)
    ranked, first, exact = time.perf_counter() - began, 0.0, 0
    async with aclosing(verify_choices(services, found, rows, fetch=False, imagined=cards)) as answers:
        async for answer in answers:
            exact += answer.exact
            first = first or time.perf_counter() - began
    if exact != len(rows):
        raise RuntimeError(f"{exact} of {len(rows)} rows became exact")
    whole = time.perf_counter() - began
    return Page(ranked, first, whole, len(rows), time.process_time() - ours, children_seconds() - child)


def children_seconds() -> float:
    """Processor time of the children that live: of dry runs there is one."""
    times = [child.cpu_times() for child in psutil.Process().children()]
    return float(sum(each.user + each.system for each in times))


async def measure(paths: Paths, catalog: Catalog, machine: Survey, cards: tuple[str, ...]) -> dict[str, Page]:
    """One round on one machine."""
    found, imagined = machine, None
    if cards:
        profile = imagine(machine.profile, gpus=[card_called(card) for card in cards])
        found, imagined = Survey(profile=profile, engine=machine.engine), imagined_devices(profile)
    pages = {}
    for day in ("new", "next day"):
        services = create_services(paths)
        services.__dict__["catalog"] = catalog
        services.surveys.latest = found
        pages[day] = await open_page(services, found, CONTEXTS[0], imagined)
        if day == "new":
            pages["another context"] = await open_page(services, found, CONTEXTS[1], imagined)
        await services.close()
    return pages


def paths_in(folder: Path, stubs: Path) -> Paths:
    """A profile of its own, with what is known of models on the Hub."""
    paths = Paths(config=folder, data=folder / "data", cache=folder / "cache", logs=folder / "logs")
    paths.stubs.parent.mkdir(parents=True)
    paths.stubs.symlink_to(stubs, target_is_directory=True)
    return paths


async def measure_all(folder: Path, rounds: int, report: Report) -> None:
    """The machines in turn, so that a slow second meets all alike."""
    catalog, stubs = catalog_of(load_catalog(catalog_file()), MODELS), folder / "stubs"
    stubs.mkdir()
    cache = StubCache(stubs)
    for model in known_models(catalog):
        cache.keep(model)
    services = create_services(paths_in(folder / "survey", stubs))
    machine = await survey(services)
    await services.close()
    figures: dict[tuple[str, str], list[Page]] = {}
    for number in range(rounds):
        for name, cards in MACHINES.items():
            paths = paths_in(folder / f"{number} {name}", stubs)
            for what, page in (await measure(paths, catalog, machine, cards)).items():
                figures.setdefault((name, what), []).append(page)
    for (name, what), pages in figures.items():
        tell(report, f"{name}, {what}", pages)


def tell(report: Report, title: str, pages: Sequence[Page]) -> None:
    """Print the middle and the worst; the worst has to keep the bound."""
    worst, whole = max(page.whole for page in pages), statistics.median(page.whole for page in pages)
    parts = ", ".join(f"{part} {statistics.median(getattr(page, part) for page in pages):.2f}" for part in _PARTS)
    line = f"{title}: {pages[0].rows} rows exact {whole:.2f} s, at worst {worst:.2f} ({parts}; {len(pages)} rounds)"
    (report.miss if worst > BOUND else report.note)(f"{line}, wanted within {BOUND:g} s")


_PARTS = ("ranked", "first", "ours", "child")


def main() -> int:
    """Print how long each takes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="on each machine")
    report = Report()
    report.note(f"load {os.getloadavg()[0]:.1f} at the beginning")
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(measure_all(Path(folder), parser.parse_args().rounds, report))
    report.note(f"load {os.getloadavg()[0]:.1f} at the end")
    return report.exit_code


if __name__ == "__main__":
    sys.exit(main())
