"""Of the quantizations of one model the words are fetched once; what is said of each is what its own file says."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from desktop.catalog import same_words
from desktop.catalog.hub import Hub
from desktop.catalog.remote_header import RemoteHeader, RemoteHeaders
from desktop.catalog.same_words import EDGE, MOST_KEPT, SPARE, Layout, Layouts
from desktop.errors import AppError
from desktop.gguf.header import read_header
from desktop.gguf.stub import stub_of_file
from tests.support.gguf_writer import Tensor, dense_model, write_gguf
from tests.support.hub_server import DEFAULT_COMMIT, Fault, HubServer
from tests.support.hub_values import ServedFile

REPO = "owner/model-GGUF"
KINDS = ("q4_K", "q5_K", "q6_K", "q8_0", "f16")
WORDS = [f"word {index:06d}" for index in range(60_000)]
MERGES = [f"wor d{index:06d}" for index in range(30_000)]


def written(
    path: Path, kind: str, *, first: dict[str, Any] | None = None, last: dict[str, Any] | None = None,
    words: list[str] = WORDS, missing: int = 0,
) -> Path:  # fmt: skip
    """A model with `first` before its words and `last` behind them, as the quantizer adds what it did."""
    metadata, tensors = dense_model(n_layer=8, n_embd=256, vocab=len(words), kind=kind)
    metadata.pop("llama.vocab_size")
    whole = {
        **metadata,
        **(first or {}),
        "tokenizer.ggml.tokens": words,
        "tokenizer.ggml.bos_token_id": 1,
        "tokenizer.ggml.merges": MERGES,
        "tokenizer.chat_template": "{{ messages }}" * 300,
        **(last or {}),
    }
    return write_gguf(path, whole, tensors, missing=missing)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> dict[str, ServedFile]:
    """One model in every kind, as it is served; written and hashed once."""
    folder = tmp_path_factory.mktemp("models")
    with HubServer() as hub:
        for kind in KINDS:
            last = {"quantize.imatrix.file": f"a/longer/path/for/{kind}.dat"} if kind == "q5_K" else None
            hub.add(REPO, f"m-{kind}.gguf", written(folder / f"{kind}.gguf", kind, last=last))
        return hub.repositories[REPO].files


@pytest.fixture
def server(served: dict[str, ServedFile]) -> Iterator[HubServer]:
    with HubServer() as hub:
        hub.send_buffer = 16 << 10
        for name, file in served.items():
            hub.add_served(REPO, name, file)
        yield hub


def read(server: HubServer, *files: str, one_by_one: bool = False) -> list[RemoteHeader]:
    """What is read of the files; side by side, as for a page."""

    async def work() -> list[RemoteHeader]:
        async with RemoteHeaders(Hub(server.endpoint, environment={})) as headers:
            asked = [headers.read(repo=REPO, commit=DEFAULT_COMMIT, file=file) for file in files]
            return [await each for each in asked] if one_by_one else list(await asyncio.gather(*asked))

    return asyncio.run(work())


def assert_as_its_file(server: HubServer, file: str, found: RemoteHeader) -> None:
    local = read_header(server.repositories[REPO].files[file].path)
    remote = found.header
    assert (remote.metadata, remote.tensors, remote.entries) == (local.metadata, local.tensors, local.entries)
    assert (remote.file_size, remote.data_offset) == (local.file_size, local.data_offset)


ALL = tuple(f"m-{kind}.gguf" for kind in KINDS)


@pytest.mark.parametrize("one_by_one", [True, False])
def test_the_words_of_a_repository_are_fetched_once(server: HubServer, one_by_one: bool) -> None:
    found = read(server, *ALL, one_by_one=one_by_one)
    for file, header in zip(ALL, found, strict=True):
        assert_as_its_file(server, file, header)
    first, *others = sorted((header.fetched for header in found), reverse=True)
    words = len(WORDS) * 19 + len(MERGES) * 19
    assert first > words
    for fetched in others:
        assert fetched < 2 * EDGE + SPARE + 40_000
    assert sum(others) < first


def test_what_the_engine_plans_with_is_that_of_the_file(server: HubServer) -> None:
    async def work() -> Any:
        async with RemoteHeaders(Hub(server.endpoint, environment={})) as headers:
            await headers.read_model(repo=REPO, commit=DEFAULT_COMMIT, file=ALL[0])
            return await headers.read_model(repo=REPO, commit=DEFAULT_COMMIT, file=ALL[3])

    model = asyncio.run(work())
    path = server.repositories[REPO].files[ALL[3]].path
    assert model.fetched < 200_000
    assert model.stub == stub_of_file(path, read_header(path))


def replaced(server: HubServer, tmp_path: Path, **changes: Any) -> str:
    server.add(REPO, "other.gguf", written(tmp_path / "other.gguf", "q6_K", **changes))
    return "other.gguf"


@pytest.mark.parametrize(
    "changes",
    [
        {"words": [f"wort {index:06d}" for index in range(60_000)]},
        {"words": WORDS[:-7]},
        {"first": {"general.name": "a name that moves all that follows"}},
        {"last": {"quantize.note": "x" * 2 * SPARE}},
    ],
    ids=["other words", "fewer words", "at another place", "much behind the words"],
)
def test_a_file_with_other_words_is_read_whole(server: HubServer, tmp_path: Path, changes: dict[str, Any]) -> None:
    other = replaced(server, tmp_path, **changes)
    found = read(server, ALL[0], other, one_by_one=True)
    assert_as_its_file(server, other, found[1])
    assert found[1].fetched > 1_000_000


@pytest.mark.parametrize("changes", [{"words": WORDS[:-7]}, {"last": {"quantize.note": "x" * 2 * SPARE}}])
def test_what_came_in_vain_is_counted_too(server: HubServer, tmp_path: Path, changes: dict[str, Any]) -> None:
    other, told = replaced(server, tmp_path, **changes), list[int]()

    async def work() -> int:
        async with RemoteHeaders(Hub(server.endpoint, environment={}), on_progress=told.append) as headers:
            asked = [headers.read(repo=REPO, commit=DEFAULT_COMMIT, file=file) for file in (ALL[0], other)]
            return sum([(await each).fetched for each in asked])

    assert asyncio.run(work()) == told[-1]


def test_one_other_word_in_the_middle_changes_nothing_that_is_said(server: HubServer, tmp_path: Path) -> None:
    other = replaced(server, tmp_path, words=[*WORDS[:-1], "word x59999"])
    found = read(server, ALL[0], other, one_by_one=True)
    assert_as_its_file(server, other, found[1])
    assert found[1].fetched < 200_000


def test_each_of_several_layouts_is_remembered(server: HubServer, tmp_path: Path) -> None:
    moved: dict[str, Any] = {"first": {"general.name": "a name that moves all that follows"}}
    for name, kind in (("one.gguf", "q6_K"), ("two.gguf", "q8_0")):
        server.add(REPO, name, written(tmp_path / name, kind, **moved))
    found = read(server, ALL[0], "one.gguf", "two.gguf", ALL[1], one_by_one=True)
    assert [header.fetched > 1_000_000 for header in found] == [True, True, False, False]
    for file, header in zip((ALL[0], "one.gguf", "two.gguf", ALL[1]), found, strict=True):
        assert_as_its_file(server, file, header)


def test_a_file_that_lies_about_its_tensors_is_refused_as_if_it_was_read_whole(
    server: HubServer, tmp_path: Path
) -> None:
    other = replaced(server, tmp_path, missing=5000)
    with pytest.raises(AppError) as raised:
        read(server, ALL[0], other, one_by_one=True)
    assert other in raised.value.explain().message


def test_a_first_file_that_cannot_be_had_leaves_the_others_alone(server: HubServer) -> None:
    server.faults.append(Fault("status", status=500))

    async def work() -> list[Any]:
        async with RemoteHeaders(Hub(server.endpoint, environment={})) as headers:
            asked = [headers.read(repo=REPO, commit=DEFAULT_COMMIT, file=file) for file in ALL[:3]]
            return list(await asyncio.gather(*asked, return_exceptions=True))

    failed, *others = asyncio.run(work())
    assert isinstance(failed, AppError)
    for file, header in zip(ALL[1:3], others, strict=True):
        assert_as_its_file(server, file, header)


@pytest.mark.parametrize("kind", ["full", "wrong_range"])
def test_a_host_that_knows_no_such_parts_is_asked_in_the_usual_way(server: HubServer, kind: Any) -> None:
    async def work() -> RemoteHeader:
        async with RemoteHeaders(Hub(server.endpoint, environment={})) as headers:
            await headers.read(repo=REPO, commit=DEFAULT_COMMIT, file=ALL[0])
            server.faults.append(Fault(kind))
            return await headers.read(repo=REPO, commit=DEFAULT_COMMIT, file=ALL[1])

    found = asyncio.run(work())
    assert_as_its_file(server, ALL[1], found)
    assert found.fetched > 1_000_000


def test_few_headers_are_kept_in_memory() -> None:
    layouts = Layouts()
    for index in range(MOST_KEPT + 3):
        layouts.keep(f"owner/{index}", Layout(bytes(10), (2, 8)))
    assert not layouts.of("owner/0")
    assert layouts.of(f"owner/{MOST_KEPT + 2}")


def test_few_words_are_read_as_they_are(tmp_path: Path) -> None:
    metadata, tensors = dense_model(n_layer=2, n_embd=256, vocab=200)
    metadata["tokenizer.ggml.tokens"] = ["a"] * 200
    path = write_gguf(tmp_path / "m.gguf", metadata, [*tensors, Tensor("extra", (32,))])
    assert same_words.layout_of(read_header(path), path.read_bytes()) is None
