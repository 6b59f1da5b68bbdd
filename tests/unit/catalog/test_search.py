"""Searching the Hub and listing a repository; the real huggingface_hub's session talks to a server of ours."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import HfApi

from desktop.catalog import hub_answers
from desktop.catalog.file_names import UnsafeName
from desktop.catalog.hub import Hub
from desktop.catalog.hub_errors import (
    BadEndpoint,
    HubAccessDenied,
    HubBusy,
    HubFileMissing,
    HubUnreachable,
    NotTheHubsAnswer,
    OfflineSwitchOn,
    PageInstead,
)
from desktop.catalog.hub_files import HubListing, files
from desktop.catalog.search import HUB_SORTS, LONGEST_TEXT, HubPage, HubSort, search
from desktop.errors import AppError
from tests.support.hub_server import DEFAULT_COMMIT, Fault, HubServer
from tests.support.hubs import hub_at

NOTHING: dict[str, str] = {}
BASE = "someone/Tiny-1B"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[HubServer]:
    source = tmp_path / "source.gguf"
    source.write_bytes(b"GGUF" + bytes(5000))
    with HubServer() as hub:
        for index, publisher in enumerate(("ann", "bob", "cid")):
            served = hub.add(f"{publisher}/Tiny-1B-GGUF", "tiny-Q4_K_M.gguf", source)
            hub.add_served(f"{publisher}/Other-{publisher}-GGUF", "other-Q8_0.gguf", served)
            hub.repositories[f"{publisher}/Tiny-1B-GGUF"].facts = {
                "likes": 10 * index,
                "downloads": 900 - index,
                "trendingScore": (index + 1) % 3,
                "createdAt": f"2025-0{index + 1}-01T00:00:00.000Z",
                "lastModified": f"2025-0{3 - index}-05T00:00:00.000Z",
                "tags": ["gguf", f"base_model:{BASE}", f"base_model:quantized:{BASE}", "license:apache-2.0"],
                "pipeline_tag": "text-generation",
                "gguf": {"total": 1_100_000_000, "architecture": "llama", "context_length": 4096,
                         "chat_template": "{{ messages }}"},
            }  # fmt: skip
        yield hub


def found(server: HubServer, text: str = "tiny", *, token: str | None = None, **options: Any) -> HubPage:
    return asyncio.run(search(hub_at(server.endpoint, token), text, **options))


def listed(server: HubServer, repo: str = "ann/Tiny-1B-GGUF", *, token: str | None = None) -> HubListing:
    return asyncio.run(files(hub_at(server.endpoint, token), repo))


def test_a_row_carries_what_the_list_says(server: HubServer) -> None:
    page = found(server, sort="downloads")
    first = page.repos[0]
    assert (first.repo, first.publisher, first.name) == ("ann/Tiny-1B-GGUF", "ann", "Tiny-1B")
    assert (first.likes, first.downloads, first.licence, first.base_model) == (0, 900, "Apache-2.0", BASE)
    assert (first.parameters, first.architecture, first.context) == (1_100_000_000, "llama", 4096)
    assert first.updated == pytest.approx(1741132800)
    assert (first.gated, first.private, first.task) == ("", False, "text-generation")
    assert page.left_out == 0
    assert page.cursor == ""


@pytest.mark.parametrize(
    ("sort", "order"),
    [("trending", "bac"), ("downloads", "abc"), ("likes", "cba"), ("updated", "abc"), ("created", "cba")],
)
def test_every_order_is_one_that_the_hub_has(server: HubServer, sort: HubSort, order: str) -> None:
    assert "".join(repo.publisher[0] for repo in found(server, sort=sort).repos) == order
    assert server.search.asked[0]["sort"] == [HUB_SORTS[sort]]


def test_the_hub_is_asked_as_huggingface_hub_asks_it(server: HubServer) -> None:
    theirs: dict[HubSort, Any] = {"trending": "trending_score", "updated": "last_modified", "created": "created_at"}
    api = HfApi(endpoint=server.endpoint, token=False)
    for sort in HUB_SORTS:
        ours = found(server, "tiny", sort=sort, limit=3, base_model=BASE, author="bob")
        [asked] = server.search.asked
        listed = api.list_models(
            search="tiny",
            sort=theirs.get(sort, sort),
            limit=3,
            author="bob",
            filter=["gguf", f"base_model:quantized:{BASE}"],
            expand=[
                "createdAt",
                "downloads",
                "gated",
                "gguf",
                "lastModified",
                "likes",
                "pipeline_tag",
                "private",
                "tags",
            ],
        )
        assert [repo.id for repo in listed] == [repo.repo for repo in ours.repos]
        assert server.search.asked == [asked, asked]
        server.search.asked.clear()


def test_only_repositories_with_ggufs_are_asked_for(server: HubServer) -> None:
    server.repositories["ann/Tiny-1B-GGUF"].facts["tags"] = ["safetensors"]
    assert {repo.publisher for repo in found(server).repos} == {"bob", "cid"}


def test_quantizations_of_one_model_are_found_at_every_publisher(server: HubServer) -> None:
    assert {repo.publisher for repo in found(server, "", base_model=BASE).repos} == {"ann", "bob", "cid"}
    assert found(server, "", base_model="someone/Else").repos == ()
    assert {repo.repo for repo in found(server, "", author="bob").repos} == {"bob/Tiny-1B-GGUF", "bob/Other-bob-GGUF"}


def test_pages_follow_each_other_and_never_leave_the_endpoint(server: HubServer) -> None:
    seen, cursor = list[str](), ""
    for _ in range(10):
        page = found(server, "", sort="likes", limit=2, cursor=cursor, token="hf_secret_token")
        seen += [repo.repo for repo in page.repos]
        cursor = page.cursor
        if not cursor:
            break
    assert len(seen) == len(set(seen)) == 6
    assert [request.path.partition("?")[0] for request in server.requests] == ["/api/models"] * 3
    assert "elsewhere.example" in server.search.pages_behind


HOSTILE: tuple[object, ...] = (
    None,
    "text",
    7,
    [],
    {},
    {"id": 7},
    {"id": "../x"},
    {"id": "a/../b"},
    {"id": "a/b\n"},
    {"id": "a/NUL"},
    {"id": "C:\\x"},
    {"id": "a/b/c"},
    {"id": "a/" + "b" * 10_000},
    {"id": "a/b", "likes": "many"},
    {"id": "a/b", "downloads": -1},
    {"id": "a/b", "downloads": 10**400},
    {"id": "a/b", "likes": 1e300},
    {"id": "a/b", "tags": "gguf"},
    {"id": "a/b", "tags": [1, 2]},
    {"id": "a/b", "tags": ["x"] * 5000},
    {"id": "a/b", "lastModified": "yesterday"},
    {"id": "a/b", "gated": "perhaps"},
    {"id": "a/b", "gguf": ["total"]},
    {"id": "a/b", "gguf": {"total": "huge"}},
    {"id": "a/b", "private": "yes"},
)


@pytest.mark.parametrize("row", HOSTILE, ids=lambda row: repr(row)[:40])
def test_a_hostile_row_costs_only_itself(server: HubServer, row: object) -> None:
    server.search.hostile = [row]
    page = found(server)
    assert len(page.repos) == 3
    assert page.left_out == 1


@pytest.mark.parametrize("moment", ["9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59"])
def test_a_date_outside_of_the_calendar_is_not_told(server: HubServer, moment: str) -> None:
    server.search.hostile = [{"id": "a/b", "lastModified": moment, "createdAt": moment}]
    repo = asyncio.run(search(Hub(server.endpoint), "")).repos[0]
    assert (repo.repo, repo.updated, repo.created) == ("a/b", None, None)


def test_what_is_shown_of_a_stranger_is_printable(server: HubServer) -> None:
    server.search.hostile = [
        {
            "id": "a/b",
            "tags": ["license:\x1b[31mred\u202e", "base_model:../x", "base_model:quantized:a/NUL", "base_model:x/y"],
            "pipeline_tag": "a\0b",
            "gguf": {"architecture": "x" * 100_000},
        }
    ]
    row = found(server).repos[0]
    assert row.base_model == "x/y"
    assert row.licence.isprintable()
    assert row.task.isprintable()
    assert len(row.architecture) <= 200


@pytest.mark.parametrize(
    ("body", "error"),
    [(body, NotTheHubsAnswer) for body in (b"", b"[", b"{}", b"null", b"\xff\xfe", b"[" * 200_000)]
    + [(b"\n<!DOCTYPE html>Welcome to our hotel", PageInstead)],
)
def test_an_answer_that_is_not_the_hubs_is_explained(server: HubServer, body: bytes, error: type[AppError]) -> None:
    server.search.body = body
    with pytest.raises(HubUnreachable) as raised:
        found(server)
    assert type(raised.value) is error
    assert "log in" in raised.value.explain().hint


def test_no_more_rows_are_taken_than_were_asked_for(server: HubServer) -> None:
    server.search.body = json.dumps([{"id": f"a/b{index}"} for index in range(5000)]).encode()
    page = found(server, limit=10)
    assert (len(page.repos), page.left_out) == (10, 4990)


def test_an_answer_without_end_is_cut_off(server: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_answers, "LARGEST_ANSWER", 100_000)
    server.search.body = b"[" + b" " * 300_000 + b"]"
    with pytest.raises(HubUnreachable, match="longer than"):
        found(server)


def test_an_odd_search_is_sent_as_it_was_meant(server: HubServer) -> None:
    for text in ("a&filter=x", "a\0b\n c", "模型", "\ud800", "x" * 5000):
        found(server, text)
    [first, second, third, fourth, fifth] = [asked["search"] for asked in server.search.asked]
    assert (first, second, third, fourth) == (["a&filter=x"], ["a\0b c"], ["模型"], ["?"])
    assert len(fifth[0]) == LONGEST_TEXT


@pytest.mark.parametrize("options", [{"base_model": "../x"}, {"base_model": "x"}, {"author": "a/b"}, {"author": "?"}])
def test_a_name_that_is_none_is_not_sent(server: HubServer, options: dict[str, str]) -> None:
    with pytest.raises(UnsafeName):
        found(server, "", **options)
    assert not server.requests


FAULTS = [
    (Fault("status", status=429, seconds=7), HubBusy),
    (Fault("status", status=401), HubAccessDenied),
    (Fault("status", status=403), HubAccessDenied),
    (Fault("status", status=500), HubUnreachable),
    (Fault("page"), HubUnreachable),
    (Fault("loop"), HubUnreachable),
]


@pytest.mark.parametrize(("fault", "error"), FAULTS)
def test_an_odd_answer_is_explained(server: HubServer, fault: Fault, error: type[AppError]) -> None:
    for ask in (found, listed):
        server.hub_faults.extend([fault] * (30 if fault.kind == "loop" else 1))
        server.requests.clear()
        with pytest.raises(error) as raised:
            ask(server)
        assert raised.value.explain().hint
        if fault.kind == "loop":
            server.hub_faults.clear()
        else:
            assert len(server.requests) == 1, "nothing is tried again without a word"
        if error is HubBusy:
            assert raised.value.arguments["seconds"] == 7


def test_a_listing_names_models_apart_from_what_lies_beside_them(server: HubServer, tmp_path: Path) -> None:
    repo, large = "ann/Tiny-1B-GGUF", tmp_path / "large.gguf"
    large.write_bytes(bytes(9000))
    big, small = server.add(repo, "tiny-F16.gguf", large), server.repositories[repo].files["tiny-Q4_K_M.gguf"]
    for name in (
        "Q8_0/tiny-Q8_0-00001-of-00002.gguf",
        "Q8_0/tiny-Q8_0-00002-of-00002.gguf",
        "half-Q6_K-00001-of-00002.gguf",
        "many-Q6_K-00001-of-99999.gguf",
        "mmproj-F16.gguf",
        "tiny-imatrix.gguf",
        "imatrix.dat",
        "tiny-imatrix-IQ4_XS.gguf",
        "README.md",
        ".gitattributes",
    ):
        server.add_served(repo, name, small)
    server.add(repo, "plain-Q5_K_M.gguf", small.path, lfs=False)
    listing = listed(server, repo)
    assert listing.commit == DEFAULT_COMMIT
    assert (listing.repo.licence, listing.repo.base_model, listing.repo.repo) == ("Apache-2.0", BASE, repo)
    models = {model.file: model for model in listing.models}
    assert list(models)[-1] == "Q8_0/tiny-Q8_0-00001-of-00002.gguf"
    assert set(models) == {
        "tiny-F16.gguf", "tiny-Q4_K_M.gguf", "Q8_0/tiny-Q8_0-00001-of-00002.gguf", "tiny-imatrix-IQ4_XS.gguf",
        "plain-Q5_K_M.gguf",
    }  # fmt: skip
    split, whole = models["Q8_0/tiny-Q8_0-00001-of-00002.gguf"], models["tiny-F16.gguf"]
    assert (split.size, split.shards, split.quantization, split.sha256) == (2 * small.size, 2, "Q8_0", "")
    assert split.verifiable
    assert (whole.size, whole.shards, whole.quantization, whole.sha256) == (9000, 1, "F16", big.sha256)
    assert not models["plain-Q5_K_M.gguf"].verifiable
    assert [file.file for file in listing.projectors] == ["mmproj-F16.gguf"]
    assert [file.file for file in listing.imatrices] == ["imatrix.dat", "tiny-imatrix.gguf"]
    assert listing.left_out == 2


def test_every_model_has_a_label_that_no_other_has(server: HubServer) -> None:
    repo = "ann/Tiny-1B-GGUF"
    labels = {
        "tiny-Q4_K_M.gguf": "Q4_K_M",
        "a-Q6_K.gguf": "a-Q6_K",
        "Q6_K.gguf": "Q6_K.gguf",  # without its ending it would be taken for the quantization
        "v1.5.gguf": "v1.5",
        "UPPER-Q5_0.GGUF": "Q5_0",
        "one/same.gguf": "one/same",
        "two/same.gguf": "two/same",
        "split-Q8_0-00001-of-00002.gguf": "split-Q8_0",
        "split-Q8_0-00002-of-00002.gguf": "",
        "Q8_0/other-Q8_0-00001-of-00001.gguf": "other-Q8_0",
    }
    for name in labels:
        server.add_served(repo, name, server.repositories[repo].files["tiny-Q4_K_M.gguf"])
    del labels["split-Q8_0-00002-of-00002.gguf"]
    assert {model.file: model.label for model in listed(server).models} == labels


@pytest.mark.parametrize(
    "name",
    ["../x.gguf", "C:\\x.gguf", "NUL.gguf", "a//b.gguf", "/etc/x.gguf", "a\nb.gguf", "\u202efugg.gguf", "a\x9b1m.gguf"],
)
def test_a_file_with_a_name_that_leads_elsewhere_is_left_out(server: HubServer, name: str) -> None:
    server.add_served("ann/Tiny-1B-GGUF", name, server.repositories["ann/Tiny-1B-GGUF"].files["tiny-Q4_K_M.gguf"])
    listing = listed(server)
    assert [model.file for model in listing.models] == ["tiny-Q4_K_M.gguf"]
    assert listing.left_out == 1


@pytest.mark.parametrize(
    "sibling",
    [None, {}, {"rfilename": 7}, {"rfilename": "a.gguf"}, {"rfilename": "a.gguf", "size": -1},
     {"rfilename": "a.gguf", "size": "big"}, {"rfilename": "a.gguf", "size": 5, "lfs": {"sha256": 1, "size": 5}}],
)  # fmt: skip
def test_a_file_of_which_the_hub_says_nonsense_is_left_out(server: HubServer, sibling: object) -> None:
    good = {"rfilename": "tiny-Q8_0.gguf", "size": 5}
    server.repositories["ann/Tiny-1B-GGUF"].facts["siblings"] = [sibling, good]
    listing = listed(server)
    assert ([model.file for model in listing.models], listing.left_out) == (["tiny-Q8_0.gguf"], 1)


@pytest.mark.parametrize("facts", [{"sha": "main"}, {"sha": 7}, {"siblings": {}}, {"id": "../x"}])
def test_a_repository_of_which_the_hub_says_nonsense_is_explained(server: HubServer, facts: dict[str, object]) -> None:
    server.repositories["ann/Tiny-1B-GGUF"].facts |= facts
    with pytest.raises(HubUnreachable):
        listed(server)


def test_a_gated_repository_is_listed_and_says_so(server: HubServer) -> None:
    server.gate("ann/Tiny-1B-GGUF", "hf_members_only")
    assert [repo.gated for repo in found(server, author="ann").repos] == ["manual"]
    assert listed(server).repo.gated == "manual"


def test_a_private_repository_is_seen_with_its_token_only(server: HubServer) -> None:
    server.hide("ann/Tiny-1B-GGUF", "hf_members_only")
    assert not found(server, author="ann").repos
    with pytest.raises(HubFileMissing):
        listed(server)
    [seen] = found(server, author="ann", token="hf_members_only").repos
    assert seen.private
    assert listed(server, token="hf_members_only").repo.private


@pytest.mark.parametrize("environment", [{}, {"HF_HUB_OFFLINE": "1"}])
def test_offline_means_that_nothing_is_sent(server: HubServer, environment: dict[str, str]) -> None:
    hub = Hub(server.endpoint, offline=not environment, environment=environment)
    for question in (lambda: search(hub, "x"), lambda: files(hub, "ann/Tiny-1B-GGUF")):
        with pytest.raises(OfflineSwitchOn):
            asyncio.run(question())
    assert not server.requests


def test_an_address_that_is_none_is_explained() -> None:
    with pytest.raises(BadEndpoint):
        asyncio.run(search(Hub("nonsense", environment=NOTHING), "x"))
