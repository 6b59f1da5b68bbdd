"""The person's token for the Hub: in the operating system's keyring, else in a file that only they can read.

The library `keyring` takes a tenth of a second to import, and a keyring that is locked asks the person for a password.
So everything here blocks, and the keyring is asked only where the file says that a token of ours is in it.
"""

import logging
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from desktop.catalog.hub import TOKEN_VARIABLE
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


class TokenStore:
    """Keeps one token. file: says that it is in the keyring, or has the token itself, with mode 0600."""

    def __init__(self, file: Path, *, environment: Mapping[str, str] | None = None) -> None:
        self._file = file
        self._environment = os.environ if environment is None else environment

    @property
    def file(self) -> Path:
        """Where the token is kept when there is no keyring."""
        return self._file

    def place(self) -> TokenPlace:
        """Return where the token in force is kept: the variable HF_TOKEN goes before what is kept."""
        if self._environment.get(TOKEN_VARIABLE, "").strip():
            return "environment"
        content = self._content()
        return "keyring" if content == _IN_KEYRING else "file" if content else "none"

    def read(self) -> str | None:
        """Return the token in force, None without one or where the keyring does not tell it."""
        if token := self._environment.get(TOKEN_VARIABLE, "").strip():
            return token
        content = self._content()
        return (_read_keyring() if content == _IN_KEYRING else content) or None

    def keep(self, token: str) -> TokenPlace:
        """Keep `token` in the keyring, else in the file; returns which.

        Raises NotAToken, DiskFull, FileNotSaved; what was kept before is then as it was, or gone from the keyring.
        """
        token = token.strip()
        if not _TOKEN.fullmatch(token):
            raise NotAToken
        in_keyring = _keep_in_keyring(token)
        write_atomically(self._file, (_IN_KEYRING if in_keyring else token).encode())
        return "keyring" if in_keyring else "file"

    def forget(self) -> None:
        """Remove the token from where it is kept. Raises TokenNotForgotten, FileNotSaved."""
        if self._content() == _IN_KEYRING:
            _remove_from_keyring()
        with explained_write(self._file):
            self._file.unlink(missing_ok=True)

    def _content(self) -> str:
        """What the file has: a token, the mark of the keyring, or "" for anything else."""
        try:
            content = read_bounded(self._file, most=_LARGEST_FILE).decode("ascii", "replace").strip()
        except FileNotFoundError:
            return ""
        except OSError as error:
            _log.warning("the file with the Hub token cannot be read: %s", error)
            return ""
        return content if content == _IN_KEYRING or _TOKEN.fullmatch(content) else ""


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


def _read_keyring() -> str:
    backend = _keyring()
    if backend is None:
        return ""
    try:
        token = backend.get_password(_SERVICE, _ACCOUNT) or ""
    except Exception as error:  # noqa: BLE001 - as above; locked, refused, gone
        _log.warning("the keyring does not tell the Hub token: %s", type(error).__name__)
        return ""
    return token if _TOKEN.fullmatch(token) else ""


def _keep_in_keyring(token: str) -> bool:
    """Whether the keyring took it: it is read back, for some accept and keep nothing."""
    backend = _keyring()
    if backend is None:
        return False
    try:
        backend.set_password(_SERVICE, _ACCOUNT, token)
        return backend.get_password(_SERVICE, _ACCOUNT) == token
    except Exception as error:  # noqa: BLE001 - as above
        _log.warning("the keyring does not take the Hub token: %s", type(error).__name__)
        return False


def _remove_from_keyring() -> None:
    backend = _keyring()
    if backend is None:
        return
    try:
        if backend.get_password(_SERVICE, _ACCOUNT) is not None:
            backend.delete_password(_SERVICE, _ACCOUNT)
    except Exception as error:
        raise TokenNotForgotten(reason=str(error) or type(error).__name__, detail=error) from error
