"""What can go wrong between this machine and the Hub, each with its next step."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from desktop.catalog.file_names import printable
from desktop.errors import QT_TRANSLATE_NOOP, AppError, Phrase


class OfflineSwitchOn(AppError):
    """The person switched the network off (setting, or HF_HUB_OFFLINE); nothing was sent."""

    message = QT_TRANSLATE_NOOP("core", "The network is switched off.")
    hint = QT_TRANSLATE_NOOP("core", 'Turn off "No network" in the settings, or unset HF_HUB_OFFLINE.')


class BadEndpoint(AppError):
    """The configured address of the Hub is not an address."""

    message = QT_TRANSLATE_NOOP("core", 'The address of the Hub, "{endpoint}", is not a web address.')
    hint = QT_TRANSLATE_NOOP("core", "Correct it in the settings or in HF_ENDPOINT; it begins with https://.")


TIME_OUT = Phrase(QT_TRANSLATE_NOOP("core", "time-out"))
"""Why there was no answer: it took too long."""


class HubUnreachable(AppError):
    """No usable answer came."""

    message = QT_TRANSLATE_NOOP("core", "{endpoint} cannot be reached: {reason}")
    hint = QT_TRANSLATE_NOOP("core", "Check the network connection, then try again; the settings can name a mirror.")


class NotTheHubsAnswer(HubUnreachable):
    """What answered is not the Hub: often the log-in page of a wireless network."""

    message = QT_TRANSLATE_NOOP("core", "{endpoint} answered, but not as the Hub does.")
    hint = QT_TRANSLATE_NOOP(
        "core",
        "A network may want you to log in first: open any page in a browser, then try again. "
        "If a mirror is set, check its address in the settings.",
    )


class PageInstead(NotTheHubsAnswer):
    """A web page came: the log-in of a network (also status 511, RFC 6585), or a mirror that has no such thing.

    endpoint: who sent it, the Hub or the host it led to.
    """

    message = QT_TRANSLATE_NOOP("core", "{endpoint} sent a web page instead of what was asked for.")
    hint = QT_TRANSLATE_NOOP(
        "core",
        "The network here seems to want a log-in: open any page in a browser, log in, then try again. "
        "If a mirror is set, check its address in the settings.",
    )


class LedElsewhere(NotTheHubsAnswer):
    """An answer of the API leads to another host; what a repository holds is believed of the endpoint alone."""

    message = QT_TRANSLATE_NOOP("core", "{endpoint} does not answer, but leads to {other}, which was not asked.")
    hint = QT_TRANSLATE_NOOP(
        "core",
        "The network here may want a log-in: open any page in a browser, log in, then try again. "
        "If the mirror has moved, give its new address in the settings or in HF_ENDPOINT.",
    )


class HubFault(HubUnreachable):
    """The Hub, or a mirror, answered that something is wrong with itself (5xx), or with a status nobody expects."""

    message = QT_TRANSLATE_NOOP("core", "{endpoint} answered with an error (HTTP {status}).")
    hint = QT_TRANSLATE_NOOP(
        "core", "The fault is not on this computer. Try again in a few minutes; the settings can name a mirror."
    )


class SocksProxy(HubUnreachable):
    """The environment names a SOCKS proxy, for which a library is missing; nothing was sent."""

    message = QT_TRANSLATE_NOOP("core", "{endpoint} cannot be asked: a SOCKS proxy is set, which Snug cannot use.")
    hint = QT_TRANSLATE_NOOP(
        "core", "Set HTTPS_PROXY to an HTTP proxy (http://host:port) and unset ALL_PROXY, then start Snug again."
    )


class BadProxy(HubUnreachable):
    """The address of the proxy in the environment cannot be used; nothing was sent."""

    message = QT_TRANSLATE_NOOP("core", "{endpoint} cannot be asked: the address of the proxy that is set is wrong.")
    hint = QT_TRANSLATE_NOOP(
        "core", "Correct HTTPS_PROXY, HTTP_PROXY or ALL_PROXY (http://host:port), then start Snug again."
    )


class ProxyUnreachable(HubUnreachable):
    """The environment names a proxy, and the way ends there. proxy: its address, without a password."""

    message = QT_TRANSLATE_NOOP("core", "{endpoint} cannot be reached over the proxy {proxy}: {reason}")
    hint = QT_TRANSLATE_NOOP(
        "core", "Correct or unset HTTPS_PROXY, HTTP_PROXY or ALL_PROXY, then start Snug again; or start the proxy."
    )


class BadCertificates(HubUnreachable):
    """The certificates that the environment names cannot be read; nothing was sent."""

    message = QT_TRANSLATE_NOOP("core", "{endpoint} cannot be asked: the certificates that are set cannot be read.")
    hint = QT_TRANSLATE_NOOP("core", "Correct or unset SSL_CERT_FILE and SSL_CERT_DIR, then start Snug again.")


class UntrustedCertificate(HubUnreachable):
    """Who answers cannot prove to be the endpoint: a proxy that looks into connections, or worse."""

    message = QT_TRANSLATE_NOOP("core", "{endpoint} is not trusted: its certificate is none that this computer knows.")
    hint = QT_TRANSLATE_NOOP(
        "core",
        "Check the clock, and whether a network here asks for a log-in. Where a company's proxy looks into "
        "connections, name its certificates in SSL_CERT_FILE, then start Snug again.",
    )


class HubFileMissing(AppError):
    """The repository or the file does not exist, or only those with a token may see it."""

    message = QT_TRANSLATE_NOOP("core", "The Hub does not have {what}, or does not show it to you.")
    hint = QT_TRANSLATE_NOOP(
        "core", "Check the name. For a private repository, give a token in the settings or in HF_TOKEN."
    )


class HubFileMissingWithoutToken(HubFileMissing):
    """The same, but the person has a token, which was not sent."""

    hint = QT_TRANSLATE_NOOP(
        "core", "Check the name. Your token was not sent; if this is a private repository: the settings say why."
    )


class HubAccessDenied(AppError):
    """The repository is gated, or the token is not enough (401, 403)."""

    message = QT_TRANSLATE_NOOP("core", "The Hub does not let you have {what}.")
    hint = QT_TRANSLATE_NOOP(
        "core", "Accept the licence on {page}, then give a token of your account in the settings or in HF_TOKEN."
    )


class TokenWithheld(HubAccessDenied):
    """A mirror refuses, and was not given the token, because the settings do not allow it."""

    message = QT_TRANSLATE_NOOP(
        "core", "{endpoint} does not let you have {what}. Your token was not sent to it, for it is not huggingface.co."
    )
    hint = QT_TRANSLATE_NOOP(
        "core",
        'If you trust it, turn on "Send the token to a mirror" in the settings (network.token_to_mirror), then try '
        "again.",
    )


class TokenNotEncrypted(HubAccessDenied):
    """A mirror refuses, and was not given the token, because the way there is not encrypted."""

    message = QT_TRANSLATE_NOOP(
        "core", "{endpoint} does not let you have {what}. Your token was not sent: the way there is not encrypted."
    )
    hint = QT_TRANSLATE_NOOP("core", "Name an address that begins with https:// in the settings or in HF_ENDPOINT.")


class TokenNotTold(HubAccessDenied):
    """The Hub refuses, and was not given the token, because the keyring did not tell it."""

    message = QT_TRANSLATE_NOOP(
        "core", "The Hub does not let you have {what}. Your token was not sent: the keyring did not tell it."
    )
    hint = QT_TRANSLATE_NOOP(
        "core",
        "Unlock the keyring of this computer (look for a window that asks for its password), then try again; or set "
        "HF_TOKEN.",
    )


class BadTokenVariable(AppError):
    """The variable HF_TOKEN has what no request can carry; nothing was sent."""

    message = QT_TRANSLATE_NOOP("core", "The variable HF_TOKEN is not a token of the Hub.")
    hint = QT_TRANSLATE_NOOP(
        "core", "Unset it, or copy the token whole from huggingface.co/settings/tokens, then start Snug again."
    )


class KeyringSilent(AppError):
    """The keyring did not answer, or refused to."""

    message = QT_TRANSLATE_NOOP("core", "The keyring of this computer does not answer.")
    hint = QT_TRANSLATE_NOOP("core", "Look for a window that asks for its password, then try again.")


class HubBusy(AppError):
    """Too many requests (429)."""

    message = QT_TRANSLATE_NOOP("core", "The Hub is busy and asks to wait {seconds} seconds.")
    hint = QT_TRANSLATE_NOOP(
        "core", "Try again later. With a token, in the settings or in HF_TOKEN, more requests are allowed."
    )


class HubFileUnverifiable(AppError):
    """The Hub names no size or SHA-256, so that a download could not be checked."""

    message = QT_TRANSLATE_NOOP("core", "{file} cannot be checked: the Hub names no SHA-256 for it.")
    hint = QT_TRANSLATE_NOOP("core", "Choose a file that is kept in Git LFS, or another mirror.")


class HubQuantizationMissing(HubFileMissing):
    """The repository exists; no file of it carries this quantization."""

    message = QT_TRANSLATE_NOOP("core", "{repo} has no file in {quantization}.")
    hint = QT_TRANSLATE_NOOP("core", "Choose one of: {known}.")


class HubFileMissingButSimilar(HubFileMissing):
    """The repository exists; the file does not, but some with nearly this name do."""

    hint = QT_TRANSLATE_NOOP("core", "Did you mean {similar}?")


class HubFileChanged(HubFileMissing):
    """The commit that was chosen is gone, and the newest has another file of this name."""

    message = QT_TRANSLATE_NOOP("core", "{what} has changed on the Hub since it was chosen.")
    hint = QT_TRANSLATE_NOOP("core", "Try again to download it as it is now; what came of the old file is of no use.")


class HubFileAmbiguous(HubFileMissing):
    """Several files of the repository carry the quantization."""

    message = QT_TRANSLATE_NOOP("core", "{repo} has several files in {quantization}.")
    hint = QT_TRANSLATE_NOOP("core", "Name one of them: {files}.")


class RangesNotServed(AppError):
    """A host answers a request for a part of a file with the whole."""

    message = QT_TRANSLATE_NOOP("core", "{host} sends only whole files, so the header of {file} cannot be read alone.")
    hint = QT_TRANSLATE_NOOP("core", "Download the model, or name another mirror in the settings.")


class OddAnswer(AppError):
    """An answer that cannot be right; nothing of it was used."""

    message = QT_TRANSLATE_NOOP("core", "The answer to the request for {file} cannot be right: {what}.")
    hint = QT_TRANSLATE_NOOP(
        "core", "Check whether a network here asks for a log-in, then try again; the settings can name a mirror."
    )


class AddressExpired(AppError):
    """The address that the Hub gives for a file is not valid, also when it is asked for anew."""

    message = QT_TRANSLATE_NOOP("core", "The address that the Hub gives for {file} is not valid any more.")
    hint = QT_TRANSLATE_NOOP("core", "Check the clock of this computer, then try again.")


DEFAULT_WAIT = 30.0
"""Seconds to name when the Hub is busy and does not say for how long."""

REFUSALS = (401, 403, 404, 410)
"""Statuses for what somebody may not have, or what is not there; from a host that the Hub led to they mean that the
address it gave has expired."""

LOG_IN_FIRST = 511
"""Status of a network that wants a log-in (RFC 6585, 6)."""

LONGEST_WAIT = 86_400.0
"""Seconds; whoever asks to wait longer is understood to mean a day."""


def explain_status(status: int, headers: Mapping[str, str], *, what: str, endpoint: str) -> AppError:
    """Turn a refusal of the Hub into an error.

    what: the repository, the file in it (owner/repo/file) or, for a list, "models".
    """
    detail, what = dict(headers), printable(what)
    code = headers.get("X-Error-Code", "")
    if status == 404 or code in ("RepoNotFound", "RevisionNotFound", "EntryNotFound"):
        return HubFileMissing(what=what, detail=detail)
    if status in (401, 403):
        page = "/".join([endpoint, *what.split("/")[:2]])
        return HubAccessDenied(what=what, page=page, detail=detail)
    if status == 429:
        wait = retry_after(headers.get("Retry-After"))
        return HubBusy(seconds=math.ceil(DEFAULT_WAIT if wait is None else wait), detail=detail)
    if status == LOG_IN_FIRST:
        return PageInstead(endpoint=endpoint, detail=detail)
    return HubFault(endpoint=endpoint, status=status, detail=detail)


def retry_after(value: str | None) -> float | None:
    """Return the seconds a Retry-After header asks for (RFC 9110, 10.2.3: number or date), at most LONGEST_WAIT.

    0 for a date that has passed; None without the header, and where it cannot be read.
    """
    text = (value or "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text), LONGEST_WAIT)
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):  # a date with numbers that no calendar has
        return None
    if moment.tzinfo is None:
        return None
    return min(max((moment - datetime.now(UTC)).total_seconds(), 0.0), LONGEST_WAIT)
