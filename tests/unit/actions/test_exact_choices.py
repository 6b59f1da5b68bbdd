"""Rows of the models page with the engine's own figures: at once where a header is known, fetched otherwise."""

import contextlib
import os
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import msgspec
import pytest
import pytest_asyncio

from desktop.actions.exact import remembered_choices, verify_choices
from desktop.actions.fit import fit_model
from desktop.catalog.types import Catalog
from desktop.engine.protocol import EngineInfo, ImaginedDevice
from desktop.fit.advice.recommend import recommend
from desktop.fit.cards.what_if import imagine_card
from desktop.fit.plans.wish import FitWish
from desktop.fit.types import Choice
from desktop.paths import user_paths
from desktop.services import Services, Survey, create_services
from desktop.settings import OFFLINE
from tests.support.card_of_the_machine import DryRunsWithCard, with_driver
from tests.support.catalogs import tiny_catalog
from tests.support.gguf_writer import dense_model, write_gguf
from tests.support.hub_server import Fault, HubServer
from tests.support.tiny_hub import REPO
from tests.unit.fit.builders import device, device_speeds, engine_with, machine, price_catalog, type_speed

pytestmark = pytest.mark.asyncio
CARDS = (imagine_card("GPU0", 2 << 30),)


@pytest.fixture
def server(server: HubServer, monkeypatch: pytest.MonkeyPatch) -> HubServer:
    monkeypatch.setenv("HF_ENDPOINT", server.endpoint)
    return server


@pytest.fixture
def catalog() -> Catalog:
    return tiny_catalog(REPO)


@pytest_asyncio.fixture
async def services(server: HubServer, catalog: Catalog) -> AsyncIterator[Services]:
    made = create_services(user_paths())
    made.__dict__["catalog"] = catalog
    yield made
    await made.close()


@pytest.fixture
def found() -> Survey:
    info = EngineInfo(version="test", system_info="", supports_gpu_offload=False, supports_rpc=False, devices=())
    return Survey(profile=machine(gpus=(2.0,)), engine=info)


def estimates(found: Survey, catalog: Catalog, context: int = 2048) -> tuple[Choice, ...]:
    return price_catalog(profile=found.profile, catalog=catalog, context=context)


async def verified(
    services: Services,
    found: Survey,
    choices: Sequence[Choice],
    *,
    fetch: bool,
    imagined: Sequence[ImaginedDevice] = CARDS,
) -> dict[str, Choice]:
    rows = verify_choices(services, found, choices, fetch=fetch, imagined=imagined)
    return {choice.quantization: choice async for choice in rows}


async def test_the_catalogs_own_file_under_another_name_is_read_from_this_disk(
    services: Services, server: HubServer, found: Survey, catalog: Catalog, tmp_path: Path
) -> None:
    [source] = await services.hub.files(repo=REPO, file="tiny-Q8_0.gguf")
    services.library.register(path=tmp_path / "q8.gguf", model_id=REPO, quantization="Q8_0", files=(source,))
    asked = len(server.requests)
    exact = await verified(services, found, estimates(found, catalog), fetch=False)
    assert set(exact) == {"Q8_0"}
    assert len(server.requests) == asked


async def test_rows_become_exact_once_their_headers_came(
    services: Services, server: HubServer, found: Survey, catalog: Catalog
) -> None:
    rows = estimates(found, catalog)
    assert await verified(services, found, rows, fetch=False) == {}
    assert not server.requests
    exact = await verified(services, found, rows, fetch=True)
    assert set(exact) == {"Q4_K_M", "Q8_0"}
    for row in rows:
        choice = exact[row.quantization]
        assert choice.exact
        assert not choice.size_is_estimate
        assert choice.download_size == server.repositories[REPO].files[choice.file].size
        assert (choice.model_id, choice.context, choice.quality.source) == (row.model_id, row.context, "mix")
        assert choice.verdict == "fits"
        report = await fit_model(
            services, f"{REPO}/{choice.file}", wish=FitWish(context=2048, imagined=CARDS), exact=True
        )
        assert choice.memory == report.plan.predicted
        assert choice.placement == report.plan.placement
    fetched = len(server.of("cdn"))
    assert fetched == 2
    assert set(await verified(services, found, rows, fetch=False)) == {"Q4_K_M", "Q8_0"}
    assert len(server.of("cdn")) == fetched


