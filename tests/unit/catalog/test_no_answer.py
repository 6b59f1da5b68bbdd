"""Why the Hub gives no answer, in the same words whatever it is asked: a file, a search, a list, a header."""

import asyncio
import contextlib
import socketserver
import ssl
import threading
from collections.abc import Callable, Coroutine, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import huggingface_hub
import pytest

from desktop.catalog import hub_session
from desktop.catalog.hub import Hub
from desktop.catalog.hub_errors import (
    BadTokenVariable,
    HubFileMissing,
    LedElsewhere,
    OfflineSwitchOn,
    PageInstead,
    TokenNotEncrypted,
    TokenWithheld,
    UntrustedCertificate,
)
from desktop.catalog.hub_files import files
from desktop.catalog.remote_header import RemoteHeaders
from desktop.catalog.search import search
from desktop.errors import AppError
from tests.support.hub_server import DEFAULT_COMMIT, Fault, HubServer
from tests.support.hubs import FILE, NOTHING, REPO, hub_at


def questions(hub: Hub) -> list[Callable[[], Coroutine[Any, Any, object]]]:
    """A file, a search, a list of files, which the API is asked, and a header."""

    async def header() -> object:
        async with RemoteHeaders(hub) as headers:
            return await headers.read(repo=REPO, commit=DEFAULT_COMMIT, file=FILE)

    return [lambda: hub.files(repo=REPO, file=FILE), lambda: search(hub, "tiny"), lambda: files(hub, REPO), header]


def ask_all(hub: Hub) -> list[AppError]:
    """What each question is refused with."""
    refused = list[AppError]()
    for question in questions(hub):
        with pytest.raises(AppError) as raised:
            asyncio.run(question())
        refused.append(raised.value)
    return refused


def test_a_mirror_that_refuses_was_not_given_the_token_and_the_error_names_the_setting(server: HubServer) -> None:
    server.hub_faults.extend([Fault("status", status=403)] * 4)
    for error in ask_all(Hub(server.endpoint, environment={"HF_TOKEN": "hf_secret"})):
        assert isinstance(error, TokenWithheld)
        assert f"{server.endpoint} does not let you have " in error.explain().message
        assert "network.token_to_mirror" in error.explain().hint
    assert {request.authorization for request in server.requests} == {None}


def test_a_private_repository_may_be_behind_what_a_mirror_does_not_have(server: HubServer) -> None:
    hub = Hub(server.endpoint, environment={"HF_TOKEN": "hf_secret"})
    with pytest.raises(HubFileMissing) as raised:
        asyncio.run(hub.files(repo="owner/none", file=FILE))
    assert "Your token was not sent" in raised.value.explain().hint
    with pytest.raises(HubFileMissing) as raised:
        asyncio.run(Hub(server.endpoint, environment=NOTHING).files(repo="owner/none", file=FILE))
    assert "Your token" not in raised.value.explain().hint


@pytest.mark.parametrize("token", ["hf_two\nlines: x", "hf_línea", "hf_two words"])
def test_a_variable_that_is_no_token_is_told_and_not_repeated(server: HubServer, token: str) -> None:
    for error in ask_all(hub_at(server.endpoint, token)):
        assert isinstance(error, BadTokenVariable)
        assert token not in str(error)
    with pytest.raises(OfflineSwitchOn):
        asyncio.run(search(hub_at(server.endpoint, token, offline=True), "tiny"))
    assert server.requests == []


@pytest.mark.allow_log("is not encrypted")
def test_a_refusal_over_a_way_that_is_not_encrypted_says_so() -> None:
    hub = Hub("http://hub.example", token_to_mirror=True, environment={"HF_TOKEN": "hf_secret"})
    assert isinstance(hub.refusal(401, {}, what=REPO), TokenNotEncrypted)


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("ALL_PROXY", "socks5://127.0.0.1:9", "SOCKS"),
        ("HTTP_PROXY", "gopher://127.0.0.1:70", "proxy"),
        ("SSL_CERT_FILE", "no-certificate.pem", "certificates"),
    ],
)
def test_what_cannot_be_used_of_the_environment_is_told_in_the_same_words_whatever_is_asked(
    server: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, words: str
) -> None:
    (tmp_path / "no-certificate.pem").write_text("nothing")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(variable, value)
    huggingface_hub.close_session()  # it is made anew by the next question, as at the start of the program
    told = {error.explain() for error in ask_all(Hub(server.endpoint, environment=NOTHING))}
    assert len(told) == 1
    [explained] = told
    assert f"{server.endpoint} cannot be asked: " in explained.message
    assert words in explained.message
    assert variable in explained.hint
    assert server.requests == []


