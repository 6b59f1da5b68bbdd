"""What a person is told about files on the Hub; the real huggingface_hub talks to a server of ours."""

import asyncio
import os
import re
import socket
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from desktop.catalog.catalog import load_catalog
from desktop.catalog.file_names import UnsafeName, check_file, check_repo, check_revision, printable
from desktop.catalog.hub import DEFAULT_ENDPOINT, Hub
from desktop.catalog.hub_errors import (
    LONGEST_WAIT,
    BadEndpoint,
    HubAccessDenied,
    HubBusy,
    HubFault,
    HubFileAmbiguous,
    HubFileMissing,
    HubFileMissingButSimilar,
    HubFileUnverifiable,
    HubQuantizationMissing,
    HubUnreachable,
    NotTheHubsAnswer,
    OfflineSwitchOn,
    explain_status,
    retry_after,
)
from desktop.errors import AppError
from desktop.paths import catalog_file
from tests.support.hub_server import DEFAULT_COMMIT, Fault, HubServer
from tests.support.hubs import FILE, NOTHING, REPO, hub_at


def ask(hub: Hub, *, repo: str = REPO, file: str = FILE, revision: str = "main") -> object:
    return asyncio.run(hub.files(repo=repo, file=file, revision=revision))


def test_a_file_is_pinned_to_its_commit_with_the_sha256_of_its_content(server: HubServer) -> None:
    [found] = asyncio.run(Hub(server.endpoint, environment=NOTHING).files(repo=REPO, file=FILE))
    served = server.repositories[REPO].files[FILE]
    assert (found.revision, found.size, found.sha256) == (DEFAULT_COMMIT, served.size, served.sha256)
    assert found.url == f"{server.endpoint}/{REPO}/resolve/{DEFAULT_COMMIT}/{FILE}"


@pytest.mark.parametrize(
    "facts", [{"sha": 7}, {"sha": None}, {"sha": "main"}, {"siblings": [{"rfilename": None}, {"rfilename": 5}]}]
)
def test_a_listing_with_names_that_are_none_is_not_the_hubs(server: HubServer, facts: dict[str, object]) -> None:
    server.repositories[REPO].facts = facts
    hub = Hub(server.endpoint, environment=NOTHING)
    for question in (hub.files, hub.model):
        with pytest.raises(NotTheHubsAnswer):
            asyncio.run(question(repo=REPO, file=FILE))


@pytest.mark.parametrize(
    ("field", "value", "error"),
    [
        ("size", "5004", HubUnreachable),
        ("size", 5004.5, HubUnreachable),
        ("size", 10**30, HubFileUnverifiable),
        ("size", -1, HubFileUnverifiable),
        ("sha256", 7, HubUnreachable),
        ("sha256", "../x", HubFileUnverifiable),
    ],
)
def test_a_file_with_figures_that_cannot_be_is_not_fetched(
    server: HubServer, field: str, value: object, error: type[AppError]
) -> None:
    setattr(server.repositories[REPO].files[FILE], field, value)
    with pytest.raises(error):
        ask(Hub(server.endpoint, environment=NOTHING))


NAMES = (
    "m-Q4_K_M.gguf",
    "m-UD-Q4_K_XL.gguf",
    "m-IQ4_XS.gguf",
    "Q8_0/m-Q8_0-00001-of-00002.gguf",
    "Q8_0/m-Q8_0-00002-of-00002.gguf",
    "mmproj-F16.gguf",
    "mmproj-Q8_0.gguf",
    "a-Q6_K.gguf",
    "b-Q6_K.gguf",
    "README.md",
)


@pytest.fixture
def full(server: HubServer, tmp_path: Path) -> Hub:
    served = server.add("owner/full", NAMES[0], tmp_path / "source.gguf")
    for name in NAMES:
        server.add_served("owner/full", name, served)
    return Hub(server.endpoint, environment=NOTHING)


