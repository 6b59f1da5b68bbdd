"""Keyrings as the library `keyring` loads them: in memory, locked, forgetful, or silent."""

import threading

import keyring.backend
import keyring.errors


class MemoryKeyring(keyring.backend.KeyringBackend):
    """A keyring in memory."""

    priority: float = 5

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.kept: dict[tuple[str, str], str] = {}
        self.asked = 0

    def get_password(self, service: str, username: str) -> str | None:
        self.asked += 1
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        if (service, username) not in self.kept:
            raise keyring.errors.PasswordDeleteError("not there")
        del self.kept[service, username]


class LockedKeyring(MemoryKeyring):
    """Every question is refused."""

    def get_password(self, service: str, username: str) -> str | None:
        raise keyring.errors.KeyringLocked("dismissed by the person")

    def set_password(self, service: str, username: str, password: str) -> None:
        raise keyring.errors.KeyringLocked("dismissed by the person")


class ForgetfulKeyring(MemoryKeyring):
    """Accepts and keeps nothing."""

    def set_password(self, service: str, username: str, password: str) -> None:
        pass


class TakesButDoesNotTell(MemoryKeyring):
    """Keeps what it is given, and is locked when it is asked for it or to let go of it."""

    is_locked = True

    def get_password(self, service: str, username: str) -> str | None:
        if self.is_locked:
            raise keyring.errors.KeyringLocked("dismissed by the person")
        return super().get_password(service, username)


class PlainKeyring(MemoryKeyring):
    """Below what the library recommends, as those that write plain text."""

    priority = 0.5


class HangingKeyring(MemoryKeyring):
    """A service that does not answer, whatever it is asked, until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.answers = threading.Event()

    def get_password(self, service: str, username: str) -> str | None:
        self.answers.wait(60)
        return super().get_password(service, username)

    def set_password(self, service: str, username: str, password: str) -> None:
        self.answers.wait(60)
        super().set_password(service, username, password)
