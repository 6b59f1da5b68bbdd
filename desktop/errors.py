"""The errors a person may see: what happened, and what to do next.

An `AppError` carries templates and their arguments instead of a finished sentence, so that the window can translate
them and the command line can print them. `detail` is for the log only.
"""

from collections.abc import Callable
from typing import ClassVar, NamedTuple

Translate = Callable[[str, str], str]
"""(context, source text) -> translated text."""


def QT_TRANSLATE_NOOP(context: str, text: str) -> str:  # noqa: N802 - the name is what Qt's lupdate looks for
    """Mark `text` for translation without translating it here; returns `text` unchanged."""
    return text


def untranslated(context: str, text: str) -> str:
    """Translate nothing: what the command line and the log use."""
    return text


class Explanation(NamedTuple):
    """An error, ready to be shown."""

    message: str
    hint: str


class AppError(Exception):
    """An error that is explained: `message` says what happened, `hint` what to do next.

    Subclasses declare `message` and `hint` once, as templates with named fields, marked for translation in the
    context "errors". The fields are given as keyword arguments.
    """

    message: ClassVar[str] = QT_TRANSLATE_NOOP("errors", "Something went wrong: {reason}")
    hint: ClassVar[str] = QT_TRANSLATE_NOOP("errors", "Try again. If it happens again, look into the log.")
    exit_code: ClassVar[int] = 1

    def __init__(self, *, detail: object = None, **arguments: object) -> None:
        self.arguments = arguments
        self.detail = detail
        super().__init__(self.explain().message)

    def explain(self, translate: Translate = untranslated) -> Explanation:
        """Render both templates through `translate`."""
        return Explanation(
            translate("errors", self.message).format(**self.arguments),
            translate("errors", self.hint).format(**self.arguments),
        )


class WrongUsage(AppError):
    """The command line was used wrongly; exit code 2."""

    message = QT_TRANSLATE_NOOP("errors", "{reason}")
    hint = QT_TRANSLATE_NOOP("errors", 'Run "snug --help" to see what there is.')
    exit_code = 2


class FileUnreadable(AppError):
    """A file that is needed cannot be read."""

    message = QT_TRANSLATE_NOOP("errors", "{path} cannot be read: {reason}")
    hint = QT_TRANSLATE_NOOP("errors", "Check that the file is there and that you may read it.")


class DiskFull(AppError):
    """There is no room left to write to."""

    message = QT_TRANSLATE_NOOP("errors", "The disk with {path} is full.")
    hint = QT_TRANSLATE_NOOP("errors", "Free some space or choose another folder, then try again. Nothing was lost.")
