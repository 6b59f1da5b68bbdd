"""Clients of what is fetched from the Hub: how they follow a redirect, which bytes came, and why there is no answer."""

import contextlib
import re
import ssl
import urllib.request
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from desktop import __version__
from desktop.catalog.addresses import origin_of, without_user
from desktop.catalog.file_names import printable
from desktop.catalog.hub_errors import (
    TIME_OUT,
    BadCertificates,
    BadProxy,
    HubUnreachable,
    OddAnswer,
    ProxyUnreachable,
    SocksProxy,
    UntrustedCertificate,
)
from desktop.errors import QT_TRANSLATE_NOOP, Phrase

if TYPE_CHECKING:
    import httpx2

MOST_REDIRECTS = 5
_PAGES = ("text/html", "application/xhtml+xml")
_NUMBER = "[0-9]{1,18}"  # bytes of any file; of one with thousands of digits Python refuses to make a number
_CONTENT_RANGE = re.compile(rf"bytes ({_NUMBER})-({_NUMBER})/({_NUMBER}|\*)")
_LAST_PORT = 65535  # httpx2 takes any number for one, and asyncio then fails with an OverflowError


def make_client(endpoint: str, *, stall: float, connect: float) -> "httpx2.AsyncClient":
    """Return a client with the system's certificates and proxies (docs/decisions/0018). Blocking.

    endpoint: where the Hub is, for the words of an error. stall, connect: seconds without a byte, and for a connection.
    It follows no redirect: see next_address. Raises BadCertificates, BadProxy and SocksProxy where what the environment
    says of them cannot be used.
    """
    import httpx2

    timeout = httpx2.Timeout(stall, connect=connect, pool=None)
    # Compressed bytes could be neither resumed nor counted.
    headers = {"User-Agent": f"snug/{__version__}", "Accept-Encoding": "identity"}
    with environment_explained(endpoint):
        return httpx2.AsyncClient(timeout=timeout, headers=headers, follow_redirects=False)


@contextlib.contextmanager
def environment_explained(endpoint: str) -> Iterator[None]:
    """While a client is made, which reads the environment. Raises BadCertificates, BadProxy and SocksProxy."""
    import httpx2

    try:
        yield
    except ImportError as error:
        raise SocksProxy(endpoint=endpoint, detail=error) from error
    except OSError as error:
        raise BadCertificates(endpoint=endpoint, detail=error) from error
    except (ValueError, httpx2.InvalidURL) as error:
        raise BadProxy(endpoint=endpoint, detail=error) from error


def content_range(headers: Mapping[str, str]) -> tuple[int, int, int | None] | None:
    """Return the first and the last byte that an answer says it has, and the size of the file, None for "*".

    None where it says nothing that can be understood (RFC 9110, 14.4).
    """
    match = _CONTENT_RANGE.fullmatch(headers.get("Content-Range", "").strip())
    if match is None:
        return None
    return int(match[1]), int(match[2]), None if match[3] == "*" else int(match[3])


def total_size(headers: Mapping[str, str], name: str, *, start: int = 0) -> int:
    """Return the bytes of the whole file of an answer that has those from `start` on. Raises OddAnswer."""
    if headers.get("Content-Encoding", "identity") != "identity":
        raise OddAnswer(file=name, what=Phrase(QT_TRANSLATE_NOOP("core", "it is compressed")))
    first, last, size = content_range(headers) or (None, 0, None)
    if first != start or size is None or not start <= last < size:
        raise OddAnswer(
            file=name, what=Phrase(QT_TRANSLATE_NOOP("core", "it has other bytes than those that were asked for"))
        )
    length = headers.get("Content-Length", "")
    if length and length != str(last + 1 - start):
        raise OddAnswer(file=name, what=Phrase(QT_TRANSLATE_NOOP("core", "it states two lengths")))
    return size


def next_address(address: "httpx2.URL", location: str) -> "httpx2.URL | None":
    """Resolve a redirect that is followed by hand, so that the token stays with the Hub.

    None for one that must not be followed: it leaves encryption, or leads to no web address.
    """
    target = address.join(location)
    if target.scheme not in ("http", "https") or (address.scheme == "https" and target.scheme != "https"):
        return None
    return target if (target.port or 0) <= _LAST_PORT else None


def origin(address: "httpx2.URL") -> str:
    """Return who is asked at an address, for people: its beginning, without a path."""
    return f"{address.scheme}://{address.netloc.decode('ascii', 'replace')}"


def is_page(headers: Mapping[str, str]) -> bool:
    """Whether an answer calls itself a page of the web, which neither the API nor a file of a model is."""
    return headers.get("Content-Type", "").partition(";")[0].strip().lower() in _PAGES


def unreachable(endpoint: str, error: Exception) -> HubUnreachable:
    """Return the error for a request to which there was no usable answer."""
    import httpx2

    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return UntrustedCertificate(endpoint=endpoint, detail=error)
        cause = cause.__cause__ or cause.__context__
    is_late = isinstance(error, httpx2.TimeoutException | TimeoutError)
    reason = TIME_OUT if is_late else printable(str(error)) or type(error).__name__
    if isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout | httpx2.ProxyError) and (
        proxy := _proxy(endpoint)
    ):
        return ProxyUnreachable(endpoint=endpoint, proxy=proxy, reason=reason, detail=error)
    return HubUnreachable(endpoint=endpoint, reason=reason, detail=error)


def _proxy(endpoint: str) -> str:
    """The proxy that the environment names for an address, as it may be shown; "" without one."""
    scheme, host, _ = origin_of(endpoint) or ("", "", None)
    proxies = urllib.request.getproxies()
    proxy = proxies.get(scheme) or proxies.get("all") or ""
    return "" if urllib.request.proxy_bypass(host) else printable(without_user(proxy))
