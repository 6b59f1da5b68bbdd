"""With "No network" on no connection is opened: each door one by one, then the whole program and its children.

The server is there and would answer; in the second part every Python process of the program notes what it connects to.
"""

import os
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import NamedTuple

import pytest
import pytest_asyncio

from desktop.actions.fit import subject_of
from desktop.actions.hub import list_files, search_hub, wanted_file
from desktop.actions.hub_verdicts import judge_files, judge_repos
from desktop.catalog.hub import HubFile
from desktop.catalog.hub_errors import OfflineSwitchOn
from desktop.catalog.hub_files import HubListing
from desktop.catalog.remote_header import RemoteHeaders
from desktop.catalog.search import HubPage
from desktop.download.transfer import download
from desktop.engine.protocol import EngineInfo
from desktop.errors import AppError
from desktop.paths import user_paths
from desktop.services import Services, Survey, create_services
from desktop.settings import HF_ENDPOINT, OFFLINE
from tests.support.hub_server import HubServer
from tests.support.tiny_hub import REPO
from tests.unit.fit.builders import machine

FILE = "tiny-Q8_0.gguf"
MACHINE = Survey(
    profile=machine(),
    engine=EngineInfo(version="test", system_info="", supports_gpu_offload=False, supports_rpc=False, devices=()),
)


class Learned(NamedTuple):
    """What was learned of the Hub while the network was on."""

    page: HubPage
    listing: HubListing
    file: HubFile


@pytest_asyncio.fixture
async def services(server: HubServer) -> AsyncIterator[Services]:
    made = create_services(user_paths())
    made.settings.set(HF_ENDPOINT, server.endpoint)
    yield made
    await made.close()


async def search(services: Services, _: Learned) -> object:
    return await search_hub(services, "tiny")


async def listing(services: Services, _: Learned) -> object:
    return await list_files(services, REPO)


async def header(services: Services, learned: Learned) -> object:
    async with RemoteHeaders(services.hub) as headers:
        return await headers.read(repo=REPO, commit=learned.listing.commit, file=FILE)


async def files_of_a_model(services: Services, _: Learned) -> object:
    return await services.hub.files(repo=REPO, file=FILE)


async def model(services: Services, _: Learned) -> object:
    return await services.hub.model(repo=REPO, quantization="Q8_0")


async def fit(services: Services, _: Learned) -> object:
    return await subject_of(services, f"{REPO}:Q8_0")


async def transfer(services: Services, learned: Learned) -> object:
    return await download(file=learned.file, destination=services.models_folder / FILE, hub=services.hub)


async def queue(services: Services, learned: Learned) -> object:
    queued = services.downloads.start(wanted_file(services, learned.listing, learned.listing.models[0]))
    return await services.downloads.wait(queued.id)


async def verdicts_of_files(services: Services, learned: Learned) -> object:
    return [choice async for choice in judge_files(services, MACHINE, learned.listing)]


async def verdicts_of_repositories(services: Services, learned: Learned) -> object:
    return [each async for each in judge_repos(services, MACHINE, learned.page.repos) if each.failure is None]


Door = Callable[[Services, Learned], Awaitable[object]]
DOORS: tuple[Door, ...] = (
    search, listing, header, files_of_a_model, model, fit, transfer, queue, verdicts_of_files,
    verdicts_of_repositories,
)  # fmt: skip