async def test_another_context_needs_no_network(
    services: Services, server: HubServer, found: Survey, catalog: Catalog
) -> None:
    first = await verified(services, found, estimates(found, catalog), fetch=True)
    requests = len(server.requests)
    longer = await verified(services, found, estimates(found, catalog, 4096), fetch=True)
    assert len(server.requests) == requests
    for name, choice in longer.items():
        assert choice.context == 4096
        assert sum(part.kv for part in choice.memory) == 2 * sum(part.kv for part in first[name].memory)


async def test_what_was_said_of_the_machines_own_card_is_known_in_the_next_session(
    services: Services, server: HubServer, found: Survey, catalog: Catalog, tmp_path: Path
) -> None:
    card, asked = device("CUDA0", 2), []
    assert found.engine is not None
    engine = msgspec.structs.replace(found.engine, devices=(card,))
    for driver in ("550.54", "550.54", "560.28"):
        here = Survey(profile=with_driver(found.profile, driver), engine=engine)
        async with DryRunsWithCard(card, tmp_path / "answers.sqlite3") as runs:
            services.__dict__["dry_runs"] = runs
            services.exact_choices.clear()
            rows = verify_choices(services, here, estimates(found, catalog), fetch=True)
            assert len([choice async for choice in rows if choice.exact]) == 2
            asked.append(runs.asked)
    first, again, other = asked
    assert (again, other) == (0, first)
    assert first > 0


async def test_what_was_found_stays_for_the_session(
    services: Services, server: HubServer, found: Survey, catalog: Catalog
) -> None:
    rows = estimates(found, catalog)
    assert await remembered_choices(services, found, rows, imagined=CARDS) == rows
    exact = await verified(services, found, rows, fetch=True)
    again = await remembered_choices(services, found, estimates(found, catalog), imagined=CARDS)
    assert [choice.memory for choice in again] == [exact[choice.quantization].memory for choice in again]
    assert all(choice.exact for choice in again)
    other = await remembered_choices(services, found, estimates(found, catalog, 4096), imagined=CARDS)
    assert not any(choice.exact for choice in other)


async def test_reasons_have_the_engines_figures(
    services: Services, server: HubServer, found: Survey, catalog: Catalog
) -> None:
    recommendation = recommend(profile=found.profile, catalog=catalog, context=2048, minimum_speed=0.1)
    exact = await verified(services, found, recommendation.choices, fetch=True)
    for choice in recommendation.choices:
        before = [reason.render() for reason in choice.reasons]
        after = [reason.render() for reason in exact[choice.quantization].reasons]
        assert after[0] == before[0], "why it is where it is stays"
        assert any("until the Hub was asked" in reason for reason in before)
        assert not any("until the Hub was asked" in reason for reason in after)
        [needs] = [reason for reason in after if reason.startswith("Needs ")]
        assert needs not in before


async def test_what_does_not_fit_after_all_says_so(
    services: Services, server: HubServer, found: Survey, catalog: Catalog
) -> None:
    full = (ImaginedDevice(name="GPU0", memory_total=2 << 30, memory_free=100 << 20),)
    poor = Survey(profile=machine(ram=4, free=0.15), engine=found.engine)
    exact = await verified(services, poor, estimates(found, catalog), fetch=True, imagined=full)
    for choice in exact.values():
        assert choice.verdict in ("tight", "does_not_fit")
        assert choice.missing > 0
        assert "missing" in choice.reasons[0].render()


@pytest.mark.allow_log("no exact figures for")
async def test_a_file_that_cannot_be_had_leaves_the_others_alone(
    services: Services, server: HubServer, found: Survey, catalog: Catalog, caplog: pytest.LogCaptureFixture
) -> None:
    del server.repositories[REPO].files["tiny-Q8_0.gguf"]
    assert set(await verified(services, found, estimates(found, catalog), fetch=True)) == {"Q4_K_M"}
    assert "Q8_0" in caplog.text


