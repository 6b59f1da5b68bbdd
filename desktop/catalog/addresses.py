"""Addresses of the web: who is at one, and how one is shown."""

from urllib.parse import urlsplit

_USUAL_PORTS = {"http": 80, "https": 443}


def origin_of(address: str) -> tuple[str, str, int | None] | None:
    """Return scheme, host in small letters and port, the usual one where none is named; None for no address."""
    try:
        parts = urlsplit(address)
        return parts.scheme, parts.hostname or "", _USUAL_PORTS.get(parts.scheme) if parts.port is None else parts.port
    except ValueError:
        return None


def same_origin(one: str, other: str) -> bool:
    """Whether the same server is at both, however each is spelled (RFC 6454, 5)."""
    found = origin_of(one)
    return found is not None and found == origin_of(other)


def without_user(address: str) -> str:
    """Return an address as it may be shown: without the name and the password before "@"."""
    scheme, separator, rest = address.partition("://")
    # To the last "@": a password may hold any sign, also where the address can then not be read.
    return scheme + separator + rest.rpartition("@")[2] if separator else address.rpartition("@")[2]
