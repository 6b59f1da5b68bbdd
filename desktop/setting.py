"""What a setting is: its type, its bounds, its words, and which values it refuses. The settings are in settings.py."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

import msgspec

from desktop.errors import QT_TRANSLATE_NOOP, AppError

T = TypeVar("T")


class SettingRejected(AppError):
    """A value is not one this setting can have."""

    message = QT_TRANSLATE_NOOP("core", "{setting} cannot be {value}: {reason}")
    hint = QT_TRANSLATE_NOOP("core", "docs/settings.md lists what each setting can be.")


class SettingChoice(msgspec.Struct, frozen=True):
    """One of the values that a setting can have, and its name for the person."""

    value: str
    title: str


@dataclass(frozen=True, kw_only=True)
class Setting(Generic[T]):
    """One setting.

    key: its name in the file. type: what msgspec validates it against. since: the version it came with.
    title, help, section: marked templates. minimum, maximum: inclusive, in the unit that `help` names.
    environment: a variable that wins over the file. problem: what else is wrong with a value. hidden: not on the page.
    """

    key: str
    type: Any
    default: T
    since: str
    section: str
    title: str = ""
    help: str = ""
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[SettingChoice, ...] = ()
    environment: str = ""
    hidden: bool = False
    problem: Callable[[T], str] | None = None

    def validated(self, value: object) -> T:
        """Return `value` as this setting's type.

        Raises SettingRejected where it has another type, is out of range or is no choice.
        """
        if isinstance(value, str):  # a lone surrogate can be in no JSON file
            value = value.encode("utf-8", "replace").decode()
        try:
            plain = msgspec.to_builtins(value)
            msgspec.json.encode(plain)  # what is accepted can be written
            converted = msgspec.convert(plain, self.type)
        except (msgspec.MsgspecError, TypeError, UnicodeEncodeError) as error:
            raise self._rejected(value, str(error)) from error
        self._check_range(converted)
        if self.choices and converted not in {choice.value for choice in self.choices}:
            raise self._rejected(value, "it is none of " + ", ".join(choice.value for choice in self.choices))
        if self.problem is not None and (reason := self.problem(converted)):
            raise self._rejected(value, reason)
        return cast("T", converted)

    def _check_range(self, value: object) -> None:
        if not isinstance(value, int | float) or isinstance(value, bool):
            return
        low = -math.inf if self.minimum is None else self.minimum
        high = math.inf if self.maximum is None else self.maximum
        if not low <= value <= high:
            raise self._rejected(value, f"it must be between {low:.10g} and {high:.10g}")

    def _rejected(self, value: object, reason: str) -> SettingRejected:
        return SettingRejected(setting=self.key, value=repr(value)[:80], reason=reason)
