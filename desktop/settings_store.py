"""The settings file: what is read, kept aside, written and told to listeners.

The file is JSON: one object, one entry per setting that differs from its default. A file that cannot be read is kept
aside and defaults are used; a single bad value falls back to its default and stays. `SettingsStore.notices` says so.
"""

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import msgspec

from desktop.errors import QT_TRANSLATE_NOOP, Phrase
from desktop.files import FileNotSaved, locked, move_aside, read_bounded, write_atomically
from desktop.setting import Setting, SettingRejected
from desktop.settings import ALL_SETTINGS

T = TypeVar("T")
Changed = Callable[[Setting[Any], Any], None]

_UNREADABLE = QT_TRANSLATE_NOOP("core", "The settings file could not be read ({reason}). Defaults are used.")
_KEPT_ASIDE = QT_TRANSLATE_NOOP(
    "core", "The settings file could not be read ({reason}). Defaults are used; the old file was kept as {path}."
)
_BAD_VALUE = QT_TRANSLATE_NOOP(
    "core", "The setting {setting} cannot be {value}. Its default is used until you change it."
)


class SettingsStore:
    """The person's settings. Thread-safe; two processes may write: each keeps what the other changed."""

    def __init__(self, path: Path) -> None:
        """Nothing is read; use `open`."""
        self._path = path
        self._lock = threading.RLock()
        self._raw: dict[str, Any] = {}
        self._values: dict[str, Any] = {}
        self._listeners: list[Changed] = []
        self.notices: tuple[Phrase, ...] = ()

    @classmethod
    def open(cls, path: Path) -> "SettingsStore":
        """Read `path`; a file that is missing or bad gives defaults, and `notices` says what was bad."""
        store = cls(path)
        try:
            store._raw = store._read()
        except FileNotSaved as error:
            store._notice(_UNREADABLE, reason=error.arguments["reason"])
        store._convert()
        return store

    def get(self, setting: Setting[T]) -> T:
        """Return the value in force: the environment's, the file's, or the default."""
        if self.is_overridden(setting):
            return setting.validated(os.environ[setting.environment])
        with self._lock:
            return cast("T", self._values.get(setting.key, setting.default))

    def is_overridden(self, setting: Setting[Any]) -> bool:
        """Whether an environment variable decides, so that the page can say so."""
        return bool(setting.environment and os.environ.get(setting.environment))

    def set(self, setting: Setting[T], value: T) -> None:
        """Validate and save one value; others in the file stay, those of a newer version as well.

        Raises SettingRejected, DiskFull, FileNotSaved (the file is then unchanged, and so is the value).
        """
        valid = setting.validated(value)
        self._write(setting, lambda raw: raw | {setting.key: msgspec.to_builtins(valid)})

    def reset(self, setting: Setting[Any]) -> None:
        """Return to the default. Raises DiskFull, FileNotSaved."""
        self._write(setting, lambda raw: {key: kept for key, kept in raw.items() if key != setting.key})

    def subscribe(self, callback: Changed) -> Callable[[], None]:
        """Call `callback(setting, value)` after each change made through this store; returns the way to end it."""
        self._listeners.append(callback)
        return lambda: self._listeners.remove(callback)

    def _write(self, setting: Setting[Any], change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        with self._lock, locked(self._path):
            raw = change(self._read())
            write_atomically(self._path, msgspec.json.format(msgspec.json.encode(raw), indent=2) + b"\n")
            self._raw = raw
            self._convert()
        for callback in tuple(self._listeners):
            callback(setting, self.get(setting))

    def _read(self) -> dict[str, Any]:
        """The file's entries; a file that is no JSON object is moved aside. Raises FileNotSaved where it must stay."""
        try:
            data = read_bounded(self._path)
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise FileNotSaved(path=str(self._path), reason=error.strerror or str(error), detail=error) from error
        try:
            return msgspec.json.decode(data.removeprefix(b"\xef\xbb\xbf"), type=dict[str, Any])
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            self._notice(_KEPT_ASIDE, reason=str(error), path=str(move_aside(self._path)))
            return {}

    def _convert(self) -> None:
        """Take over the good values of `_raw`; a bad one stays in the file, and is told once."""
        self._values = {}
        for setting in ALL_SETTINGS:
            if setting.key not in self._raw:
                continue
            try:
                self._values[setting.key] = setting.validated(self._raw[setting.key])
            except SettingRejected as error:
                self._notice(_BAD_VALUE, setting=setting.key, value=error.arguments["value"])

    def _notice(self, template: str, **arguments: str | float) -> None:
        if (notice := Phrase(template, dict(arguments))) not in self.notices:
            self.notices += (notice,)
