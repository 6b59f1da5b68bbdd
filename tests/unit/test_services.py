"""The composition root: what is opened when, what is remembered, and which model a name means."""

import asyncio
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import cast

import msgspec
import pytest

from desktop import services as root
from desktop.actions.models import NotInstalled, find_model, wanted_in_catalog
from desktop.actions.plan import cache_limits, plan_model
from desktop.actions.recommend import recommend_models
from desktop.actions.survey import survey
from desktop.engine.client import EngineClient
from desktop.engine.protocol import EngineDevice, EngineInfo, LoadedModel, LoadPlan
from desktop.errors import AppError
from desktop.hardware import probe
from desktop.hardware.types import Cpu, Disk, HardwareProfile, Ram
from desktop.library.errors import UnknownModel
from desktop.paths import user_paths
from desktop.services import Services, create_services, opened_once
from desktop.settings import (
    CACHE_DISK,
    CACHE_RAM,
    DEFAULT_MODEL,
    ENGINE_PARALLEL,
    HF_ENDPOINT,
    LAST_MODEL,
    MINIMUM_SPEED,
    MODELS_FOLDER,
    OFFLINE,
    SPECULATION,
    WANTED_CONTEXT,
)
from desktop.settings_store import SettingsStore
from tests.support.catalogs import tiny_catalog
from tests.support.model_files import small_model

GIB = 1 << 30
PROFILE = HardwareProfile(
    system="Linux",
    cpu=Cpu(name="Test Processor", cores=4, threads=8),
    ram=Ram(total=16 * GIB, available=12 * GIB),
    gpus=(),
    disk=Disk(path="/", total=500 * GIB, free=200 * GIB),
)


class Engine:
    """Starts, or fails to; counts how often it was asked."""

    def __init__(self) -> None:
        self.failure: BaseException | None = None
        self.loaded: LoadedModel | None = None
        self.starts = 0
        self.stopped = False

    async def start(self) -> EngineInfo:
        self.starts += 1
        if self.failure is not None:
            raise self.failure
        return EngineInfo(version="1", system_info="", supports_gpu_offload=False, supports_rpc=False, devices=())

    async def devices(self) -> tuple[EngineDevice, ...]:
        return ()

    async def stop(self) -> None:
        self.stopped = True


@pytest.fixture
def engine() -> Engine:
    return Engine()


