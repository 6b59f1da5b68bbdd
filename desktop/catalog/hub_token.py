"""The person's token for the Hub: in the operating system's keyring, else in a file that only they can read.

The library `keyring` takes a tenth of a second to import, and a keyring that is locked asks the person for a password.
So everything here blocks, perhaps for ever, and the keyring is asked only where the file says that a token of ours is
in it.
"""

import logging
import os
import re
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from desktop.catalog.hub_errors import KeyringSilent
from desktop.catalog.token_in_force import TOKEN_VARIABLE
from desktop.errors import QT_TRANSLATE_NOOP, AppError
from desktop.files import explained_write, read_bounded, write_atomically

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

TokenPlace = Literal["none", "environment", "keyring", "file"]
"""Where a token is kept."""

_SERVICE, _ACCOUNT = "Snug", "huggingface.co"
_IN_KEYRING = "in the keyring"  # has spaces, as no token has
_LARGEST_FILE = 4096
_TOKEN = re.compile(r"[\x21-\x7e]{8,500}")
_LEAST_PRIORITY = 1  # what keyring itself calls recommended; below are those that keep nothing or write plain text
_log = logging.getLogger(__name__)


class NotAToken(AppError):
    """What was given cannot be a token."""

    message = QT_TRANSLATE_NOOP("core", "This is not a token of the Hub.")
    hint = QT_TRANSLATE_NOOP("core", 'Copy it whole from huggingface.co/settings/tokens; it begins with "hf_".')


class TokenNotForgotten(AppError):
    """The keyring did not let go of the token."""

    message = QT_TRANSLATE_NOOP("core", "The keyring of this computer did not remove the token: {reason}")
    hint = QT_TRANSLATE_NOOP(
        "core", 'Remove the entry "Snug" in the password program of this computer, or revoke the token on the Hub.'
    )


class _Kept(NamedTuple):
    """What the file says. token: kept in the file, "" for none. in_keyring: the keyring has one, or may have."""

    token: str = ""
    in_keyring: bool = False


class TokenStore:
    """Keeps one token. file: says that it is in the keyring, or has the token itself, with mode 0600.

    changing: held by whoever changes the token, from the change to the last that follows from it.
    """

    def __init__(self, file: Path, *, environment: Mapping[str, str] | None = None) -> None:
        self._file = file
        self._environment = os.environ if environment is None else environment
        self.changing = threading.Lock()

    @property
    def file(self) -> Path:
        """Where the token is kept when there is no keyring."""
        return self._file

    def place(self) -> TokenPlace:
        """Return where the token in force is kept: the variable HF_TOKEN goes before what is kept."""
        if self._of_environment():
            return "environment"
        kept = self._kept()
        return "file" if kept.token else "keyring" if kept.in_keyring else "none"

    def read(self) -> str | None:
        """Return the token in force, None without one. Raises KeyringSilent where the keyring does not tell it."""
        if token := self._of_environment():
            return token
        kept = self._kept()
        if kept.token or not kept.in_keyring:
            return kept.token or None
        return _read_keyring()

    def keep(self, token: str) -> str:
        """Keep `token` in the keyring, else in the file; returns the token in force then.

        Raises NotAToken, DiskFull, FileNotSaved: what was kept before is then as it was, or gone from the keyring.
        """
        token = token.strip()
        if not _TOKEN.fullmatch(token):
            raise NotAToken
        before, in_keyring = self._kept(), _keep_in_keyring(token)
        if in_keyring:
            after = _Kept(in_keyring=True)
        else:
            after = _Kept(token, in_keyring=(before.in_keyring or in_keyring is None) and not _try_to_remove())
        try:
            if after != before:
                self._write(after)
        except AppError:
            if in_keyring and not before.in_keyring:
                _try_to_remove()  # nobody would know that it is there
            raise
        return self._of_environment() or token

    def forget(self) -> str | None:
        """Remove the token from where it is kept; returns the token in force then.

        Raises TokenNotForgotten, KeyringSilent, DiskFull, FileNotSaved.
        """
        kept = self._kept()
        if kept.in_keyring:
            if kept.token:
                self._write(_Kept(in_keyring=True))
            _remove_from_keyring()
        with explained_write(self._file):
            self._file.unlink(missing_ok=True)
        return self._of_environment() or None

    def _of_environment(self) -> str:
        return self._environment.get(TOKEN_VARIABLE, "").strip()

    def _kept(self) -> _Kept:
        """What the file says; nothing for one that is not ours."""
        try:
            lines = read_bounded(self._file, most=_LARGEST_FILE).decode("ascii", "replace").split("\n")
        except FileNotFoundError:
            return _Kept()
        except OSError as error:
            _log.warning("the file with the Hub token cannot be read: %s", error)
            return _Kept()
        texts = [line.strip() for line in lines]
        token = next((text for text in texts if _TOKEN.fullmatch(text)), "")
        return _Kept(token, in_keyring=_IN_KEYRING in texts)

    def _write(self, kept: _Kept) -> None:
        lines = [kept.token, _IN_KEYRING if kept.in_keyring else ""]
        write_atomically(self._file, "\n".join(filter(None, lines)).encode())


def _keyring() -> "KeyringBackend | None":
    """The keyring of this session, None where there is none that keeps secrets."""
    import keyring

    try:
        found = keyring.get_keyring()
        usable = found.priority >= _LEAST_PRIORITY
    except Exception as error:  # noqa: BLE001 - programs of any maker plug in here, with errors of their own
        _log.info("no keyring: %s", type(error).__name__)
        return None
    return found if usable else None


def _read_keyring() -> str | None:
    """The token, None where it was taken out of the keyring. Raises KeyringSilent."""
    backend = _keyring()
    if backend is None:
        raise KeyringSilent
    try:
        token = backend.get_password(_SERVICE, _ACCOUNT) or ""
    except Exception as error:  # as above; locked, refused, gone
        _log.warning("the keyring does not tell the Hub token: %s", type(error).__name__)
        raise KeyringSilent(detail=error) from error
    return token if _TOKEN.fullmatch(token) else None


def _keep_in_keyring(token: str) -> bool | None:
    """Whether the keyring took it: it is read back, for some accept and keep nothing. None: nobody can say."""
    backend = _keyring()
    if backend is None:
        return False
    taken: bool | None = False
    try:
        backend.set_password(_SERVICE, _ACCOUNT, token)
        taken = None
        taken = backend.get_password(_SERVICE, _ACCOUNT) == token
    except Exception as error:  # noqa: BLE001 - as above
        _log.warning("the keyring does not take the Hub token: %s", type(error).__name__)
    return taken


def _try_to_remove() -> bool:
    """Whether the keyring has no token of ours any more."""
    try:
        _remove_from_keyring()
    except (TokenNotForgotten, KeyringSilent) as error:
        _log.warning("a Hub token may be left in the keyring: %s", type(error.detail).__name__)
        return False
    return True


def _remove_from_keyring() -> None:
    """Raises TokenNotForgotten, KeyringSilent."""
    backend = _keyring()
    if backend is None:
        raise KeyringSilent
    try:
        if backend.get_password(_SERVICE, _ACCOUNT) is not None:
            backend.delete_password(_SERVICE, _ACCOUNT)
    except Exception as error:
        raise TokenNotForgotten(reason=str(error) or type(error).__name__, detail=error) from error
