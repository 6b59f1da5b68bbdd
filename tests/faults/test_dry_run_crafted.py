"""Models that lie, before and in the dry run: the arithmetic ends in words, the child's death is never the owner's."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

import pytest

from desktop.engine.protocol import ImaginedDevice, LoadPlan
from desktop.errors import AppError
from desktop.fit.dry_run.dry_runs import DryRuns
from desktop.fit.dry_run.exact import exact_fit
from desktop.fit.memory.header_shape import shape_of_header
from desktop.fit.memory.placement import Costs, Request
from desktop.fit.rating.quality import quality_of_header
from desktop.gguf.header import read_header
from tests.faults.crafted_models import CRAFTED, TOLERABLE, Craft, flips, truncations
from tests.support.gguf_parts import Gguf
from tests.support.models.decoders import write_dense

CARD = ImaginedDevice(name="GPU0", memory_total=24 << 30, memory_free=23 << 30)
NOT_ABOUT_MEMORY = ("template", "token", "merges", "name", "Tokens")


@pytest.fixture(scope="module")
def good_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dense(tmp_path_factory.mktemp("crafted"))


@pytest.fixture(scope="module")
def good(good_model: Path) -> bytes:
    return good_model.read_bytes()


def _made(crafts: Mapping[str, Craft], good: bytes) -> dict[str, bytes]:
    return {name: craft(Gguf(good)) for name, craft in crafts.items()}


def _plan(path: Path) -> LoadPlan:
    return LoadPlan(
        model_path=str(path), model_name="crafted", n_ctx=512, devices=("GPU0",), n_gpu_layers=5, tensor_split=(5,)
    )


async def _ask(runs: DryRuns, path: Path) -> None:
    header, plan = read_header(path), _plan(path)
    exact_fit(header, await runs.ask(plan, imagined=(CARD,)), plan)


async def _survives(made: Mapping[str, bytes], good_model: Path, path: Path) -> int:
    """Ask about each; return how many were refused. The good model must be answered in the end."""
    refused: dict[str, AppError] = {}
    async with DryRuns() as runs:
        for name, data in made.items():
            await asyncio.to_thread(path.write_bytes, data)
            try:
                await runs.ask(_plan(path), imagined=(CARD,))
            except AppError as error:
                refused[name] = error
        await _ask(runs, good_model)
    assert [name for name, error in refused.items() if not error.explain().hint] == []
    return len(refused)


@pytest.mark.asyncio
@pytest.mark.timeout(300)
async def test_the_dry_run_lives_through_models_that_lie(good: bytes, good_model: Path, tmp_path: Path) -> None:
    made = _made(CRAFTED, good)
    refused = await _survives(made, good_model, tmp_path / "crafted.gguf")
    # A dry run reads no words, so that what is wrong with them may pass.
    least = sum(not any(word in name for word in NOT_ABOUT_MEMORY) for name in made)
    assert refused >= 0.9 * least


@pytest.mark.asyncio
@pytest.mark.timeout(300)
async def test_the_dry_run_lives_through_strange_and_spoiled_models(
    good: bytes, good_model: Path, tmp_path: Path, campaign_factor: int
) -> None:
    made = _made(TOLERABLE, good) | flips(good, 20 * campaign_factor, seed=3)
    await _survives(made, good_model, tmp_path / "strange.gguf")
    cut = truncations(good, 20, seed=4)
    assert await _survives(cut, good_model, tmp_path / "cut.gguf") == len(cut)


def test_the_arithmetic_over_headers_that_lie_ends_in_figures_or_words(
    good: bytes, tmp_path: Path, campaign_factor: int
) -> None:
    path, read, refused = tmp_path / "crafted.gguf", 0, list[AppError]()
    for name, data in (_made(CRAFTED | TOLERABLE, good) | flips(good, 100 * campaign_factor, seed=5)).items():
        path.write_bytes(data)
        try:
            header = read_header(path)
            shape = shape_of_header(header)
        except AppError as error:
            refused.append(error)
            continue
        read += 1
        costs = Costs(shape, Request(4096))
        assert costs.kv(0, shape.n_layer + 1) >= 0, name
        assert sum(shape.layer_weights) <= header.file_size, name
        assert quality_of_header(header).kld >= 0, name
    assert read > 20
    assert all(str(path) in error.explain().message for error in refused)