@pytest.mark.asyncio
@pytest.mark.allow_log("nothing is known of the files of")
@pytest.mark.parametrize("switch", ["setting", "HF_HUB_OFFLINE"])
@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.__name__)
async def test_a_door_is_shut_while_the_network_is_switched_off(
    services: Services, server: HubServer, door: Door, switch: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    learned = Learned(
        await search_hub(services, "tiny"),
        await list_files(services, REPO),
        (await services.hub.files(repo=REPO, file=FILE))[0],
    )
    if switch == "setting":
        services.settings.set(OFFLINE, True)
    else:
        monkeypatch.setenv("HF_HUB_OFFLINE", "1")
        del services.__dict__["hub"]  # read when it is made, as at the start of the program
    server.requests.clear()
    try:
        answer = await door(services, learned)
    except OfflineSwitchOn:
        answer = None
    assert not answer
    assert not server.requests


@pytest.mark.asyncio
@pytest.mark.parametrize("door", [header, transfer], ids=lambda door: door.__name__)
async def test_the_switch_ends_what_is_under_way(
    services: Services, server: HubServer, door: Door, tmp_path: Path
) -> None:
    learned = Learned(
        await search_hub(services, "tiny"),
        await list_files(services, REPO),
        (await services.hub.files(repo=REPO, file=FILE))[0],
    )
    server.bytes_per_second = 20_000.0
    server.send_buffer = 4096

    def switch_off_once_bytes_came() -> bool:
        return any(request.sent > 4096 for request in server.of("cdn"))

    services.hub.__dict__["_offline"] = switch_off_once_bytes_came
    with pytest.raises(OfflineSwitchOn):
        await door(services, learned)
    size = server.repositories[REPO].files[FILE].size
    assert 0 < server.bytes_sent < size


@pytest.mark.asyncio
async def test_a_mirror_of_the_settings_is_asked_and_nobody_else(
    services: Services, server: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with HubServer() as other:
        services.settings.set(HF_ENDPOINT, other.endpoint)
        assert not (await search_hub(services, "tiny")).repos
        services.settings.set(HF_ENDPOINT, server.endpoint)
        assert (await search_hub(services, "tiny")).repos, "the setting is read at each question"
        monkeypatch.setenv("HF_ENDPOINT", other.endpoint)
        forced = create_services(user_paths())
        assert not (await search_hub(forced, "tiny")).repos
        assert (len(other.requests), len(server.requests)) == (2, 1)
        await forced.close()


@pytest.mark.asyncio
async def test_a_proxy_of_the_environment_is_used(
    services: Services, server: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The proxy is the server itself: it is asked for the whole address of a host that does not exist."""
    monkeypatch.setenv("http_proxy", server.endpoint)
    monkeypatch.setenv("no_proxy", "")
    services.settings.set(HF_ENDPOINT, "http://hub.invalid")
    with pytest.raises(AppError):  # the redirect leads through the proxy too, which does not know it
        async with RemoteHeaders(services.hub) as headers:
            await headers.read(repo=REPO, commit="main", file=FILE)
    assert {request.path.split("/")[2] for request in server.requests} == {"hub.invalid", server.cdn.split("/")[2]}


def connections_of(project_root: Path, tmp_path: Path, *words: str, offline: bool) -> str:
    """Run the program, and return what it and its children connected to, a line each."""
    notes = tmp_path / "connections.txt"
    notes.write_text("")
    environment = {
        **os.environ,
        "PYTHONPATH": str(project_root / "tests" / "support" / "connections"),
        "SNUG_TEST_CONNECTIONS": str(notes),
    }
    if offline:
        environment["HF_HUB_OFFLINE"] = "1"
    command = [sys.executable, "-m", "desktop", *words]
    ended = subprocess.run(command, cwd=project_root, env=environment, capture_output=True, timeout=110, check=False)
    assert ended.returncode in (0, 1), ended.stderr
    return notes.read_text()


@pytest.mark.parametrize(
    "words",
    [
        ("models", "--search", "tiny", "--fits"),
        ("models", "--files", REPO, "--fits"),
        ("models",),
        ("fit", f"{REPO}:Q8_0", "--exact"),
        ("pull", f"{REPO}:Q8_0"),
        ("recommend",),
        ("probe",),
        ("doctor",),
        ("chat", "-m", "smollm2-135m", "--max-length", "2", "Hi"),
    ],
    ids=" ".join,
)
def test_the_program_and_its_children_connect_to_nothing(
    server: HubServer, project_root: Path, tmp_path: Path, words: tuple[str, ...]
) -> None:
    create_services(user_paths()).settings.set(HF_ENDPOINT, server.endpoint)
    assert connections_of(project_root, tmp_path, *words, offline=True) == ""
    assert not server.requests


def test_what_the_program_connects_to_is_seen(server: HubServer, project_root: Path, tmp_path: Path) -> None:
    create_services(user_paths()).settings.set(HF_ENDPOINT, server.endpoint)
    noted = connections_of(project_root, tmp_path, "models", "--search", "tiny", offline=False)
    assert "socket.connect ('127.0.0.1'" in noted
    assert server.requests
