"""What anybody who answers for the Hub could do with an answer, and how the address of the Hub may be spelled."""

import asyncio
import logging

import huggingface_hub
import pytest

from desktop.catalog import hub_answers
from desktop.catalog.addresses import same_origin, without_user
from desktop.catalog.hub import Hub
from desktop.catalog.hub_errors import BadEndpoint, HubFileMissing, HubUnreachable, NotTheHubsAnswer, ProxyUnreachable
from desktop.catalog.hub_session import hub_session
from desktop.catalog.meant_files import meant_files
from tests.support.hub_server import HubServer
from tests.support.hubs import FILE, NOTHING, REPO, hub_at


def test_an_answer_about_one_repository_is_read_up_to_a_bound(
    server: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_answers, "LARGEST_ANSWER", 100_000)
    server.repositories[REPO].facts = {"x": "a" * 200_000}
    hub = Hub(server.endpoint, environment=NOTHING)
    for question in (hub.files, hub.model):
        with pytest.raises(HubUnreachable, match="longer than 100,000 bytes"):
            asyncio.run(question(repo=REPO, file=FILE))


@pytest.mark.parametrize("facts", [{"lastModified": 5}, {"createdAt": [1]}, {"evalResults": [["error"]]}])
def test_what_nobody_asked_about_may_be_anything(server: HubServer, facts: dict[str, object]) -> None:
    server.repositories[REPO].facts = facts
    assert asyncio.run(Hub(server.endpoint, environment=NOTHING).files(repo=REPO, file=FILE))


def test_true_is_no_number_of_bytes(server: HubServer) -> None:
    server.repositories[REPO].files[FILE].size = True
    with pytest.raises(NotTheHubsAnswer):
        asyncio.run(Hub(server.endpoint, environment=NOTHING).files(repo=REPO, file=FILE))


def test_names_that_promise_many_shards_each_cost_no_more_than_their_number() -> None:
    """As many as an answer can hold; if all that they promise were looked for, this would take minutes."""
    names = {f"{number}-Q4_K_M-00001-of-00512.gguf" for number in range(200_000)}
    with pytest.raises(HubFileMissing):
        meant_files(REPO, names, file="", quantization="Q4_K_M")


@pytest.mark.allow_log("owned")
def test_what_huggingface_hub_says_of_an_answer_steers_no_terminal(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    logger = logging.getLogger("huggingface_hub")
    logger.addHandler(logging.StreamHandler())
    logger.propagate = True
    for handler in [*logger.handlers]:
        if not isinstance(handler, logging.StreamHandler):
            logger.removeHandler(handler)  # as it is when it was imported
    hub_session("https://hub.example")
    logging.getLogger("huggingface_hub.utils._http").warning("x; \x1b]0;owned\x07")
    assert capfd.readouterr().err == ""
    assert [record.getMessage() for record in caplog.records] == ["huggingface_hub.utils._http: x; \\x1b]0;owned\\x07"]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("https://HuggingFace.co", "https://huggingface.co:443/x", True),
        ("http://LOCALHOST:080", "http://localhost/x", True),
        ("http://user:pass@hub.example", "http://hub.example/x", True),
        ("https://hub.example", "http://hub.example", False),
        ("https://hub.example:444", "https://hub.example", False),
        ("http://[::1", "http://[::1", False),
    ],
)
def test_a_server_is_the_same_however_its_address_is_spelled(one: str, other: str, same: bool) -> None:
    assert same_origin(one, other) is same
    token = hub_at(one.replace("http:", "https:"), "hf_secret").token_for(other.replace("http:", "https:"))
    assert same_origin(one.replace("http:", "https:"), other.replace("http:", "https:")) is (token == "hf_secret")


def test_a_password_in_the_address_of_the_hub_is_not_shown() -> None:
    assert without_user("http://user:p@ss@hub.example/x") == "http://hub.example/x"
    hub = Hub("https://user:secret@hub.example", environment=NOTHING)
    shown = hub.refusal(403, {}, what=REPO).explain()
    assert "https://hub.example/owner" in shown.hint
    assert "secret" not in str(shown)
    with pytest.raises(BadEndpoint) as raised:
        Hub("ftp://user:secret@hub.example", environment=NOTHING).require_online()
    assert "secret" not in str(raised.value.explain())


@pytest.mark.parametrize("address", ["https://hub.example/?x=1", "https://hub.example#f"])
def test_an_address_with_a_question_is_none_of_the_hub(address: str) -> None:
    with pytest.raises(BadEndpoint):
        Hub(address, environment=NOTHING).require_online()


def test_a_proxy_that_refuses_is_named_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://user:secret@127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://user:secret@127.0.0.1:1")
    huggingface_hub.close_session()  # it is made anew by the next question, as at the start of the program
    try:
        with pytest.raises(ProxyUnreachable) as raised:
            asyncio.run(Hub("http://hub.example", environment=NOTHING).model(repo=REPO, file=FILE))
    finally:
        huggingface_hub.close_session()
    message, hint = raised.value.explain()
    assert "over the proxy http://127.0.0.1:1:" in message
    assert "HTTP_PROXY" in hint
