"""What other programs have is listed from the folders they really use, on each system, and nothing there is touched."""

import hashlib
import json
import shutil
from pathlib import Path

import pytest

from desktop.library.library import Library
from desktop.library.references import loadable
from desktop.library.stores.all import STORES
from desktop.library.stores.place import Place
from desktop.library.types import InstalledModel, Source, WantedModel
from tests.support.catalogs import tiny_catalog
from tests.support.model_files import projector, small_model
from tests.support.ollama_files import add_to_ollama

SYSTEMS = ("linux", "darwin", "win32")
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def listed(library: Library, place: Place) -> dict[str, InstalledModel]:
    library.scan(place=place)
    return {model.id: model for model in library.installed() if not model.bundled}


def roots(source: Source, place: Place) -> tuple[Path, ...]:
    return next(store for store in STORES if store.source == source).roots(place)


def add_to_cache(hub: Path, repo: str, file: str, model: Path, *, etag: str = "") -> Path:
    """What huggingface_hub leaves: a blob, and a link in the snapshot."""
    folder = hub / f"models--{repo.replace('/', '--')}"
    blob = folder / "blobs" / (etag or hashlib.sha256(model.read_bytes()).hexdigest())
    blob.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(model, blob)
    link = folder / "snapshots" / COMMIT / file
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(blob)
    return link


@pytest.mark.parametrize("system", SYSTEMS)
def test_lm_studio(library: Library, home: Path, system: str) -> None:
    models = home / ".lmstudio" / "models"
    small_model(models / "lmstudio-community" / "Tiny-GGUF" / "Tiny-Q4_K_M.gguf")
    projector(models / "lmstudio-community" / "Tiny-GGUF" / "mmproj-Tiny-F16.gguf")
    (model,) = listed(library, Place(home, {}, system)).values()
    assert (model.id, model.source) == ("lmstudio-community/Tiny-GGUF:Q4_K_M", "lm-studio")
    assert (model.repo, model.file) == ("lmstudio-community/Tiny-GGUF", "Tiny-Q4_K_M.gguf")


def test_lm_studio_somewhere_else(library: Library, home: Path, tmp_path: Path) -> None:
    (home / ".lmstudio-home-pointer").write_text(f"{home}/moved\n")
    (home / "moved").mkdir()
    (home / "moved" / "settings.json").write_text(json.dumps({"downloadsFolder": str(tmp_path / "big disk")}))
    small_model(tmp_path / "big disk" / "a" / "b" / "c.gguf")
    small_model(home / ".cache" / "lm-studio" / "models" / "d" / "e" / "f.gguf", fill=1)
    assert set(listed(library, Place(home, {}, "linux"))) == {"a/b", "d/e"}


@pytest.mark.parametrize(
    ("system", "folder"),
    [
        ("linux", ".local/share/Jan/data"),
        ("darwin", "Library/Application Support/Jan/data"),
        ("win32", "AppData/Roaming/Jan/data"),
    ],
)
def test_jan(library: Library, home: Path, tmp_path: Path, system: str, folder: str) -> None:
    models = home / folder / "llamacpp" / "models"
    small_model(models / "janhq" / "Tiny-Q4_K_M" / "model.gguf")
    projector(models / "janhq" / "Tiny-Q4_K_M" / "mmproj.gguf")
    inside = "llamacpp/models/janhq/Tiny-Q4_K_M/model.gguf"
    (models / "janhq" / "Tiny-Q4_K_M" / "model.yml").write_text(f"model_path: {inside}\nname: Tiny\n")
    linked = small_model(tmp_path / "own" / "linked.gguf", fill=1)
    (models / "linked").mkdir()
    (models / "linked" / "model.yml").write_text(f'name: x\nmodel_path: "{linked}"\nmmproj_path: /etc/passwd\n')
    found = listed(library, Place(home, {}, system))
    assert {name: model.source for name, model in found.items()} == {"janhq/Tiny-Q4_K_M": "jan", "linked": "jan"}
    assert found["janhq/Tiny-Q4_K_M"].quantization == "Q4_K_M"
    assert found["linked"].path == str(linked)


def test_jan_with_a_folder_of_its_own(home: Path, tmp_path: Path) -> None:
    settings = home / ".local" / "share" / "Jan" / "settings.json"
    settings.parent.mkdir(parents=True)
    settings.write_text(json.dumps({"data_folder": str(tmp_path / "jan")}))
    place = Place(home, {"JAN_DATA_FOLDER": str(tmp_path / "first")}, "linux")
    wanted = [tmp_path / "first", tmp_path / "jan", home / ".local" / "share" / "Jan" / "data"]
    assert roots("jan", place) == tuple(folder / "llamacpp" / "models" for folder in wanted)


