import json
import math
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path
from typing import cast

import pytest

from desktop.errors import DiskFull
from desktop.files import FileNotSaved
from desktop.setting import Setting, SettingRejected
from desktop.settings import (
    ALL_SETTINGS,
    DEFAULT_MODEL,
    HF_ENDPOINT,
    LANGUAGE,
    MODEL_SAMPLING,
    MODELS_FOLDER,
    OFFLINE,
    SECTIONS,
    TEMPERATURE,
    THEME,
    WANTED_CONTEXT,
    WINDOW_STATE,
    SamplingOverrides,
    WindowState,
)
from desktop.settings_store import SettingsStore
from tests.support.settings_document import DOCUMENT, settings_document


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "config" / "settings.json"


def aside(path: Path) -> list[Path]:
    return sorted(path.parent.glob("settings.json.bad-*"))


def test_without_a_file_defaults_are_in_force_and_nothing_is_written(path: Path) -> None:
    store = SettingsStore.open(path)
    assert store.get(WANTED_CONTEXT) == 8192
    assert store.notices == ()
    assert not path.parent.exists()


def test_a_change_is_there_after_a_restart(path: Path) -> None:
    SettingsStore.open(path).set(THEME, "dark")
    assert SettingsStore.open(path).get(THEME) == "dark"


def test_structured_values_come_back_as_what_they_were(path: Path) -> None:
    store = SettingsStore.open(path)
    state = WindowState(geometry="AAEC", sidebar_folded=True, last_page="models")
    sampling = {"qwen3-8b:Q5_K_M": SamplingOverrides(temperature=0.6, stop=("###",))}
    store.set(WINDOW_STATE, state)
    store.set(MODEL_SAMPLING, sampling)
    again = SettingsStore.open(path)
    assert again.get(WINDOW_STATE) == state
    assert again.get(MODEL_SAMPLING) == sampling


