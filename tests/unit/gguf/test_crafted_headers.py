"""Headers that lie are refused at once and without memory, and the dry run's child takes nobody with it."""

import re
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from desktop.errors import AppError
from desktop.fit.dry_run.dry_runs import DryRuns
from desktop.gguf.header import HeaderParser, read_header
from tests.support.gguf_writer import dense_model, write_gguf
from tests.unit.fit.builders import bare_plan
from tests.unit.gguf.crafted_headers import CRAFTED, Crafted

FEWEST = 50
MOST_SECONDS = 0.1
MOST_MEMORY = 50 << 20

# Reads a file five times and tells the least CPU time, then once more and tells the peak of Python's memory in bytes.
_READ_ALL = """
import json, sys, time, tracemalloc
from pathlib import Path
from desktop.gguf.errors import GgufError
from desktop.gguf.header import HeaderParser, read_header

def seconds(path):
    begin = time.process_time()
    try:
        read_header(path)
    except GgufError:
        return time.process_time() - begin
    raise AssertionError(path)

for path in [Path(line.strip()) for line in sys.stdin]:
    least = min(seconds(path) for _ in range(5))
    tracemalloc.start()
    seconds(path)
    print(json.dumps([path.stem, least, tracemalloc.get_traced_memory()[1]]))
    tracemalloc.stop()
"""


class Reading(msgspec.Struct, array_like=True):
    """What one file took: CPU seconds, bytes."""

    number: str
    seconds: float
    memory: int


@pytest.mark.parametrize("name", CRAFTED)
def test_a_crafted_header_is_refused_with_its_name_and_the_reason(name: str, tmp_path: Path) -> None:
    crafted = CRAFTED[name]
    path = crafted.write(tmp_path / "crafted.gguf")
    with pytest.raises(crafted.error) as caught:
        read_header(path)
    words = caught.value.explain()
    assert type(caught.value) is crafted.error
    assert str(path) in words.message
    assert crafted.reason in words.message
    assert words.hint


def _fed(crafted: Crafted, length: int) -> None:
    """Read it as it comes from the network, `length` bytes at a time."""
    parser = HeaderParser(size=max(crafted.size, len(crafted.content)), name="m.gguf")
    for begin in range(0, len(crafted.content), length):
        assert parser.feed(crafted.content[begin : begin + length]) is None
    parser.end()


@pytest.mark.parametrize("name", [name for name, crafted in CRAFTED.items() if not crafted.size])
def test_one_that_arrives_in_pieces_is_refused_as_the_whole(name: str) -> None:
    crafted = CRAFTED[name]
    for length in (1, 7, 1000) if len(crafted.content) < 5000 else (100_000,):
        with pytest.raises(crafted.error, match=re.escape(crafted.reason)):
            _fed(crafted, length)


def test_each_is_refused_at_once_and_without_memory(tmp_path: Path) -> None:
    assert len(CRAFTED) >= FEWEST
    names = list(CRAFTED)
    paths = [CRAFTED[name].write(tmp_path / f"{index}.gguf") for index, name in enumerate(names)]
    answer = subprocess.run(
        [sys.executable, "-c", _READ_ALL],
        input="\n".join(map(str, paths)),
        capture_output=True,
        text=True,
        check=True,
        timeout=100,
    )
    readings = [msgspec.json.decode(line, type=Reading) for line in answer.stdout.splitlines()]
    assert len(readings) == len(names)
    assert {names[int(r.number)]: r.seconds for r in readings if r.seconds > MOST_SECONDS} == {}
    assert {names[int(r.number)]: r.memory for r in readings if r.memory > MOST_MEMORY} == {}


@pytest.mark.asyncio
async def test_the_dry_run_refuses_each_and_answers_the_next_question(tmp_path: Path) -> None:
    good = write_gguf(tmp_path / "good.gguf", *dense_model())
    async with DryRuns() as runs:
        for index, (name, crafted) in enumerate(CRAFTED.items()):
            path = crafted.write(tmp_path / f"{index}.gguf")
            with pytest.raises(AppError) as caught:
                await runs.ask(bare_plan(path))
            assert caught.value.explain().hint, name
        assert len((await runs.ask(bare_plan(good))).layers) == 5
