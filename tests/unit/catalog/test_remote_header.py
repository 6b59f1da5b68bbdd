"""A header is read over the network without the weights behind it, from a real server that counts what it gave away."""

import asyncio
import io
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from desktop.catalog import remote_header
from desktop.catalog.hub import Hub
from desktop.catalog.hub_errors import (
    AddressExpired,
    HubAccessDenied,
    HubBusy,
    HubFileMissing,
    HubUnreachable,
    OddAnswer,
    OfflineSwitchOn,
    PageInstead,
    RangesNotServed,
)
from desktop.catalog.remote_header import RemoteHeader, RemoteHeaders, RemoteModel
from desktop.errors import AppError
from desktop.gguf.errors import CorruptGguf, NotAGguf, TruncatedGguf
from desktop.gguf.header import parse_header, read_header
from desktop.gguf.stub import stub_of_file
from tests.support.gguf_writer import dense_model, header_bytes, text_bytes, write_gguf
from tests.support.hub_server import DEFAULT_COMMIT, Fault, HubServer
from tests.support.hubs import hub_at
from tests.support.remote_models import FILE, REPO, serve_split, write_large, write_split

MIB = 1 << 20
pytestmark = pytest.mark.asyncio


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    path = tmp_path_factory.mktemp("large") / FILE
    return path, write_large(path)


@pytest.fixture
def server(large: tuple[Path, int]) -> Iterator[HubServer]:
    with HubServer() as hub:
        hub.send_buffer = 16 << 10
        hub.add(REPO, FILE, large[0])
        yield hub


def hub_of(server: HubServer, token: str | None = None, *, offline: bool = False) -> Hub:
    return hub_at(server.endpoint, token, offline=offline)


async def read(server: HubServer, *, file: str = FILE, token: str | None = None) -> RemoteHeader:
    async with RemoteHeaders(hub_of(server, token)) as headers:
        return await headers.read(repo=REPO, commit=DEFAULT_COMMIT, file=file)


async def read_model(server: HubServer, file: str) -> RemoteModel:
    async with RemoteHeaders(hub_of(server)) as headers:
        return await headers.read_model(repo=REPO, commit=DEFAULT_COMMIT, file=file)


async def sent_in_the_end(server: HubServer) -> int:
    """Bytes that the server gave away, once it has noticed that nobody reads any more."""
    return (await asyncio.to_thread(server.settled)).bytes_sent


async def test_hardly_more_than_the_header_is_fetched(server: HubServer, large: tuple[Path, int]) -> None:
    path, length = large
    assert 5 * MIB < length < 7 * MIB
    assert path.stat().st_size > 100_000_000
    found = await read(server)
    local = read_header(path)
    assert (found.header.metadata, found.header.tensors) == (local.metadata, local.tensors)
    assert found.header.file_size == path.stat().st_size
    assert length - 32 <= found.fetched <= length + MIB
    assert found.fetched <= await sent_in_the_end(server) <= length + MIB
    assert len(server.of("cdn")) == 1
    assert server.of("cdn")[0].range == "bytes=0-"


async def test_the_stub_is_that_of_the_file(server: HubServer, large: tuple[Path, int]) -> None:
    model = await read_model(server, FILE)
    assert model.stub == stub_of_file(large[0], read_header(large[0]))
    assert len(model.stub.head) < 40_000
    assert model.size == large[0].stat().st_size


async def test_the_token_stays_with_the_hub(server: HubServer) -> None:
    server.gate(REPO, "hf_secret")
    await read(server, token="hf_secret")
    assert [request.authorization for request in server.requests] == ["Bearer hf_secret", None]


async def test_progress_is_told_over_all_files(server: HubServer, tmp_path: Path) -> None:
    first = serve_split(server, write_split(tmp_path))
    told: list[int] = []
    async with RemoteHeaders(hub_of(server), on_progress=told.append) as headers:
        model = await headers.read_model(repo=REPO, commit=DEFAULT_COMMIT, file=first)
    assert told == sorted(told)
    assert told[-1] == model.fetched


async def test_a_split_model_is_read_shard_by_shard(server: HubServer, tmp_path: Path, large: tuple[Path, int]) -> None:
    paths = write_split(tmp_path)
    model = await read_model(server, serve_split(server, paths))
    headers = [read_header(path) for path in paths]
    assert model.stub == stub_of_file(paths[0], headers[0], shards=headers[1:])
    assert model.size == sum(path.stat().st_size for path in paths)
    combined = parse_header(io.BytesIO(model.stub.head), size=model.stub.size, name="stub")
    assert [tensor.name for tensor in combined.tensors] == [tensor.name for tensor in read_header(large[0]).tensors]
    assert model.fetched <= large[1] + 3 * MIB