@pytest.mark.parametrize(
    "content",
    [b"", b"\0" * 64_560, b"{not json", b"[1, 2]", b'"text"', b'{"a": 1} trailing', b"\xff\xfe\x00", b'{"a": NaN}'],
)
def test_an_unreadable_file_is_kept_aside_and_the_person_is_told(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    store = SettingsStore.open(path)
    assert store.get(THEME) == "system"
    assert [kept.read_bytes() for kept in aside(path)] == [content]
    assert len(store.notices) == 1
    assert str(aside(path)[0]) in store.notices[0].render()


def test_bad_files_kept_aside_in_the_same_second_do_not_replace_each_other(path: Path) -> None:
    path.parent.mkdir()
    for content in (b"first", b"second", b"third"):
        path.write_bytes(content)
        SettingsStore.open(path)
    assert {kept.read_bytes() for kept in aside(path)} == {b"first", b"second", b"third"}


def test_one_bad_value_costs_only_itself(path: Path) -> None:
    path.parent.mkdir()
    path.write_text(json.dumps({"general.theme": "pink", "models.context": 4096, "future.thing": [1]}))
    store = SettingsStore.open(path)
    assert store.get(THEME) == "system"
    assert store.get(WANTED_CONTEXT) == 4096
    assert [notice.arguments["setting"] for notice in store.notices] == ["general.theme"]
    assert "pink" in store.notices[0].render()


def test_values_of_a_newer_version_survive_a_write(path: Path) -> None:
    path.parent.mkdir()
    path.write_text(json.dumps({"general.theme": "pink", "future.thing": [1]}))
    SettingsStore.open(path).set(LANGUAGE, "zh_CN")
    assert json.loads(path.read_text()) == {
        "general.theme": "pink",
        "future.thing": [1],
        "general.language": "zh_CN",
    }


def test_a_file_saved_with_a_byte_order_mark_is_read(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b'\xef\xbb\xbf{"general.theme": "dark"}')
    assert SettingsStore.open(path).get(THEME) == "dark"


@pytest.mark.parametrize("value", [-0.1, 2.1, math.nan, math.inf, "hot", True, [1]])
def test_a_temperature_that_cannot_be_is_refused_and_nothing_changes(path: Path, value: object) -> None:
    store = SettingsStore.open(path)
    store.set(TEMPERATURE, 0.5)
    before = path.read_bytes()
    with pytest.raises(SettingRejected, match=r"chat\.temperature"):
        store.set(cast("Setting[object]", TEMPERATURE), value)
    assert store.get(TEMPERATURE) == 0.5
    assert path.read_bytes() == before


def test_a_choice_that_is_none_is_refused(path: Path) -> None:
    with pytest.raises(SettingRejected, match="none of system, light, dark"):
        SettingsStore.open(path).set(THEME, "pink")


def test_a_whole_number_is_good_enough_for_a_temperature(path: Path) -> None:
    store = SettingsStore.open(path)
    store.set(TEMPERATURE, 1)
    assert store.get(TEMPERATURE) == 1.0


def test_half_a_character_in_a_text_does_not_stop_the_save(path: Path) -> None:
    store = SettingsStore.open(path)
    store.set(DEFAULT_MODEL, "model\ud800")
    assert SettingsStore.open(path).get(DEFAULT_MODEL) == "model?"


def test_reset_returns_to_the_default(path: Path) -> None:
    store = SettingsStore.open(path)
    store.set(TEMPERATURE, 0.5)
    store.reset(TEMPERATURE)
    assert store.get(TEMPERATURE) is None
    assert json.loads(path.read_text()) == {}


def test_the_environment_wins_over_the_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = SettingsStore.open(path)
    store.set(HF_ENDPOINT, "https://mirror.example")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert store.get(HF_ENDPOINT) == "http://127.0.0.1:9"
    assert store.is_overridden(HF_ENDPOINT)
    assert not store.is_overridden(THEME)


def test_two_open_stores_keep_each_others_changes(path: Path) -> None:
    first, second = SettingsStore.open(path), SettingsStore.open(path)
    first.set(THEME, "dark")
    second.set(OFFLINE, True)
    assert json.loads(path.read_text()) == {"general.theme": "dark", "network.offline": True}
    assert second.get(THEME) == "dark"


_WRITER = """
import sys
from pathlib import Path
from desktop.settings import ALL_SETTINGS
from desktop.settings_store import SettingsStore
store = SettingsStore.open(Path(sys.argv[1]))
setting = next(s for s in ALL_SETTINGS if s.key == sys.argv[2])
for number in range(25):
    store.set(setting, 512 + number)
"""


def test_processes_that_write_at_once_lose_no_value(path: Path, project_root: Path) -> None:
    keys = ["models.context", "memory.margin"]
    writers = [subprocess.Popen([sys.executable, "-c", _WRITER, str(path), key], cwd=project_root) for key in keys]
    assert [writer.wait(100) for writer in writers] == [0, 0]
    assert json.loads(path.read_text()) == dict.fromkeys(keys, 536)


def test_threads_may_share_a_store(path: Path) -> None:
    store = SettingsStore.open(path)
    names = ["system", "light", "dark"]
    threads = [threading.Thread(target=store.set, args=(THEME, name)) for name in names * 3]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert json.loads(path.read_text())["general.theme"] == store.get(THEME)


def test_listeners_hear_of_a_change_until_they_leave(path: Path) -> None:
    store = SettingsStore.open(path)
    heard: list[tuple[str, object]] = []
    leave = store.subscribe(lambda setting, value: heard.append((setting.key, value)))
    store.set(THEME, "dark")
    leave()
    store.set(THEME, "light")
    assert heard == [("general.theme", "dark")]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a disk that is always full exists on Linux only")
def test_a_full_disk_is_explained_and_the_old_file_stays(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = SettingsStore.open(path)
    store.set(THEME, "dark")
    before = path.read_bytes()
    real_open = os.open

    def full(name: Path, flags: int, mode: int = 0o777) -> int:
        descriptor = real_open(name, flags, mode)
        if flags & os.O_EXCL:  # the new file, not the lock
            os.close(descriptor)
            return real_open("/dev/full", os.O_WRONLY)
        return descriptor

    monkeypatch.setattr(os, "open", full)
    with pytest.raises(DiskFull):
        store.set(THEME, "light")
    assert path.read_bytes() == before
    assert store.get(THEME) == "dark"
    assert sorted(file.name for file in path.parent.iterdir()) == [".settings.json.lock", "settings.json"]


def test_a_folder_in_the_way_is_explained(path: Path) -> None:
    path.mkdir(parents=True)
    store = SettingsStore.open(path)
    assert "could not be read" in store.notices[0].render()
    with pytest.raises(FileNotSaved):
        store.set(THEME, "dark")


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights on Windows")
def test_a_link_to_the_settings_stays_a_link(path: Path, tmp_path: Path) -> None:
    path.parent.mkdir()
    real = tmp_path / "dotfiles.json"
    real.write_text("{}")
    path.symlink_to(real)
    SettingsStore.open(path).set(THEME, "dark")
    assert path.is_symlink()
    assert json.loads(real.read_text()) == {"general.theme": "dark"}
    assert stat.S_IMODE(real.stat().st_mode) == 0o600


def test_every_setting_is_declared_once_and_its_default_is_valid() -> None:
    keys = [setting.key for setting in ALL_SETTINGS]
    assert len(keys) == len(set(keys))
    for setting in ALL_SETTINGS:
        assert setting.validated(setting.default) == setting.default
        assert setting.section in SECTIONS
        assert setting.hidden or (setting.title and setting.help)


def test_the_document_of_the_settings_is_current() -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == settings_document(), "run python -m tests.support.settings_document"


def test_a_bottomless_file_is_kept_aside_like_any_bad_one(path: Path) -> None:
    path.parent.mkdir()
    path.write_text('{"a":' * 100_000 + "1" + "}" * 100_000)
    store = SettingsStore.open(path)
    assert store.get(WANTED_CONTEXT) == 8192
    assert len(store.notices) == 1
    assert len(aside(path)) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="named pipes are files elsewhere only")
def test_a_pipe_in_place_of_the_file_does_not_stop_the_start(path: Path) -> None:
    path.parent.mkdir()
    os.mkfifo(path)
    store = SettingsStore.open(path)
    assert "pipe" in store.notices[0].render()


@pytest.mark.parametrize("folder", ["models", "~nobody-of-that-name/models", "/models\0"])
def test_a_models_folder_that_is_no_full_path_is_refused_and_told(path: Path, folder: str) -> None:
    path.parent.mkdir()
    path.write_text(json.dumps({MODELS_FOLDER.key: folder}))
    store = SettingsStore.open(path)
    assert store.get(MODELS_FOLDER) == ""
    assert MODELS_FOLDER.key in store.notices[0].render()
    with pytest.raises(SettingRejected):
        store.set(MODELS_FOLDER, folder)
