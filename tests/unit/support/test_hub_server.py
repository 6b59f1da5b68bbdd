"""The Hub of our tests is a Hub to the real huggingface_hub."""

import asyncio
import filecmp
from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import HfApi, close_session, hf_hub_download
from huggingface_hub.errors import GatedRepoError, RemoteEntryNotFoundError, RevisionNotFoundError
from huggingface_hub.hf_api import RepoFile

from tests.support.hub_server import DEFAULT_COMMIT, HubServer
from tests.support.hubs import FILE, REPO
from tests.support.transfers import fetch, make_source


@pytest.fixture(autouse=True)
def its_own_session() -> None:
    """That of the library as it is made, without the rules that our program gives it (desktop.catalog.hub_session)."""
    close_session()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return make_source(tmp_path, size=200_000)


@pytest.fixture
def server(source: Path) -> Iterator[HubServer]:
    with HubServer() as hub:
        hub.add(REPO, FILE, source)
        yield hub


def test_its_metadata_is_understood(server: HubServer) -> None:
    api, served = HfApi(endpoint=server.endpoint, token=False), server.repositories[REPO].files[FILE]
    info = api.model_info(REPO, files_metadata=True)
    assert info.sha == DEFAULT_COMMIT
    assert info.siblings is not None
    assert info.siblings[0].lfs is not None
    assert info.siblings[0].lfs.sha256 == served.sha256
    for found in (*api.list_repo_tree(REPO, recursive=True), *api.get_paths_info(REPO, [FILE, "none"])):
        assert isinstance(found, RepoFile)
        assert found.lfs is not None
        assert (found.path, found.size, found.lfs.sha256) == (FILE, served.size, served.sha256)


def test_its_files_can_be_downloaded(server: HubServer, source: Path, tmp_path: Path) -> None:
    path = hf_hub_download(REPO, FILE, endpoint=server.endpoint, token=False, cache_dir=tmp_path / "cache")
    assert Path(path).read_bytes() == source.read_bytes()
    assert server.of("cdn"), "the bytes come from the second host"


def test_its_refusals_are_understood(server: HubServer, tmp_path: Path) -> None:
    def fetch(file: str = FILE, revision: str = "main", token: str | bool = False) -> str:
        return hf_hub_download(
            REPO, file, revision=revision, endpoint=server.endpoint, token=token, cache_dir=tmp_path / "cache"
        )

    with pytest.raises(RemoteEntryNotFoundError):
        fetch("none.gguf")
    with pytest.raises(RevisionNotFoundError):
        fetch(revision="none")
    server.gate(REPO, "hf_secret")
    with pytest.raises(GatedRepoError):
        fetch()
    assert fetch(token="hf_secret")


@pytest.mark.asyncio
async def test_what_it_holds_does_not_end_before_it_is_let_go(server: HubServer, source: Path, tmp_path: Path) -> None:
    server.held_from = 100_000
    transfer = asyncio.ensure_future(fetch(server, tmp_path / FILE))
    await asyncio.wait([transfer], timeout=1)
    assert not transfer.done()
    assert 100_000 <= server.bytes_sent < 101_000
    server.held_from = None
    assert filecmp.cmp(await transfer, source, shallow=False)
