"""A model is checked against what its publisher says, else against its own header; copies of one content are named."""

import hashlib
import os
import sys
import threading
from pathlib import Path

import msgspec
import pytest

from desktop.catalog.hub import HubFile
from desktop.gguf.errors import CorruptGguf, TruncatedGguf
from desktop.library.duplicates import find_duplicates
from desktop.library.errors import ModelFileDamaged, ModelFileGone, ModelFileTruncated
from desktop.library.importing import import_model
from desktop.library.library import Library
from desktop.library.stores.place import Place
from desktop.library.types import InstalledModel
from desktop.library.verification import ContentWrong, verify_model
from desktop.library.work import Stopped, Work
from tests.support.gguf_writer import Metadata, write_filled_gguf
from tests.support.model_files import small_model, split_model


def download(library: Library, *, sha256: str = "") -> InstalledModel:
    path = small_model(library.destination(repo="owner/tiny-GGUF", file="tiny-Q8_0.gguf"))
    right = hashlib.sha256(path.read_bytes()).hexdigest()
    model = library.register(path=path, model_id="tiny-1b", quantization="Q8_0")
    return library.save(msgspec.structs.replace(model, sha256=sha256 or right))


def test_the_content_is_what_the_publisher_says(library: Library) -> None:
    model = download(library)
    told: list[tuple[int, int]] = []
    verified = verify_model(library, model, Work(on_progress=lambda done, total: told.append((done, total))))
    assert (verified.proof, verified.sha256, verified.model) == ("sha256", model.sha256, model)
    assert told[-1] == (model.size, model.size)


def test_a_file_that_came_anew_under_one_of_its_names_is_right_under_the_other(library: Library) -> None:
    place = library.destination(repo="owner/tiny-GGUF", file="tiny-Q8_0.gguf")
    for number, model_id in enumerate(("owner/tiny-GGUF", "tiny-1b")):
        path = small_model(place, name="A name that gets longer " * number)
        library.register(path=path, model_id=model_id, quantization="Q8_0", files=(hub_file(path),))
    entries = [library.entry(f"{model_id}:Q8_0") for model_id in ("owner/tiny-GGUF", "tiny-1b")]
    assert [entry.condition for entry in entries] == ["ready", "ready"]
    assert [verify_model(library, entry).proof for entry in entries] == ["sha256", "sha256"]


def test_a_flipped_byte_is_found_and_remembered(library: Library) -> None:
    model = download(library)
    path = Path(model.path)
    time = path.stat().st_mtime_ns
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(time, time))
    assert library.find(model.id).condition == "ready", "size and time are as they were"
    with pytest.raises(ContentWrong):
        verify_model(library, model)
    assert library.entry(model.id).condition == "damaged"
    with pytest.raises(ModelFileDamaged):
        library.find(model.id)


def test_a_file_that_was_only_touched_is_used_again_after_a_check(library: Library) -> None:
    model = download(library)
    os.utime(model.path, ns=(1, 10**18))
    assert library.entry(model.id).condition == "changed"
    assert verify_model(library, library.entry(model.id)).model.condition == "ready"
    assert library.find(model.id).condition == "ready"


def test_without_a_checksum_the_structure_is_checked(library: Library, tmp_path: Path) -> None:
    model = import_model(library, split_model(tmp_path / "Downloads")[0]).model
    assert verify_model(library, model).proof == "structure"
    third = Path(model.path.replace("00001-of", "00003-of"))
    os.truncate(third, third.stat().st_size - 10)
    with pytest.raises(TruncatedGguf):
        verify_model(library, model)
    with pytest.raises(ModelFileTruncated):
        library.find(model.id)


def part(path: Path, number: int, count: int, tensors: int) -> None:
    small_model(path, split__no=number, split__count=count, split__tensors__count=tensors)


@pytest.mark.parametrize(("number", "count", "tensors"), [(0, 2, 2), (1, 3, 2), (1, 2, 5)])
def test_a_file_of_another_model_among_the_parts_is_found(
    library: Library, tmp_path: Path, number: int, count: int, tensors: int
) -> None:
    first, second = (tmp_path / f"large-Q8_0-{one:05d}-of-00002.gguf" for one in (1, 2))
    part(first, 0, 2, 2)
    part(second, 1, 2, 2)
    model = import_model(library, first).model
    assert verify_model(library, model).proof == "structure"
    part(second, number, count, tensors)
    with pytest.raises(CorruptGguf):
        verify_model(library, library.entry(model.id))
    assert library.entry(model.id).condition == "damaged"