@pytest.fixture
def services(snug_home: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Iterator[Services]:
    async def profile(**_arguments: object) -> HardwareProfile:
        return PROFILE

    monkeypatch.setattr(probe, "probe_hardware", profile)
    paths = user_paths()
    made = Services(paths=paths, settings=SettingsStore.open(paths.settings_file), engine=cast("EngineClient", engine))
    yield made
    asyncio.run(made.close())


def test_putting_the_app_together_opens_and_creates_nothing(snug_home: Path) -> None:
    made = create_services(user_paths())
    assert not snug_home.exists()
    assert made.models_folder == snug_home / "data" / "models"
    asyncio.run(made.close())
    assert not snug_home.exists(), "closing opens nothing either"


def test_a_broken_chat_database_does_not_keep_the_library_from_opening(services: Services) -> None:
    services.paths.chats_database.parent.mkdir(parents=True)
    services.paths.chats_database.write_bytes(b"no database " * 1000)
    assert [model.bundled for model in services.library.installed()] == [True]
    with pytest.raises(AppError):
        _ = services.store


def test_the_persons_folder_is_where_models_land(services: Services, tmp_path: Path) -> None:
    services.settings.set(MODELS_FOLDER, str(tmp_path / "elsewhere"))
    assert services.models_folder == tmp_path / "elsewhere"
    assert services.library.models_folder == tmp_path / "elsewhere"
    services.settings.set(MODELS_FOLDER, "~/models")
    assert services.models_folder == Path("~/models").expanduser()


def test_the_network_switch_works_on_a_hub_that_is_in_use(services: Services) -> None:
    services.settings.set(HF_ENDPOINT, "https://mirror.example")
    hub = services.hub
    assert hub.endpoint == "https://mirror.example"
    assert not hub.offline
    services.settings.set(OFFLINE, True)
    assert hub.offline


def test_the_machine_is_looked_at_once_unless_asked_again(services: Services, engine: Engine) -> None:
    first = asyncio.run(survey(services))
    assert first.engine is not None
    assert asyncio.run(survey(services)) is first
    assert engine.starts == 1
    assert asyncio.run(survey(services, again=True)) is not first
    assert engine.starts == 2


def test_an_engine_that_cannot_start_leaves_the_profile_and_is_asked_again(services: Services, engine: Engine) -> None:
    engine.failure = AppError(reason="broken")
    found = asyncio.run(survey(services))
    assert found.profile == PROFILE
    assert (found.engine, found.failure) == (None, engine.failure)
    engine.failure = None
    assert asyncio.run(survey(services)).failure is None


def test_a_failure_that_nobody_expected_is_not_hidden_in_a_survey(services: Services, engine: Engine) -> None:
    engine.failure = ZeroDivisionError()
    with pytest.raises(ZeroDivisionError):
        asyncio.run(survey(services))


def test_no_name_means_the_model_that_came_with_the_set_up(services: Services) -> None:
    model = find_model(services, None)
    assert model.bundled
    assert find_model(services, model.id) == model


def test_a_model_that_is_not_on_the_disk_is_told_from_one_that_nobody_knows(services: Services) -> None:
    with pytest.raises(NotInstalled) as known:
        find_model(services, "qwen3-8b")
    assert "qwen3-8b" in str(known.value)
    with pytest.raises(UnknownModel):
        find_model(services, "no-such-model")


def test_a_broken_catalog_does_not_hide_what_is_on_the_disk(
    services: Services, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    starter = find_model(services, None)
    (tmp_path / "models.json").write_text("{")
    monkeypatch.setattr(root, "catalog_file", lambda: tmp_path / "models.json")
    assert find_model(services, starter.id) == starter
    with pytest.raises(AppError):
        find_model(services, "qwen3-8b")


def test_the_recommendation_follows_the_persons_settings(services: Services) -> None:
    services.__dict__["catalog"] = tiny_catalog()
    services.settings.set(WANTED_CONTEXT, 2048)
    services.settings.set(MINIMUM_SPEED, 0.0)
    advice = recommend_models(services, PROFILE)
    assert advice.context == 2048
    assert {choice.model_id for choice in advice.choices} == {"tiny-1b"}
    assert recommend_models(services, PROFILE, context=1024).context == 1024
    services.settings.set(MINIMUM_SPEED, 1000.0)
    assert recommend_models(services, PROFILE).choices == ()


def test_a_download_of_something_the_catalog_does_not_have_is_refused(services: Services) -> None:
    with pytest.raises(UnknownModel):
        wanted_in_catalog(services, model_id="no-such-model", quantization="Q4_K_M")


def test_closing_ends_the_engine(services: Services, engine: Engine) -> None:
    asyncio.run(services.close())
    assert engine.stopped


def test_the_model_that_was_used_last_is_the_default_while_it_is_there(services: Services, tmp_path: Path) -> None:
    file = small_model(tmp_path / "chosen.gguf")
    services.library.register(path=file, model_id="m", quantization="Q8_0", name="Chosen", licence="MIT")
    services.settings.set(LAST_MODEL, "m:Q8_0")
    assert find_model(services, None).name == "Chosen"
    file.unlink()
    assert find_model(services, None).bundled


def test_what_the_settings_name_comes_before_what_was_used_last(services: Services, tmp_path: Path) -> None:
    for name in ("a", "b"):
        file = small_model(tmp_path / f"{name}.gguf")
        services.library.register(path=file, model_id=name, quantization="Q8_0", name=name, licence="")
    services.settings.set(LAST_MODEL, "a:Q8_0")
    services.settings.set(DEFAULT_MODEL, "b:Q8_0")
    assert find_model(services, None).name == "b"


def test_the_starter_needs_no_library(services: Services) -> None:
    services.paths.library_database.parent.mkdir(parents=True)
    services.paths.library_database.write_bytes(b"this is no database, and it is long enough to be looked at" * 40)
    assert find_model(services, None).bundled


def test_conversations_wait_where_the_settings_say(services: Services, snug_home: Path) -> None:
    limits = cache_limits(services)
    assert (limits.ram_bytes, limits.disk_bytes) == (256 << 20, 2 << 30)
    assert limits.disk_folder == str(snug_home / "cache" / "conversations")
    services.settings.set(CACHE_RAM, 0)
    services.settings.set(CACHE_DISK, 0)
    assert cache_limits(services) == msgspec.structs.replace(limits, ram_bytes=0, disk_bytes=0)


def test_a_plan_follows_the_settings(services: Services, starter_model: Path) -> None:
    services.settings.set(ENGINE_PARALLEL, 2)
    services.settings.set(SPECULATION, "off")
    starter = find_model(services, None)

    async def planned() -> LoadPlan:
        try:
            return (await plan_model(services, starter)).plan
        finally:
            await services.dry_runs.close()

    plan = asyncio.run(planned())
    assert plan.exact
    assert (plan.model_path, plan.n_parallel, plan.n_seq_max) == (str(starter_model), 2, 14)
    assert (plan.speculation, plan.cache) == ("off", cache_limits(services))


def test_two_threads_open_the_library_once(tmp_path: Path) -> None:
    opened: list[object] = []
    both = threading.Barrier(2)

    class Slow:
        @opened_once
        def part(self) -> object:
            time.sleep(0.05)
            opened.append(self)
            return object()

    slow = Slow()

    def ask() -> object:
        both.wait(60)
        return slow.part

    with ThreadPoolExecutor(2) as pool:
        first, second = pool.submit(ask), pool.submit(ask)
        assert first.result(60) is second.result(60)
    assert opened == [slow]
    assert isinstance(Slow.part, opened_once)
