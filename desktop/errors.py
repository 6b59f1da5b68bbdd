"""Words for people that are not bound to a face, and the errors made of them.

A `Phrase` is a template with its arguments instead of a finished sentence, so that the window can translate it and the
command line can print it as it is. An `AppError` is two phrases: what happened, and what to do next. `detail` is for
the log only. Every template is marked with QT_TRANSLATE_NOOP("core", ...), the one translation context outside ui.
"""

from collections.abc import Callable
from typing import ClassVar, NamedTuple, Self

import msgspec

Translate = Callable[[str], str]
"""Source text -> translated text, in the context "core"."""

Argument = str | int | float


def QT_TRANSLATE_NOOP(context: str, text: str) -> str:  # noqa: N802 - the name is what Qt's lupdate looks for
    """Mark `text` for translation without translating it here; returns `text` unchanged."""
    return text


def untranslated(text: str) -> str:
    """Translate nothing: what the command line and the log use."""
    return text


class Phrase(msgspec.Struct, frozen=True):
    """A sentence to be rendered at the edge: a template with named fields, and their values."""

    template: str
    arguments: dict[str, Argument] = {}

    @classmethod
    def of(cls, template: str, **arguments: Argument) -> Self:
        """Build a phrase from a template marked with QT_TRANSLATE_NOOP("core", ...)."""
        return cls(template, arguments)

    def render(self, translate: Translate = untranslated) -> str:
        """Return the finished sentence."""
        return translate(self.template).format(**self.arguments)


class Explanation(NamedTuple):
    """An error, ready to be shown."""

    message: str
    hint: str


class AppError(Exception):
    """An error that is explained: `message` says what happened, `hint` what to do next.

    Subclasses declare `message` and `hint` once, as marked templates; the fields are given as keyword arguments. One
    that is a Phrase is translated, too; in `arguments` it is as it is untranslated.
    """

    message: ClassVar[str] = QT_TRANSLATE_NOOP("core", "Something went wrong: {reason}")
    hint: ClassVar[str] = QT_TRANSLATE_NOOP("core", "Try again. If it happens again, look into the log.")
    exit_code: ClassVar[int] = 1

    def __init__(self, *, detail: object = None, **arguments: Argument | Phrase) -> None:
        self._phrases = {name: value for name, value in arguments.items() if isinstance(value, Phrase)}
        self.arguments: dict[str, Argument] = {
            name: value.render() if isinstance(value, Phrase) else value for name, value in arguments.items()
        }
        self.detail = detail
        super().__init__(self.explain().message)

    def explain(self, translate: Translate = untranslated) -> Explanation:
        """Render both templates through `translate`."""
        arguments = self.arguments | {name: phrase.render(translate) for name, phrase in self._phrases.items()}
        return Explanation(
            Phrase(self.message, arguments).render(translate), Phrase(self.hint, arguments).render(translate)
        )


class WrongUsage(AppError):
    """The command line was used wrongly; exit code 2."""

    message = QT_TRANSLATE_NOOP("core", "{reason}")
    hint = QT_TRANSLATE_NOOP("core", 'Run "snug --help" to see what there is.')
    exit_code = 2


class FileUnreadable(AppError):
    """A file that is needed cannot be read."""

    message = QT_TRANSLATE_NOOP("core", "{path} cannot be read: {reason}")
    hint = QT_TRANSLATE_NOOP("core", "Check that the file is there and that you may read it.")


class DiskFull(AppError):
    """There is no room left to write to."""

    message = QT_TRANSLATE_NOOP("core", "The disk with {path} is full.")
    hint = QT_TRANSLATE_NOOP("core", "Free some space or choose another folder, then try again. Nothing was lost.")
