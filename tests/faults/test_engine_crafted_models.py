"""Model files that were made to break the engine: each ends in words, in time, and the next model loads."""

import asyncio
import contextlib
import os
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest

from desktop.engine.client import EngineClient
from desktop.engine.failure import BadRequest, EngineAborted, EngineError, EngineExited, InternalFailure
from desktop.engine.protocol import LoraAdapter, Sampling
from tests.faults.crafted_models import CRAFTED, TOLERABLE, flips, truncations
from tests.support.engine_replies import loaded_client, plan_for, reply_of, user
from tests.support.gguf_parts import Gguf
from tests.support.models.decoders import write_dense

LIMIT = 5.0
"""Seconds that a file may keep the engine computing until it has ended in an error; others may compute too."""
PATIENCE = 60.0
SHORT = Sampling(temperature=0.0, max_length=3)
_FAULTS_OF_OURS = (BadRequest, InternalFailure, EngineExited)


@pytest.fixture(scope="module")
def good_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dense(tmp_path_factory.mktemp("crafted"))


@pytest.fixture(scope="module")
def good(good_model: Path) -> bytes:
    return good_model.read_bytes()


class Outcomes:
    """Tries files on one client and keeps what became of them."""

    def __init__(self, client: EngineClient, path: Path) -> None:
        self.kinds: Counter[str] = Counter()
        self.deaths: list[str] = []
        self.problems: list[str] = []
        self.slowest = self.dearest = 0.0
        self._client, self._path = client, path

    async def try_file(self, name: str, data: bytes, *, may_work: bool = False, **plan: object) -> None:
        """Load the file and let it answer; `plan`: load another one, which the file belongs to."""
        self._path.write_bytes(data)
        began, computed = time.monotonic(), self._computed()
        try:
            async with asyncio.timeout(PATIENCE):
                await self._client.load(plan_for(**{"path": self._path, **plan}))  # type: ignore[arg-type]
                await reply_of(self._client, user("Hi."), SHORT)
        except EngineError as error:
            self._explained(name, error)
        else:
            self.kinds["works"] += 1
            if not may_work:
                self.problems.append(f"{name}: nothing was found wrong")
        computed = self._computed() - computed
        self.slowest, self.dearest = max(self.slowest, time.monotonic() - began), max(self.dearest, computed)
        if computed > LIMIT:
            self.problems.append(f"{name}: the engine computed {computed:.1f} s")

    def _computed(self) -> float:
        """Seconds of the processor that the engine's children have used, those that ended and the one that runs."""
        ended = os.times()
        used = ended.children_user + ended.children_system
        with contextlib.suppress(psutil.Error):
            used += sum(psutil.Process(self._client.pid).cpu_times()[:2]) if self._client.pid is not None else 0
        return used

    def _explained(self, name: str, error: EngineError) -> None:
        self.kinds[type(error).__name__] += 1
        if error.failure is not None and error.failure.exit_code is not None:
            self.deaths.append(f"{name} ({error.failure.detail})")
        if "logits are not numbers" in str(error):
            return  # what NaN among the weights comes to
        nameless = isinstance(error, EngineAborted) and "no reason" in str(error)
        if not error.explain().hint or isinstance(error, _FAULTS_OF_OURS) or nameless:
            self.problems.append(f"{name}: {type(error).__name__}: {error}")


@asynccontextmanager
async def outcomes(good_model: Path, tmp_path: Path) -> AsyncIterator[Outcomes]:
    """At the end every file was explained in words, and the good model loads and answers."""
    async with loaded_client(good_model) as client:
        tried = Outcomes(client, tmp_path / "crafted.gguf")
        yield tried
        await client.load(plan_for(good_model))
        assert (await reply_of(client, user("Hi."), SHORT)).done.stats.completion_tokens == 3
    figures = f"slowest {tried.slowest:.2f} s, {tried.dearest:.2f} s computed: {dict(tried.kinds)}"
    print(f"{sum(tried.kinds.values())} files, {figures}")
    print("of these the child did not survive:", *tried.deaths, sep="\n  ")
    assert not tried.problems, "\n".join(tried.problems)


def test_a_file_that_is_taken_apart_and_put_together_is_the_same(good: bytes) -> None:
    assert Gguf(good).to_bytes() == good


@pytest.mark.asyncio
@pytest.mark.timeout(300)
async def test_a_crafted_model_ends_in_words(good: bytes, good_model: Path, tmp_path: Path) -> None:
    async with outcomes(good_model, tmp_path) as tried:
        for name, craft in CRAFTED.items():
            await tried.try_file(name, craft(Gguf(good)))
        assert "works" not in tried.kinds


@pytest.mark.asyncio
@pytest.mark.timeout(300)
async def test_a_strange_model_works_or_ends_in_words(good: bytes, good_model: Path, tmp_path: Path) -> None:
    async with outcomes(good_model, tmp_path) as tried:
        for name, craft in TOLERABLE.items():
            await tried.try_file(name, craft(Gguf(good)), may_work=True)
        assert tried.kinds["works"], "each of them was refused; these are strange, not wrong"


@pytest.mark.asyncio
@pytest.mark.timeout(300)
async def test_a_cut_model_ends_in_words(good: bytes, good_model: Path, tmp_path: Path) -> None:
    async with outcomes(good_model, tmp_path) as tried:
        for name, data in truncations(good, 40, seed=1).items():
            await tried.try_file(name, data)
        assert "works" not in tried.kinds


@pytest.mark.asyncio
@pytest.mark.timeout(900)
async def test_a_model_with_flipped_bits_works_or_ends_in_words(
    good: bytes, good_model: Path, tmp_path: Path, campaign_factor: int
) -> None:
    async with outcomes(good_model, tmp_path) as tried:
        for name, data in flips(good, 20 * campaign_factor, seed=2).items():
            await tried.try_file(name, data, may_work=True)


@pytest.mark.asyncio
@pytest.mark.timeout(300)
@pytest.mark.parametrize("role", ["lora", "draft_path", "mmproj_path"])
async def test_a_crafted_file_beside_a_model_ends_in_words(
    role: str, good: bytes, good_model: Path, tmp_path: Path, campaign_factor: int
) -> None:
    path = str(tmp_path / "crafted.gguf")
    plan = {role: (LoraAdapter(path=path),) if role == "lora" else path}
    async with outcomes(good_model, tmp_path) as tried:
        for name, craft in list(CRAFTED.items())[:: 1 if campaign_factor > 1 else 3]:
            of_a_conversation = "template" in name or "merges" in name
            data = craft(Gguf(good))
            await tried.try_file(name, data, path=good_model, may_work=of_a_conversation, **plan)