@pytest.mark.parametrize("fault", [Fault("page"), Fault("status", status=511)], ids=["page", "511"])
def test_the_log_in_page_of_a_network_is_called_one_whatever_is_asked(server: HubServer, fault: Fault) -> None:
    server.hub_faults.extend([fault] * 4)
    for error in ask_all(hub_at(server.endpoint)):
        assert isinstance(error, PageInstead)
        message, hint = error.explain()
        assert message == f"{server.endpoint} sent a web page instead of what was asked for."
        assert "log in" in hint
    assert len(server.requests) == 4, "nothing is tried again"


def test_an_answer_of_the_api_that_leads_to_another_host_is_not_followed_and_says_so(server: HubServer) -> None:
    with HubServer() as other:
        server.hub_faults.extend([Fault("redirect", location=f"{other.endpoint}/api/models/x")] * 3)
        hub = hub_at(server.endpoint, "hf_secret")
        for question in questions(hub)[:3]:
            with pytest.raises(LedElsewhere) as raised:
                asyncio.run(question())
            message, hint = raised.value.explain()
            assert message.startswith(f"{server.endpoint} does not answer, but leads to {other.endpoint},")
            assert "HF_ENDPOINT" in hint
        assert other.requests == []


def test_a_repository_that_was_renamed_is_found_and_the_token_goes_along(server: HubServer) -> None:
    server.repositories["owner/new-name"] = server.repositories.pop(REPO)
    api, hub = "/api/models/owner/new-name/revision/main?blobs=True", hub_at(server.endpoint, "hf_secret")
    found, _, listed, header = questions(hub)
    for question in (found, listed):
        server.hub_faults.append(Fault("redirect", location=api))
        assert asyncio.run(question())
    server.hub_faults.append(
        Fault("redirect", location=f"{server.endpoint}/owner/new-name/resolve/{DEFAULT_COMMIT}/{FILE}")
    )
    with pytest.raises(AppError, match="GGUF"):  # the file was read; it is no model
        asyncio.run(header())
    assert len(server.of("cdn")) == 1
    assert {request.authorization for request in server.of("hub")} == {"Bearer hf_secret"}


@pytest.mark.parametrize(
    ("address", "location", "followed"),
    [
        ("https://hub.example/api", "/api/models", True),
        ("http://hub.example/api", "https://hub.example/api", True),
        ("https://hub.example/api", "http://hub.example/api", False),
        ("http://hub.example:8000/api", "https://hub.example/api", False),
        ("https://hub.example/api", "https://hub.example:8000/api", False),
        ("https://hub.example/api", "https://hub.example.evil/api", False),
        ("https://hub.example/api", "//evil.example/api", False),
        ("https://hub.example/api", "file:///etc/passwd", False),
    ],
)
def test_an_answer_of_the_api_stays_with_its_host_and_with_encryption(
    address: str, location: str, followed: bool
) -> None:
    answer = httpx2.Response(307, headers={"Location": location}, request=httpx2.Request("GET", address))
    with contextlib.nullcontext() if followed else pytest.raises(LedElsewhere):
        hub_session.check_answer(answer)


def test_where_an_answer_of_the_api_leads_is_told_also_when_that_is_out_of_encryption() -> None:
    headers, request = {"Location": "http://me:secret@hub.example/x"}, httpx2.Request("GET", "https://hub.example/api")
    with pytest.raises(LedElsewhere) as raised:
        hub_session.check_answer(httpx2.Response(307, headers=headers, request=request))
    assert "leads to http://hub.example/x, which was not asked" in raised.value.explain().message


class _ShakesHands(socketserver.BaseRequestHandler):
    """Who does not trust it hangs up."""

    def handle(self) -> None:
        with contextlib.suppress(OSError):
            self.request.do_handshake()


@pytest.fixture
def impostor(tmp_path: Path) -> Iterator[str]:
    """Somebody with a certificate of his own; the address."""
    x509 = pytest.importorskip("cryptography.x509")
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    built = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    built = built.serial_number(1).not_valid_before(now).not_valid_after(now + timedelta(days=1))
    pem = tmp_path / "own.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    pem.write_bytes(private + built.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _ShakesHands) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        serving = threading.Thread(target=server.serve_forever, args=(0.05,))
        serving.start()
        yield f"https://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        serving.join()


def test_who_has_a_certificate_of_his_own_is_not_the_hub(impostor: str) -> None:
    for error in ask_all(Hub(impostor, environment=NOTHING)):
        assert isinstance(error, UntrustedCertificate)
        assert "SSL_CERT_FILE" in error.explain().hint
