"""What can go wrong between this machine and the Hub, each with its next step."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from desktop.errors import QT_TRANSLATE_NOOP, AppError


class OfflineSwitchOn(AppError):
    """The person switched the network off (setting, or HF_HUB_OFFLINE); nothing was sent."""

    message = QT_TRANSLATE_NOOP("core", "The network is switched off.")
    hint = QT_TRANSLATE_NOOP("core", 'Turn off "No network" in the settings, or unset HF_HUB_OFFLINE.')


class BadEndpoint(AppError):
    """The configured address of the Hub is not an address."""

    message = QT_TRANSLATE_NOOP("core", 'The address of the Hub, "{endpoint}", is not a web address.')
    hint = QT_TRANSLATE_NOOP("core", "Correct it in the settings or in HF_ENDPOINT; it begins with https://.")


class HubUnreachable(AppError):
    """No usable answer came."""

    message = QT_TRANSLATE_NOOP("core", "{endpoint} cannot be reached: {reason}")
    hint = QT_TRANSLATE_NOOP("core", "Check the network connection, then try again; the settings can name a mirror.")


class HubFileMissing(AppError):
    """The repository or the file does not exist, or only those with a token may see it."""

    message = QT_TRANSLATE_NOOP("core", "The Hub does not have {what}, or does not show it to you.")
    hint = QT_TRANSLATE_NOOP(
        "core", "Check the name. For a private repository, give a token in the settings or in HF_TOKEN."
    )


class HubAccessDenied(AppError):
    """The repository is gated, or the token is not enough (401, 403)."""

    message = QT_TRANSLATE_NOOP("core", "The Hub does not let you have {what}.")
    hint = QT_TRANSLATE_NOOP(
        "core", "Accept the licence on {page}, then give a token of your account in the settings or in HF_TOKEN."
    )


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


def explain_status(status: int, *, code: str, what: str, page: str, wait: float | None, detail: object) -> AppError:
    """Turn a refusal into an error.

    status: HTTP status; code: the X-Error-Code header, "" without one; wait: seconds from Retry-After.
    """
    if status == 404 or code in ("RepoNotFound", "RevisionNotFound", "EntryNotFound"):
        return HubFileMissing(what=what, detail=detail)
    if status in (401, 403):
        return HubAccessDenied(what=what, page=page, detail=detail)
    if status == 429:
        return HubBusy(seconds=round(wait or DEFAULT_WAIT), detail=detail)
    return HubUnreachable(endpoint=page, reason=f"HTTP {status}", detail=detail)


def retry_after(value: Any) -> float | None:
    """Return the seconds a Retry-After header asks for (RFC 9110, 10.2.3: number or date), or None."""
    text = str(value or "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:6])
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):  # a date with numbers that no calendar has
        return None
    return max(0.0, (moment - datetime.now(UTC)).total_seconds()) if moment.tzinfo else None