@pytest.mark.parametrize(
    ("system", "folder", "settings"),
    [
        ("linux", ".local/share", ".config"),
        ("darwin", "Library/Application Support", ".config"),
        ("win32", "AppData/Local", "AppData/Roaming"),
    ],
)
def test_gpt4all(library: Library, home: Path, tmp_path: Path, system: str, folder: str, settings: str) -> None:
    models = home / folder / "nomic.ai" / "GPT4All"
    small_model(models / "tiny.Q4_0.gguf")
    small_model(models / "incomplete-other.gguf", fill=1)
    elsewhere = tmp_path / "é models"
    small_model(elsewhere / "far.Q4_0.gguf", fill=2)
    ini = home / settings / "nomic.ai" / "GPT4All.ini"
    ini.parent.mkdir(parents=True)
    ini.write_text(f"[General]\ndevice=Auto\nmodelPath={str(elsewhere).replace('é', chr(92) + 'xe9')}/\n")
    found = listed(library, Place(home, {}, system))
    assert {name: model.source for name, model in found.items()} == {"tiny.Q4_0": "gpt4all", "far.Q4_0": "gpt4all"}


@pytest.mark.parametrize(
    ("written", "meant"),
    [(r"\xd83d\xde00 far", "\U0001f600 far"), (r"lone \xd800", "lone \ufffd"), (r"no \xdcff text", "no \ufffd text")],
)
def test_the_settings_of_gpt4all_name_a_folder_in_units_of_utf_16(
    library: Library, home: Path, tmp_path: Path, written: str, meant: str
) -> None:
    small_model(tmp_path / meant / "far.Q4_0.gguf")
    ini = home / ".config" / "nomic.ai" / "GPT4All.ini"
    ini.parent.mkdir(parents=True)
    ini.write_text(f"[General]\nmodelPath={tmp_path}/{written}\n")
    assert list(listed(library, Place(home, {}, "linux"))) == ["far.Q4_0"]


def test_ollama_names_a_blob_as_ollama_does(library: Library, home: Path, tmp_path: Path) -> None:
    models = home / ".ollama" / "models"
    usual = "registry.ollama.ai/library/llama3/8b"
    tiny = small_model(tmp_path / "tiny.gguf", general__file_type=15)
    digest = add_to_ollama(models, usual, tiny)
    add_to_ollama(models, "registry.ollama.ai/me/own/latest", small_model(tmp_path / "own.gguf", fill=1))
    add_to_ollama(models, "hf.co/a/b-GGUF/Q4_K_M", small_model(tmp_path / "hub.gguf", fill=2))
    found = listed(library, Place(home, {}, "linux"))
    assert set(found) == {"llama3:8b", "me/own:latest", "hf.co/a/b-GGUF:Q4_K_M"}
    model = library.find("llama3:8b")
    assert (model.name, model.source, model.sha256, model.quantization) == ("llama3:8b", "ollama", digest, "Q4_K_M")
    assert Path(model.path).name == f"sha256-{digest}"


def test_ollama_manifests_that_lie_are_harmless(library: Library, home: Path, tmp_path: Path) -> None:
    outside = small_model(tmp_path / "outside.gguf")
    models = home / ".ollama" / "models"
    good = models / "manifests" / "registry.ollama.ai" / "library" / "x"
    good.mkdir(parents=True)
    (models / "blobs").mkdir()
    kind = "application/vnd.ollama.image.model"
    for number, digest in enumerate((f"sha256:../../{outside}", "sha256:" + "g" * 64, 5, None, "sha256:" + "0" * 64)):
        (good / f"t{number}").write_text(json.dumps({"layers": [{"mediaType": kind, "digest": digest}]}))
    (good / "deep").write_text("[" * 100_000)
    (good / "list").write_text("[]")
    assert listed(library, Place(home, {}, "linux")) == {}


def test_names_of_another_program_are_one_line(library: Library, home: Path, tmp_path: Path) -> None:
    name = "a\nb\x1b[2J"
    add_to_ollama(home / ".ollama" / "models", f"registry.ollama.ai/library/{name}/t", small_model(tmp_path / "t.gguf"))
    small_model(home / ".lmstudio" / "models" / name / name / "c.gguf", fill=1)
    for model in listed(library, Place(home, {}, "linux")).values():
        assert (model.id + model.name + model.model_id).isprintable()
        assert library.find(model.id) == model


def test_ollama_where_its_variable_says(home: Path, tmp_path: Path) -> None:
    place = Place(home, {"OLLAMA_MODELS": f'"{tmp_path / "o"}"'}, "win32")
    assert roots("ollama", place) == (tmp_path / "o", home / ".ollama" / "models")