def test_a_split_model_may_have_no_tensors_in_its_first_file(library: Library, place: Place, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    architecture: Metadata = {
        "general.architecture": "llama",
        "llama.block_count": 1,
    }  # llama-gguf-split --no-tensor-first-split
    write_filled_gguf(folder / "large-00001-of-00002.gguf", architecture, [], [])
    small_model(folder / "large-00002-of-00002.gguf")
    library.found.add_folder(folder)
    library.scan(place=place)
    assert library.find("large-00001-of-00002").is_ready
    assert import_model(library, folder / "large-00002-of-00002.gguf").outcome == "already_there"


def test_the_starter_and_a_file_named_by_its_path_can_be_checked(library: Library, tmp_path: Path) -> None:
    assert verify_model(library, library.installed()[0]).proof == "structure"
    path = small_model(tmp_path / "m.gguf")
    assert verify_model(library, library.find(str(path))).proof == "structure"
    assert [model.bundled for model in library.installed()] == [True]


def test_every_shard_of_a_downloaded_model_is_what_the_hub_says(library: Library) -> None:
    folder = library.destination(repo="owner/large-GGUF", file="large-Q8_0-00001-of-00003.gguf").parent
    shards = split_model(folder)
    files = [hub_file(shard) for shard in shards]
    model = library.register(path=shards[0], model_id="large", quantization="Q8_0", files=files)
    told: list[tuple[int, int]] = []
    verified = verify_model(library, model, Work(on_progress=lambda done, total: told.append((done, total))))
    assert (verified.proof, verified.sha256) == ("sha256", files[0].sha256)
    assert told[-1] == (model.size, model.size)
    content = bytearray(shards[2].read_bytes())
    content[-1] ^= 1
    shards[2].write_bytes(content)
    with pytest.raises(ContentWrong, match="00003-of-00003"):
        verify_model(library, model)
    assert library.entry(model.id).condition == "damaged"
    library.forget(model)
    assert library.database.read("SELECT * FROM shards") == []


def hub_file(path: Path) -> HubFile:
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    size = path.stat().st_size
    return HubFile(repo="owner/large-GGUF", file=path.name, revision="c" * 40, size=size, sha256=sha256, url="")


@pytest.mark.skipif(sys.platform == "win32", reason="the cache has links")
def test_shards_in_the_hugging_face_cache_are_compared_with_the_names_of_their_blobs(
    library: Library, place: Place, tmp_path: Path
) -> None:
    cache = place.home / ".cache" / "huggingface" / "hub" / "models--owner--large-GGUF"
    snapshot, blobs = cache / "snapshots" / ("c" * 40), cache / "blobs"
    snapshot.mkdir(parents=True)
    blobs.mkdir()
    for number, shard in enumerate(split_model(tmp_path / "made")):
        shard.write_bytes(shard.read_bytes()[:-1] + bytes([number]))  # else they are one blob
        blob = blobs / hashlib.sha256(shard.read_bytes()).hexdigest()
        (snapshot / shard.name).symlink_to(shard.rename(blob))
    library.scan(place=place)
    [model] = [each for each in library.installed() if each.source == "huggingface"]
    assert verify_model(library, model).proof == "sha256"
    second = snapshot / "large-Q8_0-00002-of-00003.gguf"
    second.write_bytes(second.read_bytes()[:-1] + b"x")
    with pytest.raises(ContentWrong, match="00002-of-00003"):
        verify_model(library, model)


def test_what_is_gone_cannot_be_checked(library: Library) -> None:
    model = download(library)
    Path(model.path).unlink()
    with pytest.raises(ModelFileGone):
        verify_model(library, model)


def test_a_cancelled_check_finds_nothing_wrong(library: Library) -> None:
    model = download(library)
    stop = threading.Event()
    stop.set()
    with pytest.raises(Stopped):
        verify_model(library, model, Work(stop=stop))
    assert library.find(model.id) == model


def test_duplicates_are_listed_and_read_once(library: Library, place: Place, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    for name in ("a", "sub/b", "c"):
        small_model(folder / f"{name}.gguf", fill=1)
    small_model(folder / "other.gguf", fill=2)
    os.link(folder / "a.gguf", folder / "the-same-file.gguf")
    split_model(folder / "x")
    split_model(folder / "y")
    library.found.add_folder(folder)
    library.scan(place=place)
    groups, left_out = find_duplicates(library)
    assert left_out == ()
    names = [{Path(model.path).name for model in group.models} for group in groups]
    assert [len(each) for each in names] == [1, 3]
    assert names[1] >= {"b.gguf", "c.gguf"}
    kept = library.database.read("SELECT path, sha256 FROM digests ORDER BY path")
    assert len(kept) == 5
    assert (str(folder / "c.gguf"), hashlib.sha256((folder / "c.gguf").read_bytes()).hexdigest()) in kept
    assert find_duplicates(library).groups == groups
    assert library.database.read("SELECT path, sha256 FROM digests ORDER BY path") == kept
    assert (folder / "c.gguf").exists()


def test_files_of_one_size_that_differ_are_not_duplicates(library: Library, place: Place, tmp_path: Path) -> None:
    for number in range(4):
        small_model(tmp_path / "mine" / f"{number}.gguf", fill=number)
    library.found.add_folder(tmp_path / "mine")
    library.scan(place=place)
    assert find_duplicates(library) == ((), ())
    assert library.database.read("SELECT count(*) FROM digests") == [(0,)]


@pytest.mark.skipif(sys.platform != "linux", reason="has files that nobody can read, whoever one is")
def test_a_file_that_cannot_be_read_is_left_out_of_the_comparison(
    library: Library, place: Place, tmp_path: Path
) -> None:
    folder = tmp_path / "mine"
    for name in ("a", "b"):
        small_model(folder / f"{name}.gguf", fill=1)
    library.found.add_folder(folder)
    library.scan(place=place)
    like = library.found.all()[str(folder / "a.gguf")]
    for number, path in enumerate(("/proc/self/mem", f"/proc/self/task/{os.getpid()}/mem")):  # files of no byte
        link = folder / f"unreadable-{number}.gguf"
        link.symlink_to(path)
        library.found.save([msgspec.structs.replace(like, path=str(link), id=link.name, size=0, stamp=0)])
    (group,), left_out = find_duplicates(library)
    assert {Path(model.path).name for model in group.models} == {"a.gguf", "b.gguf"}
    assert [Path(str(phrase.arguments["path"])).name for phrase in left_out] == [
        "unreadable-0.gguf",
        "unreadable-1.gguf",
    ]