@pytest.mark.allow_log("no exact figures for")
async def test_a_model_that_the_engine_does_not_know_comes_back_with_its_reason(
    services: Services, server: HubServer, found: Survey, catalog: Catalog, tmp_path: Path
) -> None:
    path = write_gguf(tmp_path / "new.gguf", *dense_model(architecture="tomorrow"))
    server.add(REPO, "tiny-Q8_0.gguf", path)
    exact = await verified(services, found, estimates(found, catalog), fetch=True)
    assert exact["Q4_K_M"].exact
    assert not exact["Q8_0"].exact
    assert "tomorrow" in exact["Q8_0"].reasons[0].render()
    requests = len(server.requests)
    again = await verified(services, found, estimates(found, catalog), fetch=True)
    assert not again["Q8_0"].exact
    assert len(server.requests) == requests, "its header is known"


@pytest.mark.allow_log("no exact figures for")
async def test_a_hub_that_fails_fails_nothing_else(
    services: Services, server: HubServer, found: Survey, catalog: Catalog
) -> None:
    server.hub_faults.extend([Fault("status", status=500)] * 10)
    assert await verified(services, found, estimates(found, catalog), fetch=True) == {}


async def test_nothing_is_fetched_while_the_network_is_switched_off(
    services: Services, server: HubServer, found: Survey, catalog: Catalog
) -> None:
    services.settings.set(OFFLINE, True)
    assert await verified(services, found, estimates(found, catalog), fetch=True) == {}
    assert not server.requests


async def test_leaving_early_ends_what_is_under_way(
    services: Services, server: HubServer, found: Survey, catalog: Catalog
) -> None:
    server.bytes_per_second = 100_000.0
    rows = verify_choices(services, found, estimates(found, catalog), fetch=True, imagined=CARDS)
    async with contextlib.aclosing(rows) as open_rows:
        async for choice in open_rows:
            assert choice.exact
            break


async def test_an_installed_model_needs_no_network(
    services: Services, server: HubServer, found: Survey, catalog: Catalog, tmp_path: Path
) -> None:
    services.library.register(path=tmp_path / "q4.gguf", model_id="tiny-1b", quantization="Q4_K_M")
    exact = await verified(services, found, estimates(found, catalog), fetch=False)
    assert set(exact) == {"Q4_K_M"}
    assert exact["Q4_K_M"].exact
    assert not server.requests


async def test_what_cannot_be_loaded_does_not_count_as_installed(
    services: Services, server: HubServer, found: Survey, catalog: Catalog, tmp_path: Path
) -> None:
    path = tmp_path / "q4.gguf"
    services.library.register(path=path, model_id="tiny-1b", quantization="Q4_K_M")
    os.truncate(path, path.stat().st_size // 2)
    assert await verified(services, found, estimates(found, catalog), fetch=False) == {}
    exact = await verified(services, found, estimates(found, catalog), fetch=True)
    assert exact["Q4_K_M"].exact, "by its header on the Hub"


async def test_without_an_engine_there_is_nobody_to_ask(services: Services, found: Survey, catalog: Catalog) -> None:
    silent = Survey(profile=found.profile)
    assert await verified(services, silent, estimates(found, catalog), fetch=True) == {}


async def test_a_machine_that_was_measured_meanwhile_is_priced_anew(
    services: Services, server: HubServer, catalog: Catalog
) -> None:
    info = engine_with(version="test")
    found = Survey(profile=machine(), engine=info)
    before = await verified(services, found, estimates(found, catalog), fetch=True, imagined=())
    assert len(before) == len(server.of("cdn")) == 2
    assert not any(choice.speed.measured for choice in before.values())
    kinds = ("q4_K", "q6_K", "q8_0", "f16", "f32")
    speeds = device_speeds(*(type_speed(kind, 20.0) for kind in kinds))
    services.observed.note_probe(speeds, driver="", engine="test")
    after = await verified(services, found, tuple(before.values()), fetch=False, imagined=())
    assert all(choice.speed.measured for choice in after.values())
    assert set(after) == set(before)
