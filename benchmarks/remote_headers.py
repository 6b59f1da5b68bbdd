"""What it takes to answer for a model that lies on a Hub: bytes beyond its header, seconds after the header arrived.

    python -m benchmarks.remote_headers [--rounds 5]

A real server on loopback (tests/support/hub_server.py), files with headers as large as real ones, vocabulary included,
and a hole for their weights; `snug fit --exact` through its action, in a new profile each round. "machine known": as in
the window, where the machine was looked at before; else as on the command line, where that goes on beside the fetching.
What the server handed to the system counts as fetched, whether it was read or not. Wanted: at most 1 MiB more than the
header, an exact answer within 1 s after it. Exit code 1 when a bound is missed.
"""

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.catalog_headers import COMMIT, Described, describe, write_head
from benchmarks.command import Report
from desktop.actions.fit import fit_model
from desktop.actions.survey import survey
from desktop.catalog.catalog import load_catalog
from desktop.fit.cards.what_if import imagine_card
from desktop.fit.plans.wish import FitWish
from desktop.paths import Paths, catalog_file
from desktop.services import Survey, create_services
from tests.support.gguf_writer import Scalar, data_size, header_bytes
from tests.support.hub_server import HubServer
from tests.support.hub_values import ServedFile

MIB = 1 << 20
BEYOND, AFTER = 1 * MIB, 1.0
"""Wanted: bytes more than the header; seconds from its last byte to the answer."""
CARD = imagine_card("GPU0", 24 << 30)
SEND_BUFFER = 16 << 10  # of the server, so that what it handed out is nearly what went over the line
LINES = {"loopback": None, "100 Mbit/s": 12.5e6}


class Words(NamedTuple):
    """A vocabulary. length: bytes of a word, in the middle."""

    words: int
    merges: int
    length: int


MODELS = {  # as facts of the published tokenizers: words, merges
    "smollm2-1.7b": Words(49_152, 48_900, 6),
    "llama-3.1-8b": Words(128_256, 280_147, 7),
    "qwen3-30b-a3b": Words(151_936, 151_387, 7),
    "gemma-3-27b": Words(262_144, 514_906, 7),
}


class Answer(NamedTuple):
    """beyond: bytes more than the header; header: seconds until it was there; after: seconds from then on."""

    beyond: int
    header: float
    after: float


def head_with_words(described: Described, words: Words) -> bytes:
    """A header whose vocabulary, which `described` leaves out, is in it."""
    metadata: dict[str, Scalar | Sequence[Scalar]] = {
        **{key: value for key, value in described.metadata.items() if not key.endswith("vocab_size")},
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.tokens": [f"{index:0{words.length}d}" for index in range(words.words)],
        "tokenizer.ggml.token_type": [1] * words.words,
        "tokenizer.ggml.merges": [f"{index % 997} {index}" for index in range(words.merges)],
    }
    return header_bytes(metadata, described.tensors)


async def answer(hub: HubServer, name: str, size: int, folder: Path, machine: Survey | None) -> Answer:
    """Ask once, in a profile of its own."""
    services = create_services(Paths(config=folder, data=folder / "d", cache=folder / "c", logs=folder / "l"))
    services.surveys.latest = machine
    before, began, arrived = hub.bytes_sent, time.perf_counter(), 0.0

    def on_progress(_bytes: int) -> None:
        nonlocal arrived
        arrived = time.perf_counter()

    wish = FitWish(context=8192, imagined=(CARD,))
    report = await fit_model(services, f"bench/{name}/{name}.gguf", wish=wish, exact=True, on_progress=on_progress)
    ended = time.perf_counter()
    await services.close()
    if not report.exact or not size <= report.subject.fetched:
        raise RuntimeError(f"{name}: exact {report.exact}, {report.subject.fetched} bytes of a header of {size}")
    return Answer(hub.bytes_sent - before - size, arrived - began, ended - arrived)


async def measure(folder: Path, rounds: int, report: Report) -> None:
    """The models in turn, so that a slow second meets all alike."""
    catalog = load_catalog(catalog_file())
    known = create_services(Paths(config=folder, data=folder / "d", cache=folder / "c", logs=folder / "l"))
    machine = await survey(known)
    await known.close()
    figures: dict[tuple[str, str, bool], list[Answer]] = {}
    with HubServer() as hub:
        hub.send_buffer, os.environ["HF_ENDPOINT"] = SEND_BUFFER, hub.endpoint
        sizes = {}
        for name, words in MODELS.items():
            model = catalog.find(name)
            if model is None:
                raise RuntimeError(f"the catalog has no {name}")
            described = describe(model, "Q4_K_M")
            head = head_with_words(described, words)
            path = write_head(folder / f"{name}.gguf", head, data_size(described.tensors))
            sizes[name] = len(head)
            hub.add_served(f"bench/{name}", path.name, ServedFile(path, path.stat().st_size, "0" * 64), commit=COMMIT)
        for number in range(rounds):
            for line, speed in LINES.items():
                hub.bytes_per_second = speed
                for name, size in sizes.items():
                    for before in (True, False):
                        own = folder / f"{number} {line[:3]} {name} {before}"
                        found = await answer(hub, name, size, own, machine if before else None)
                        figures.setdefault((name, line, before), []).append(found)
    for (name, line, before), answers in figures.items():
        tell(report, f"{name} ({sizes[name] / MIB:.1f} MiB), {line}, machine {'' if before else 'not '}known", answers)


def tell(report: Report, title: str, answers: Sequence[Answer]) -> None:
    """Print the middle and the worst; the worst has to keep the bounds."""
    beyond, after = max(one.beyond for one in answers), max(one.after for one in answers)
    header = statistics.median(one.header for one in answers)
    middle = statistics.median(one.after for one in answers)
    text = f"{title}: at most {beyond / 1024:.0f} KiB beyond the header, which took {header:.2f} s; "
    text += f"exact {middle:.2f} s after it, at worst {after:.2f} ({len(answers)} rounds)"
    (report.note if beyond <= BEYOND and after <= AFTER else report.miss)(text)


def main() -> int:
    """Print what each takes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="of each model")
    rounds: int = parser.parse_args().rounds
    report = Report()
    report.note(f"load {os.getloadavg()[0]:.1f} at the beginning")
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(measure(Path(folder), rounds, report))
    report.note(f"load {os.getloadavg()[0]:.1f} at the end")
    return report.exit_code


if __name__ == "__main__":
    sys.exit(main())