def test_the_hub_cache_knows_repository_commit_and_checksum(library: Library, home: Path, tmp_path: Path) -> None:
    hub = home / ".cache" / "huggingface" / "hub"
    tiny = small_model(tmp_path / "tiny.gguf")
    link = add_to_cache(hub, "owner/Tiny-GGUF", "Tiny-Q4_K_M.gguf", tiny)
    git = add_to_cache(
        hub, "owner/Small", "sub/small-Q8_0.gguf", small_model(tmp_path / "s.gguf", fill=1), etag="a" * 40
    )
    add_to_cache(hub, "owner/Text", "README.md", tiny)
    (hub / "models--owner--Empty").mkdir()
    found = listed(library, Place(home, {}, "linux"))
    assert set(found) == {"owner/Tiny-GGUF:Q4_K_M", "owner/Small:Q8_0"}
    model = found["owner/Tiny-GGUF:Q4_K_M"]
    assert (model.path, model.source, model.revision) == (str(link), "huggingface", COMMIT)
    assert model.sha256 == hashlib.sha256(tiny.read_bytes()).hexdigest()
    assert (found["owner/Small:Q8_0"].path, found["owner/Small:Q8_0"].sha256) == (str(git), "")
    assert found["owner/Small:Q8_0"].file == "sub/small-Q8_0.gguf"


def test_the_hub_cache_lists_a_blob_of_two_commits_once(library: Library, home: Path, tmp_path: Path) -> None:
    hub = home / ".cache" / "huggingface" / "hub"
    link = add_to_cache(hub, "owner/Tiny-GGUF", "Tiny-Q4_K_M.gguf", small_model(tmp_path / "tiny.gguf"))
    older = link.parents[1] / ("f" * 40)
    older.mkdir()
    (older / link.name).symlink_to(link.resolve())
    assert len(listed(library, Place(home, {}, "linux"))) == 1


@pytest.mark.parametrize(
    ("environment", "folder"),
    [
        ({}, ".cache/huggingface/hub"),
        ({"XDG_CACHE_HOME": "{home}/xdg"}, "xdg/huggingface/hub"),
        ({"HF_HOME": "{home}/hf"}, "hf/hub"),
        ({"HF_HOME": "{home}/hf", "HF_HUB_CACHE": "~/direct"}, "direct"),
    ],
)
def test_where_the_hub_cache_is(home: Path, environment: dict[str, str], folder: str) -> None:
    place = Place(home, {name: value.format(home=home) for name, value in environment.items()}, "linux")
    assert roots("huggingface", place) == (home / folder,)


def test_a_file_of_the_catalog_that_another_program_has_needs_no_download(library: Library, home: Path) -> None:
    catalog = tiny_catalog()
    models = home / ".lmstudio" / "models" / "owner" / "tiny-GGUF"
    path = small_model(models / "tiny-Q8_0.gguf")
    library.scan(place=Place(home, {}, "linux"))
    assert ("tiny-1b", "Q8_0") in loadable(library.installed(), catalog)
    assert ("tiny-1b", "Q4_K_M") not in loadable(library.installed(), catalog)
    model = library.resolve("tiny-1b:Q8_0", catalog)
    assert isinstance(model, InstalledModel)
    assert model.path == str(path)
    path.write_bytes(b"GGUF")
    assert ("tiny-1b", "Q8_0") not in loadable(library.installed(), catalog)
    assert isinstance(library.resolve("tiny-1b:Q8_0", catalog), WantedModel)


def test_a_program_that_is_switched_off_is_not_read(tmp_path: Path, home: Path) -> None:
    off: set[Source] = set()
    library = Library.open(tmp_path / "library.sqlite3", tmp_path / "models", lambda: frozenset(off))
    small_model(home / ".lmstudio" / "models" / "a" / "b" / "c.gguf")
    place = Place(home, {}, "linux")
    assert set(listed(library, place)) == {"a/b"}
    off.add("lm-studio")
    assert [model.bundled for model in library.installed()] == [True], "at once, without a scan"
    assert listed(library, place) == {}
    off.clear()
    assert set(listed(library, place)) == {"a/b"}
    library.close()


def test_nothing_of_another_program_is_ours_to_remove_or_touched(library: Library, home: Path, tmp_path: Path) -> None:
    add_to_ollama(home / ".ollama" / "models", "registry.ollama.ai/library/x/latest", small_model(tmp_path / "t.gguf"))
    add_to_cache(home / ".cache" / "huggingface" / "hub", "a/b", "c.gguf", small_model(tmp_path / "u.gguf", fill=1))
    small_model(home / ".lmstudio" / "models" / "d" / "e" / "f.gguf", fill=2)
    before = {path: path.lstat().st_mtime_ns for path in home.rglob("*")}
    models = listed(library, Place(home, {}, "linux"))
    assert len(models) == 3
    assert not any(model.ours_to_remove for model in models.values())
    assert {path: path.lstat().st_mtime_ns for path in home.rglob("*")} == before