@pytest.mark.parametrize(
    ("wanted", "file"),
    [
        ("q4_k_m", "m-Q4_K_M.gguf"),
        ("IQ4_XS", "m-IQ4_XS.gguf"),
        ("Q4_K_XL", "m-UD-Q4_K_XL.gguf"),
        ("UD-Q4_K_XL", "m-UD-Q4_K_XL.gguf"),
        ("Q8_0", "Q8_0/m-Q8_0-00001-of-00002.gguf"),
    ],
)
def test_a_model_is_found_by_its_quantization_whole_or_split(full: Hub, wanted: str, file: str) -> None:
    found = asyncio.run(full.model(repo="owner/full", quantization=wanted))
    assert (found.commit, found.file) == (DEFAULT_COMMIT, file)


def test_a_split_model_that_lacks_shards_does_not_make_a_whole_one_ambiguous(full: Hub, server: HubServer) -> None:
    files = server.repositories["owner/full"].files
    server.add_served("owner/full", "x-IQ4_XS-00001-of-00002.gguf", files[NAMES[0]])
    assert asyncio.run(full.model(repo="owner/full", quantization="IQ4_XS")).file == "m-IQ4_XS.gguf"


@pytest.mark.parametrize("wanted", [{"quantization": "Q2_K"}, {"file": "x-Q2_K-00001-of-00513.gguf"}])
def test_what_comes_in_more_shards_than_any_model_has_is_none(
    full: Hub, server: HubServer, wanted: dict[str, str]
) -> None:
    served = server.repositories["owner/full"].files[NAMES[0]]
    for index in range(513):
        server.add_served("owner/full", f"x-Q2_K-{index + 1:05}-of-00513.gguf", served)
    with pytest.raises(HubFileMissing) as raised:
        asyncio.run(full.files(repo="owner/full", **wanted))
    assert "x-Q2_K" not in raised.value.explain().hint


def test_any_shard_of_a_split_model_means_the_model(full: Hub) -> None:
    found = asyncio.run(full.model(repo="owner/full", file="Q8_0/m-Q8_0-00002-of-00002.gguf"))
    assert found.file == "Q8_0/m-Q8_0-00001-of-00002.gguf"


@pytest.mark.parametrize(
    ("wanted", "error", "hint"),
    [
        ({"quantization": "Q4_K_S"}, HubQuantizationMissing, r"Q4_K_M.*IQ4_XS|Q4_K_M.*Q8_0"),
        ({"quantization": "F16"}, HubQuantizationMissing, r"Q4_K_M"),
        ({"quantization": "Q6_K"}, HubFileAmbiguous, r"a-Q6_K\.gguf, b-Q6_K\.gguf"),
        ({"file": "m-Q4_K_N.gguf"}, HubFileMissingButSimilar, r"m-Q4_K_M\.gguf"),
        ({"file": "something-else-entirely.gguf"}, HubFileMissing, r"Check the name"),
    ],
)
def test_what_a_repository_does_not_have_is_answered_with_what_it_has(
    full: Hub, wanted: dict[str, str], error: type[AppError], hint: str
) -> None:
    with pytest.raises(error) as raised:
        asyncio.run(full.model(repo="owner/full", **wanted))
    assert re.search(hint, raised.value.explain().hint)


def test_the_files_of_a_split_model_are_told_in_one_answer_and_in_order(full: Hub, server: HubServer) -> None:
    parts = ["Q8_0/m-Q8_0-00001-of-00002.gguf", "Q8_0/m-Q8_0-00002-of-00002.gguf"]
    for wanted in ({"quantization": "Q8_0"}, {"file": parts[0]}, {"file": parts[1]}):
        server.requests.clear()
        found = asyncio.run(full.files(repo="owner/full", **wanted))
        assert [(each.file, each.revision) for each in found] == [(part, DEFAULT_COMMIT) for part in parts]
        assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("repo", "file", "revision"),
    [("owner/none", FILE, "main"), (REPO, "none.gguf", "main"), (REPO, FILE, "no-such-branch")],
)
@pytest.mark.parametrize("token", [None, "hf_secret"])
def test_what_is_not_there_is_named(server: HubServer, repo: str, file: str, revision: str, token: str | None) -> None:
    with pytest.raises(HubFileMissing) as raised:
        ask(hub_at(server.endpoint, token), repo=repo, file=file, revision=revision)
    assert repo in raised.value.explain().message