async def test_shards_that_do_not_belong_together_are_refused(server: HubServer, tmp_path: Path) -> None:
    first = serve_split(server, write_split(tmp_path, stated=7))
    with pytest.raises(CorruptGguf, match="states 7 shards, and by its name it has 3"):
        await read_model(server, first)


async def test_a_shard_that_is_missing_is_named(server: HubServer, tmp_path: Path) -> None:
    first = serve_split(server, write_split(tmp_path)[:2])
    with pytest.raises(HubFileMissing, match="00003-of-00003"):
        await read_model(server, first)


@pytest.mark.parametrize("name", ["m-00001-of-99999.gguf", "m-00001-of-00513.gguf"])
async def test_a_name_that_promises_countless_shards_is_refused(server: HubServer, name: str) -> None:
    with pytest.raises(CorruptGguf, match="shards"):
        await read_model(server, name)
    assert not server.requests


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault("full"), RangesNotServed),
        (Fault("page"), PageInstead),
        (Fault("wrong_range"), OddAnswer),
        (Fault("truncate"), OddAnswer),
        (Fault("cut", at=2 * MIB), HubUnreachable),
        (Fault("reset", at=2 * MIB), HubUnreachable),
        (Fault("flip", at=8), CorruptGguf),
        (Fault("flip", at=1), NotAGguf),
        (Fault("status", status=500), HubUnreachable),
        (Fault("status", status=429, seconds=9), HubBusy),
    ],
    ids=lambda value: f"{value.kind}-{value.at or value.status}" if isinstance(value, Fault) else value.__name__,
)
async def test_an_odd_answer_is_refused_at_once(server: HubServer, fault: Fault, error: type[AppError]) -> None:
    server.faults.append(fault)
    with pytest.raises(error) as raised:
        await read(server)
    message, hint = raised.value.explain()
    assert message
    assert hint
    assert len(server.of("cdn")) == 1, "nothing is tried again without a word"
    if fault.kind == "full":
        assert await sent_in_the_end(server) < 4 * MIB


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault("status", status=404), HubFileMissing),
        (Fault("status", status=401), HubAccessDenied),
        (Fault("status", status=403), HubAccessDenied),
        (Fault("status", status=429, seconds=7), HubBusy),
        (Fault("page"), PageInstead),
    ],
    ids=lambda value: f"{value.kind}-{value.status}" if isinstance(value, Fault) else value.__name__,
)
async def test_a_refusal_of_the_hub_itself_is_explained(server: HubServer, fault: Fault, error: type[AppError]) -> None:
    server.hub_faults.append(fault)
    with pytest.raises(error) as raised:
        await read(server)
    assert len(server.requests) == 1
    if error is HubBusy:
        assert raised.value.arguments["seconds"] == 7


async def test_a_redirect_without_end_is_given_up(server: HubServer) -> None:
    server.hub_faults.extend([Fault("loop")] * 20)
    with pytest.raises(OddAnswer, match="without end"):
        await read(server)
    assert len(server.requests) == 5


async def test_an_expired_address_is_asked_for_once_more(server: HubServer) -> None:
    server.faults.append(Fault("status", status=403))
    assert (await read(server)).header.architecture == "llama"
    assert (len(server.of("hub")), len(server.of("cdn"))) == (2, 2)


async def test_an_address_that_stays_expired_is_an_error(server: HubServer) -> None:
    server.faults.extend([Fault("status", status=403)] * 5)
    with pytest.raises(AddressExpired):
        await read(server)
    assert (len(server.of("hub")), len(server.of("cdn"))) == (2, 2)


async def test_a_page_under_the_name_of_a_model_is_no_model(server: HubServer, tmp_path: Path) -> None:
    page = tmp_path / "page.gguf"
    page.write_bytes(b"<html>Welcome to our hotel</html>" * 1000)
    server.add(REPO, "page.gguf", page)
    with pytest.raises(NotAGguf, match=f"{REPO}/page.gguf"):
        await read(server, file="page.gguf")


async def test_a_header_that_never_ends_is_not_followed(server: HubServer, tmp_path: Path) -> None:
    endless = tmp_path / "endless.gguf"
    with endless.open("wb") as stream:
        # An array of four million texts, each of which is empty: zeros without end.
        stream.write(header_bytes({}, [])[:16] + (1).to_bytes(8, "little"))
        stream.write(text_bytes("tokenizer.ggml.tokens") + b"\x09\0\0\0\x08\0\0\0" + (1 << 22).to_bytes(8, "little"))
        stream.write((200 * MIB).to_bytes(8, "little"))
        stream.truncate(1000 * MIB)
    server.add(REPO, "endless.gguf", endless)
    with pytest.raises(CorruptGguf, match="goes on beyond"):
        await read(server, file="endless.gguf")
    assert await sent_in_the_end(server) < 2 * MIB


