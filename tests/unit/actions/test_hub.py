"""A search result with the engine's own verdicts: real headers, the real engine, nothing downloaded."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
import pytest_asyncio

from desktop.actions.fit import fit_model
from desktop.actions.hub import list_files, search_hub, wanted_file
from desktop.actions.hub_verdicts import TRIED_OF_A_REPOSITORY, RepoVerdict, judge_files, judge_repos
from desktop.actions.models import wanted_in_catalog
from desktop.catalog.hub_errors import HubFileMissing
from desktop.catalog.hub_files import HubListing
from desktop.engine.protocol import DeviceKind, EngineDevice, EngineInfo
from desktop.errors import AppError
from desktop.fit.memory.placement import CPU
from desktop.fit.plans.wish import FitWish
from desktop.fit.types import Choice
from desktop.library.starter import starter_model
from desktop.library.types import WantedModel
from desktop.paths import user_paths
from desktop.services import Services, Survey, create_services
from desktop.settings import MINIMUM_SPEED, OFFLINE
from tests.support.catalogs import tiny_catalog
from tests.support.gguf_writer import dense_model, write_gguf
from tests.support.hub_server import Fault, HubServer
from tests.support.tiny_hub import REPO
from tests.unit.fit.builders import GIB, machine

pytestmark = pytest.mark.asyncio
CONTEXT = 2048


@pytest.fixture
def server(server: HubServer, monkeypatch: pytest.MonkeyPatch) -> HubServer:
    server.repositories[REPO].facts = {"tags": ["gguf", "license:mit"], "gguf": {"total": 10**6}}
    monkeypatch.setenv("HF_ENDPOINT", server.endpoint)
    return server


@pytest_asyncio.fixture
async def services(server: HubServer) -> AsyncIterator[Services]:
    made = create_services(user_paths())
    made.settings.set(MINIMUM_SPEED, 0.0)
    yield made
    await made.close()


def with_memory(free: float) -> Survey:
    """A machine without cards, with `free` GiB of memory."""
    size = int(free * GIB)
    cpu = EngineDevice(
        name=CPU, description="a device", kind=DeviceKind.CPU, backend=CPU, memory_total=16 * GIB, memory_free=size
    )
    info = EngineInfo(version="test", system_info="", supports_gpu_offload=False, supports_rpc=False, devices=(cpu,))
    return Survey(profile=machine(ram=16, free=free), engine=info)


@pytest.fixture
def found() -> Survey:
    return with_memory(12)


async def judged(services: Services, found: Survey) -> dict[str, Choice]:
    listing = await list_files(services, REPO)
    rows = judge_files(services, found, listing, context=CONTEXT)
    return {choice.file: choice async for choice in rows}


async def verdicts(services: Services, found: Survey, text: str = "") -> dict[str, RepoVerdict]:
    page = await search_hub(services, text)
    return {verdict.repo.repo: verdict async for verdict in judge_repos(services, found, page.repos, context=CONTEXT)}


async def test_files_are_judged_before_the_download_as_fit_would(
    services: Services, server: HubServer, found: Survey
) -> None:
    choices = await judged(services, found)
    assert set(choices) == {"tiny-Q4_K_M.gguf", "tiny-Q8_0.gguf"}
    for file, choice in choices.items():
        assert choice.exact
        assert choice.download_size == server.repositories[REPO].files[file].size
        assert (choice.model_id, choice.licence, choice.verdict) == (REPO, "MIT", "fits")
        assert choice.fits
        services.surveys.latest = found
        report = await fit_model(services, f"{REPO}/{file}", wish=FitWish(context=CONTEXT), exact=True)
        assert choice.memory == report.plan.predicted
        words = [reason.render() for reason in choice.reasons]
        assert words[0].startswith("Needs ")
        assert any("tokens per second" in word for word in words)
        assert any(choice.quantization in word for word in words)


async def test_one_question_about_the_list_and_one_header_a_file(
    services: Services, server: HubServer, found: Survey
) -> None:
    await judged(services, found)
    api = [request for request in server.of("hub") if request.path.startswith("/api/")]
    assert len(api) == 1, "the listing has pinned the commit"
    assert len(server.of("cdn")) == 2
    await judged(services, found)
    assert len(server.of("cdn")) == 2, "what a header said was kept"


async def test_what_does_not_fit_says_what_is_missing(services: Services, server: HubServer) -> None:
    for choice in (await judged(services, with_memory(0.27))).values():
        assert choice.exact
        assert choice.verdict in ("tight", "does_not_fit")
        assert not choice.fits
        assert "missing" in choice.reasons[0].render()


async def test_no_more_context_is_asked_for_than_the_model_was_trained_for(
    services: Services, server: HubServer, found: Survey
) -> None:
    server.repositories[REPO].facts["gguf"] = {"context_length": 512}
    assert {choice.context for choice in (await judged(services, found)).values()} == {512}


@pytest.mark.allow_log("no exact figures for")
async def test_a_model_that_the_engine_does_not_know_comes_back_with_its_reason(
    services: Services, server: HubServer, found: Survey, tmp_path: Path
) -> None:
    server.add(REPO, "tiny-Q8_0.gguf", write_gguf(tmp_path / "new.gguf", *dense_model(architecture="tomorrow")))
    choices = await judged(services, found)
    assert choices["tiny-Q4_K_M.gguf"].exact
    assert not choices["tiny-Q8_0.gguf"].exact
    assert not choices["tiny-Q8_0.gguf"].fits
    assert {file: choice.is_refused for file, choice in choices.items()} == {
        "tiny-Q8_0.gguf": True,
        "tiny-Q4_K_M.gguf": False,
    }
    assert "tomorrow" in choices["tiny-Q8_0.gguf"].reasons[0].render()


@pytest.mark.allow_log("no exact figures for")
async def test_a_gated_file_costs_only_itself_and_is_told(services: Services, server: HubServer, found: Survey) -> None:
    server.gate(REPO, "hf_members_only")
    listing, failures = await list_files(services, REPO), list[AppError]()
    rows = judge_files(services, found, listing, on_failure=failures.append)
    assert [choice async for choice in rows] == []
    assert len(failures) == 2
    assert listing.repo.gated == "manual"


async def test_a_file_on_this_disk_is_judged_from_there(
    services: Services, server: HubServer, found: Survey, tmp_path: Path
) -> None:
    listing = await list_files(services, REPO)
    [file] = [model for model in listing.models if model.quantization == "Q8_0"]
    [source] = await services.hub.files(repo=REPO, file=file.file)
    services.library.register(path=tmp_path / "q8.gguf", model_id=REPO, quantization="Q8_0", files=(source,))
    choices = [choice async for choice in judge_files(services, found, listing)]
    assert {choice.file: choice.installed for choice in choices} == {"tiny-Q8_0.gguf": True, "tiny-Q4_K_M.gguf": False}
    assert all(choice.exact for choice in choices)
    [fetched] = server.of("cdn")
    assert "tiny-Q4_K_M.gguf" in fetched.path


async def test_the_same_content_of_another_origin_needs_no_download(
    services: Services, server: HubServer, found: Survey, tmp_path: Path
) -> None:
    [source] = await services.hub.files(repo=REPO, file="tiny-Q8_0.gguf")
    other = msgspec.structs.replace(source, repo="", file="")
    model = services.library.register(path=tmp_path / "q8.gguf", model_id="mine", quantization="Q8_0", files=(other,))
    choices = await judged(services, found)
    assert {file: choice.installed_as for file, choice in choices.items()} == {
        "tiny-Q8_0.gguf": model.id,
        "tiny-Q4_K_M.gguf": "",
    }


async def test_what_was_said_of_a_file_is_said_of_it_under_the_name_that_it_has_now(
    services: Services, server: HubServer, found: Survey, tmp_path: Path
) -> None:
    [source] = await services.hub.files(repo=REPO, file="tiny-Q8_0.gguf")
    names = []
    for name in ("before", "after"):
        model = services.library.register(
            path=tmp_path / "q8.gguf", model_id=name, quantization="Q8_0", files=(source,)
        )
        names.append((await judged(services, found))["tiny-Q8_0.gguf"].installed_as)
        services.library.forget(model)
    assert names == ["before:Q8_0", "after:Q8_0"]


async def test_the_starter_on_the_hub_needs_no_download(services: Services, server: HubServer, found: Survey) -> None:
    starter = starter_model()
    known = services.catalog.find(starter.model_id)
    offered = known.quantization(starter.quantization) if known else None
    assert offered is not None
    server.add(offered.repo, offered.file, Path(starter.path))
    listing = await list_files(services, offered.repo)
    [choice] = [choice async for choice in judge_files(services, found, listing)]
    assert (choice.installed, choice.installed_as) == (True, starter.id)
    assert not server.of("cdn")


async def test_another_version_of_a_file_on_this_disk_is_not_taken_for_it(
    services: Services, server: HubServer, found: Survey, tmp_path: Path
) -> None:
    [source] = await services.hub.files(repo=REPO, file="tiny-Q8_0.gguf")
    old = msgspec.structs.replace(source, revision="0" * 40, sha256="0" * 64)
    services.library.register(path=tmp_path / "q4.gguf", model_id=REPO, quantization="Q8_0", files=(old,))
    assert not (await judged(services, found))["tiny-Q8_0.gguf"].installed


async def test_leaving_early_ends_what_is_under_way(services: Services, server: HubServer, found: Survey) -> None:
    listing = await list_files(services, REPO)
    server.bytes_per_second = 20_000.0
    async with contextlib.aclosing(judge_files(services, found, listing)) as rows:
        async for choice in rows:
            assert choice.exact
            break


async def test_of_a_repository_the_largest_file_that_fits_is_named_for_one_header(
    services: Services, server: HubServer, found: Survey
) -> None:
    verdict = (await verdicts(services, found))[REPO]
    assert verdict.fits
    assert verdict.choice is not None
    assert verdict.choice.file == "tiny-Q8_0.gguf"
    assert len(server.of("cdn")) == 1


async def test_a_repository_of_which_nothing_fits_is_told_apart(
    services: Services, server: HubServer, found: Survey
) -> None:
    verdict = (await verdicts(services, with_memory(0.27)))[REPO]
    assert not verdict.fits
    assert verdict.choice is not None
    assert verdict.choice.exact
    assert verdict.choice.missing > 0
    assert len(server.of("cdn")) <= TRIED_OF_A_REPOSITORY


async def test_no_header_is_fetched_of_what_is_larger_than_all_memory(
    services: Services, server: HubServer, found: Survey
) -> None:
    huge = [
        {"rfilename": f"huge-{name}.gguf", "size": size, "lfs": {"sha256": "0" * 64, "size": size, "pointerSize": 134}}
        for name, size in (("Q4_K_M", 400 * GIB), ("Q8_0", 700 * GIB))
    ]
    server.repositories[REPO].facts["siblings"] = huge
    verdict = (await verdicts(services, found))[REPO]
    assert not server.of("cdn")
    assert not verdict.fits
    choice = verdict.choice
    assert choice is not None
    assert (choice.file, choice.verdict, choice.exact) == ("huge-Q4_K_M.gguf", "does_not_fit", False)
    assert 380 * GIB < choice.missing < 400 * GIB - 10 * GIB
    assert choice.memory_total == 400 * GIB
    assert "missing" in choice.reasons[0].render()
    assert not choice.is_refused


@pytest.mark.allow_log("no exact figures for")
async def test_a_listing_whose_commit_is_gone_is_made_anew(
    services: Services, server: HubServer, found: Survey
) -> None:
    page = await search_hub(services)
    listings = {REPO: await list_files(services, REPO)}
    server.repositories[REPO].commit = "c" * 40
    [verdict] = [each async for each in judge_repos(services, found, page.repos, context=CONTEXT, listings=listings)]
    assert verdict.fits
    assert listings[REPO].commit == "c" * 40


async def test_a_file_that_the_catalog_names_is_the_catalogs_model(services: Services, server: HubServer) -> None:
    services.__dict__["catalog"] = tiny_catalog(REPO)
    listing = await list_files(services, REPO)
    ids = {file.file: wanted_file(services, listing, file) for file in listing.models}
    wanted = ids["tiny-Q8_0.gguf"]
    assert (wanted.id, wanted.name, wanted.licence) == ("tiny-1b:Q8_0", "Tiny 1B", "Apache-2.0")
    assert (wanted.revision, wanted.repo, wanted.file) == (listing.commit, REPO, "tiny-Q8_0.gguf")
    first, second = (services.downloads.start(each) for each in (wanted, wanted_of_catalog(services)))
    assert first.id == second.id
    await services.downloads.wait(first.id)
    assert [model.id for model in services.library.installed() if model.repo] == ["tiny-1b:Q8_0"]


def wanted_of_catalog(services: Services) -> WantedModel:
    return wanted_in_catalog(services, model_id="tiny-1b", quantization="Q8_0")


async def test_what_was_listed_is_not_asked_for_again(services: Services, server: HubServer, found: Survey) -> None:
    page, listings = await search_hub(services), dict[str, HubListing]()
    for context in (512, 1024):
        rows = judge_repos(services, found, page.repos, context=context, listings=listings)
        assert [verdict.fits async for verdict in rows] == [True]
    assert set(listings) == {REPO}
    assert len([request for request in server.of("hub") if "/revision/" in request.path]) == 1
    assert len(server.of("cdn")) == 1


@pytest.mark.allow_log("nothing is known of the files of")
async def test_a_repository_that_cannot_be_listed_costs_only_itself(
    services: Services, server: HubServer, found: Survey, tmp_path: Path
) -> None:
    server.search.hostile = [{"id": "owner/gone"}]
    both = await verdicts(services, found)
    assert isinstance(both["owner/gone"].failure, HubFileMissing)
    assert not both["owner/gone"].fits
    assert both[REPO].fits


async def test_a_repository_without_models_has_no_choice(services: Services, server: HubServer, found: Survey) -> None:
    server.add_served("owner/vision", "mmproj-F16.gguf", server.repositories[REPO].files["tiny-Q8_0.gguf"])
    verdict = (await verdicts(services, found, "vision"))["owner/vision"]
    assert (verdict.choice, verdict.failure, verdict.fits) == (None, None, False)


async def test_a_row_can_be_downloaded_as_it_was_judged(services: Services, server: HubServer) -> None:
    listing = await list_files(services, REPO)
    [file] = [model for model in listing.models if model.quantization == "Q8_0"]
    wanted = wanted_file(services, listing, file)
    assert (wanted.id, wanted.revision, wanted.size) == (f"{REPO}:Q8_0", listing.commit, file.size)
    download = services.downloads.start(wanted)
    model = await services.downloads.wait(download.id)
    assert (model.id, model.file, model.sha256) == (wanted.id, file.file, file.sha256)


async def test_files_of_one_quantization_are_told_apart_by_their_names(services: Services, server: HubServer) -> None:
    served = server.repositories[REPO].files["tiny-Q8_0.gguf"]
    for name in ("other-Q8_0.gguf", "plain.gguf", "split-Q6_K-00001-of-00002.gguf", "split-Q6_K-00002-of-00002.gguf"):
        server.add_served(REPO, name, served)
    listing = await list_files(services, REPO)
    ids = {wanted_file(services, listing, file).id for file in listing.models}
    assert ids == {f"{REPO}:{name}" for name in ("tiny-Q8_0", "other-Q8_0", "plain", "Q6_K", "Q4_K_M")}


async def test_nothing_is_sent_while_the_network_is_switched_off(
    services: Services, server: HubServer, found: Survey
) -> None:
    listing = await list_files(services, REPO)
    page = await search_hub(services)
    server.requests.clear()
    services.settings.set(OFFLINE, True)
    assert [choice async for choice in judge_files(services, found, listing)] == []
    assert not server.requests
    assert page.repos


@pytest.mark.allow_log("no exact figures for|nothing is known of the files of")
async def test_a_hub_that_is_busy_is_told(services: Services, server: HubServer, found: Survey) -> None:
    page = await search_hub(services)
    server.hub_faults.extend([Fault("status", status=429, seconds=3)] * 10)
    rows = judge_repos(services, found, page.repos)
    [verdict] = [verdict async for verdict in rows]
    assert verdict.failure is not None
    assert "3 seconds" in verdict.failure.explain().message