def test_a_file_without_a_sha256_is_refused(server: HubServer, tmp_path: Path) -> None:
    server.add(REPO, "plain.gguf", tmp_path / "source.gguf", lfs=False)
    with pytest.raises(HubFileUnverifiable):
        ask(Hub(server.endpoint, environment=NOTHING), file="plain.gguf")


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault("status", status=429, seconds=7), HubBusy),
        (Fault("status", status=403), HubAccessDenied),
        (Fault("status", status=500), HubFault),
        (Fault("page"), NotTheHubsAnswer),
    ],
)
def test_an_odd_answer_of_the_hub_is_explained(server: HubServer, fault: Fault, error: type[AppError]) -> None:
    server.hub_faults.append(fault)
    with pytest.raises(error) as raised:
        ask(Hub(server.endpoint, environment=NOTHING))
    assert len(server.requests) == 1, "nothing is tried again without a word"
    if error is HubBusy:
        assert raised.value.arguments["seconds"] == 7
    if error is HubFault:
        assert raised.value.explain().message == f"{server.endpoint} answered with an error (HTTP 500)."


def test_a_hub_that_is_not_there_is_explained() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    with pytest.raises(HubUnreachable):
        ask(Hub(f"http://127.0.0.1:{port}", environment=NOTHING))


@pytest.mark.parametrize("endpoint", ["nonsense", "ftp://x", "http://", "http://[::1", "http://x:99999"])
def test_an_address_that_is_none_is_explained(endpoint: str) -> None:
    with pytest.raises(BadEndpoint):
        ask(Hub(endpoint, environment=NOTHING))


@pytest.mark.parametrize("environment", [{}, {"HF_HUB_OFFLINE": "1"}])
def test_offline_means_that_nothing_is_sent(server: HubServer, environment: dict[str, str]) -> None:
    with pytest.raises(OfflineSwitchOn):
        ask(Hub(server.endpoint, offline=not environment, environment=environment))
    assert server.requests == []


def test_the_switch_is_read_again_before_every_request(server: HubServer) -> None:
    switch = [False]
    hub = Hub(server.endpoint, offline=lambda: switch[0], environment=NOTHING)
    ask(hub)
    switch[0] = True
    with pytest.raises(OfflineSwitchOn):
        ask(hub)
    assert len(server.requests) == 1


def test_the_environment_goes_before_the_setting_and_the_setting_before_the_default() -> None:
    assert Hub(environment=NOTHING).endpoint == DEFAULT_ENDPOINT
    assert Hub("https://mirror.example/", environment=NOTHING).endpoint == "https://mirror.example"
    assert Hub("https://mirror.example", environment={"HF_ENDPOINT": "https://other.example/"}).endpoint == (
        "https://other.example"
    )


def test_the_token_goes_to_the_configured_host_only() -> None:
    hub = Hub("https://hub.example", token_to_mirror=True, environment={"HF_TOKEN": "hf_secret"})
    assert hub.token_for("https://hub.example/api") == "hf_secret"
    for other in (
        "https://cdn.example/x",
        "http://hub.example/x",
        "https://hub.example:444/",
        "https://hub.example.evil/",
    ):
        assert hub.token_for(other) is None


@pytest.mark.allow_log("is not encrypted")
def test_the_token_is_not_sent_in_clear_text_to_another_machine() -> None:
    assert hub_at("http://hub.example", "hf_secret").token_for("http://hub.example/x") is None
    assert hub_at("http://127.0.0.1:80", "hf_secret").token_for("http://127.0.0.1:80/x")


def test_the_token_is_sent_to_the_hub_and_a_foreign_one_never(server: HubServer) -> None:
    ask(hub_at(server.endpoint, "hf_secret"))
    ask(Hub(server.endpoint, environment=NOTHING))
    assert [request.authorization for request in server.requests] == ["Bearer hf_secret", None]