async def test_a_file_that_ends_in_its_header_is_incomplete(server: HubServer, tmp_path: Path) -> None:
    short = tmp_path / "short.gguf"
    short.write_bytes(header_bytes(*dense_model())[:500])
    server.add(REPO, "short.gguf", short)
    with pytest.raises(TruncatedGguf):
        await read(server, file="short.gguf")


async def test_giving_up_closes_the_connection(server: HubServer) -> None:
    server.held_from = MIB  # in the middle of the header
    reading = asyncio.create_task(read(server))
    while not server.bytes_sent:
        await asyncio.sleep(0.02)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert await sent_in_the_end(server) < 3 * MIB


async def test_a_connection_on_which_nothing_comes_is_given_up(
    server: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote_header, "STALL", 0.5)
    server.faults.append(Fault("stall", at=MIB))
    with pytest.raises(HubUnreachable, match="time-out"):
        await read(server)
    assert len(server.of("cdn")) == 1


@pytest.mark.parametrize("location", ["http://cdn.example/x", "ftp://cdn.example/x", "file:///etc/passwd"])
async def test_a_redirect_that_leaves_encryption_is_refused(location: str) -> None:
    with pytest.raises(OddAnswer, match="out of encryption"):
        remote_header._next_address(httpx2.URL("https://hub.example/a/b"), location, "a/b")


async def test_when_one_shard_fails_the_others_are_given_up(server: HubServer, tmp_path: Path) -> None:
    paths = write_split(tmp_path)
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"no model at all" * 10)
    first = serve_split(server, paths)
    server.add(REPO, paths[2].name, broken)
    server.held_from = MIB  # the first shard does not end
    with pytest.raises(NotAGguf):
        await read_model(server, first)
    assert await sent_in_the_end(server) < 5 * MIB


async def test_nothing_is_sent_while_the_network_is_switched_off(server: HubServer) -> None:
    async with RemoteHeaders(hub_of(server, offline=True)) as headers:
        with pytest.raises(OfflineSwitchOn):
            await headers.read(repo=REPO, commit=DEFAULT_COMMIT, file=FILE)
    assert not server.requests


async def test_switching_the_network_off_ends_what_is_under_way(server: HubServer) -> None:
    received = list[int]()
    hub = Hub(server.endpoint, offline=lambda: bool(received), environment={})
    async with RemoteHeaders(hub, on_progress=received.append) as headers:
        with pytest.raises(OfflineSwitchOn):
            await headers.read(repo=REPO, commit=DEFAULT_COMMIT, file=FILE)
    assert await sent_in_the_end(server) < 3 * MIB


async def test_a_small_file_is_read_to_its_end(server: HubServer, tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "small.gguf", *dense_model(n_layer=1, n_embd=64, n_ff=64, vocab=32))
    server.add(REPO, "small.gguf", path)
    found = await read(server, file="small.gguf")
    assert found.header.tensors == read_header(path).tensors


@pytest.fixture
def silent_names(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[threading.Thread]]:
    """A name server that does not answer about slow.example; the threads in which it was asked."""
    real, answered, asked = socket.getaddrinfo, threading.Event(), list[threading.Thread]()

    def look_up(host: Any, *arguments: Any, **options: Any) -> Any:
        if host not in ("slow.example", b"slow.example"):
            return real(host, *arguments, **options)
        asked.append(threading.current_thread())
        answered.wait(60)
        raise socket.gaierror("nobody knows")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    yield asked
    answered.set()
    for thread in asked:
        thread.join(10)


@pytest.mark.parametrize(("variable", "value"), [("NO_PROXY", "localhost"), ("no_proxy", "*")])
async def test_exceptions_from_a_proxy_that_is_not_set_are_no_proxy(
    server: HubServer,
    silent_names: list[threading.Thread],
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
    value: str,
) -> None:
    monkeypatch.setenv(variable, value)
    monkeypatch.setattr(server, "cdn", "http://slow.example")
    monkeypatch.setattr(remote_header, "_CONNECT", 2.0)
    with pytest.raises(HubUnreachable, match="time-out"):
        await read(server)
    assert [thread.name for thread in silent_names] == ["look-up of slow.example"]


@pytest.mark.parametrize("cancelled", [True, False])
async def test_a_name_server_that_is_silent_does_not_keep_the_program_from_ending(
    server: HubServer, silent_names: list[threading.Thread], monkeypatch: pytest.MonkeyPatch, cancelled: bool
) -> None:
    monkeypatch.setattr(server, "cdn", "http://slow.example")
    monkeypatch.setattr(remote_header, "_CONNECT", 60.0 if cancelled else 2.0)
    reading = asyncio.ensure_future(read(server))
    while not silent_names and not reading.done():
        await asyncio.sleep(0.01)
    if cancelled:
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
    else:
        with pytest.raises(HubUnreachable, match="time-out"):
            await reading
    assert [thread.daemon for thread in silent_names] == [True]
    assert silent_names[0].is_alive()
