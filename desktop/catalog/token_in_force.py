"""The person's token as requests carry it: that of the variable HF_TOKEN, else the one that is kept, read once.

Where it is kept, hub_token.py says; a keyring may ask the person for a password, so it is asked when a token is first
needed, and no longer than a person waits for a page.
"""

import logging
import re
import threading
from collections.abc import Callable, Mapping

from desktop.catalog.hub_errors import BadTokenVariable, KeyringSilent
from desktop.log import hide_from_log
from desktop.threads import in_daemon_thread

TOKEN_VARIABLE = "HF_TOKEN"  # noqa: S105 - its name

KEYRING_TIMEOUT = 10.0
"""Seconds a keyring may take; one that is locked waits for the person."""

_SENDABLE = re.compile(r"[\x21-\x7e]+")  # what a token in a header may be made of
_log = logging.getLogger(__name__)


class TokenInForce:
    """value: the token, None without one, and while it was not read. is_untold: the keyring was asked for it in vain.

    kept: reads the token that the person keeps, or raises KeyringSilent; blocking, called once, and only where the
    variable is not set. Any thread may read and change it.
    """

    def __init__(self, environment: Mapping[str, str], kept: Callable[[], str | None] | None) -> None:
        self.value = environment.get(TOKEN_VARIABLE, "").strip() or None
        self.is_untold = False
        self._kept = None if self.value else kept
        self._to_read = self._kept  # None once it was read, or given up
        self._changes = 0
        self._reading, self._changing = threading.Lock(), threading.Lock()
        if self.value:
            hide_from_log(self.value)

    def check(self) -> None:
        """Raise BadTokenVariable for a token that no request can carry."""
        if self.value and not _SENDABLE.fullmatch(self.value):
            raise BadTokenVariable

    @property
    def is_unread(self) -> bool:
        """Whether `read` has something to do."""
        return self._to_read is not None

    async def read(self) -> None:
        """Read the token that is kept, unless that was done. Several event loops may call this.

        A keyring that does not answer is given up, and the log says so; should it answer later, what it says is used
        from then on.
        """
        changes = self._changes
        try:
            await in_daemon_thread(self._read, name="hub token", timeout=KEYRING_TIMEOUT)
        except TimeoutError:
            with self._changing:
                if changes == self._changes:
                    self._to_read, self.is_untold = None, True
            _log.warning("the keyring does not answer; the Hub is asked without a token")

    def _read(self) -> None:
        """Blocking; whoever comes second waits for the first."""
        with self._reading:
            read, changes = self._to_read, self._changes
            if read is None:
                return
            try:
                token, untold = read(), False
            except KeyringSilent:
                token, untold = None, True
            with self._changing:
                if changes == self._changes:  # else the person has given another, or none
                    self._take(token, untold=untold)

    def use(self, token: str | None) -> None:
        """Take another token from now on, or none."""
        with self._changing:
            self._take(token, untold=False)

    def read_again(self) -> None:
        """Have the next `read` ask the keyring once more, where it did not tell the token."""
        if self.is_untold:
            self._to_read = self._kept

    def _take(self, token: str | None, *, untold: bool) -> None:
        self._changes += 1
        self._to_read, self.value, self.is_untold = None, token, untold
        if token:
            hide_from_log(token)