@pytest.mark.parametrize(
    "name",
    ["", "../x", "a/../x", "/etc/passwd", "C:\\x", "C:x", "\\\\host\\share", "a\\b", "NUL", "nul.gguf", "sub/CON",
     "COM1.gguf", "a//b", "a/", ".", "x ", "x.", " x", "a\0b", "a\nb", "x" * 201, "\ud800", "a|b", "COM¹",
     "LPT9.tar.gguf"],
)  # fmt: skip
def test_a_name_that_could_lead_elsewhere_is_refused(name: str) -> None:
    with pytest.raises(UnsafeName):
        check_file(name)
    with pytest.raises(UnsafeName):
        check_repo(f"owner/{name}")


@pytest.mark.parametrize("revision", ["", "../main", "a b", "-x", "main?x"])
def test_a_revision_that_is_none_is_refused(revision: str) -> None:
    with pytest.raises(UnsafeName):
        check_revision(revision)


def test_what_is_shown_of_a_name_steers_no_terminal() -> None:
    assert printable("a\x1b[31mb\u202ec\0模\n") == "a\\x1b[31mb\\u202ec\\x00模\\n"
    assert printable("模型" * 500) == ("模型" * 500)[:200]


def test_ordinary_names_pass() -> None:
    for name in ("a.gguf", "Q4_K_M/model-00001-of-00002.gguf", "模型.gguf", "console.gguf", "nullable.gguf"):
        assert check_file(name) == name
    assert check_repo("bartowski/Qwen_Qwen3-8B-GGUF")
    assert check_revision("refs/pr/1")


def test_every_file_of_the_catalog_has_a_safe_name() -> None:
    for model in load_catalog(catalog_file()).models:
        for quantization in model.quantizations:
            assert check_repo(quantization.repo)
            assert check_file(quantization.file)
            assert check_revision(quantization.revision or "main")


def test_the_hub_library_is_not_imported_before_it_is_needed(project_root: Path) -> None:
    code = "import sys, desktop.catalog.hub; print([n for n in ('huggingface_hub', 'httpx2') if n in sys.modules])"
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=project_root, capture_output=True, text=True, timeout=30, check=True
    )
    assert result.stdout == "[]\n"


def test_retry_after_is_read_as_a_number_or_a_date() -> None:
    assert retry_after("120") == 120
    assert retry_after("0") == 0
    assert retry_after("9999999") == retry_after("9" * 6000) == LONGEST_WAIT
    assert retry_after(None) is None
    assert retry_after("soon") is None
    assert retry_after(f"Fri, 31 Dec {'9' * 30} 23:59:59 GMT") is None
    assert retry_after("Fri, 31 Dec 2021 23:59:59 GMT") == 0
    assert retry_after("Fri, 31 Dec 9998 23:59:59 GMT") == LONGEST_WAIT
    later = retry_after(format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True))
    assert later is not None
    assert 50 < later <= 61


@pytest.mark.parametrize(("header", "seconds"), [({}, 30), ({"Retry-After": "0"}, 0), ({"Retry-After": "7"}, 7)])
def test_a_busy_hub_is_quoted(header: dict[str, str], seconds: int) -> None:
    error = explain_status(429, header, what=REPO, endpoint=DEFAULT_ENDPOINT)
    assert f"asks to wait {seconds} seconds" in error.explain().message


def test_nothing_is_asked_of_the_hub_but_the_file(server: HubServer, tmp_path: Path) -> None:
    """In a process of its own, whose huggingface_hub has asked nothing yet and whose endpoint is the server."""
    code = (
        "import asyncio, sys\n"
        "from desktop.catalog.hub import Hub\n"
        "asyncio.run(Hub(sys.argv[1], environment={}).files(repo=sys.argv[2], file=sys.argv[3]))\n"
    )
    environment = {**os.environ, "HF_ENDPOINT": server.endpoint, "HF_HOME": str(tmp_path / "hf"), "AI_AGENT": "1"}
    command = [sys.executable, "-c", code, server.endpoint, REPO, FILE]
    subprocess.run(command, check=True, env=environment, timeout=60)
    assert [request.path.partition("?")[0] for request in server.requests] == [f"/api/models/{REPO}/revision/main"]
