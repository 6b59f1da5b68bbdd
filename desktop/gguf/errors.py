"""What can be wrong with a GGUF file, each with a next step."""

from desktop.errors import QT_TRANSLATE_NOOP, AppError


class GgufError(AppError):
    """Base of everything that is wrong with a model file."""


class NotAGguf(GgufError):
    """The file does not begin as a GGUF does."""

    message = QT_TRANSLATE_NOOP("core", "{path} is not a GGUF model file.")
    hint = QT_TRANSLATE_NOOP("core", "Choose a file that ends in .gguf, or download the model again.")


class UnsupportedGguf(GgufError):
    """A GGUF, but of a kind that this program cannot read (version, byte order, tensor type)."""

    message = QT_TRANSLATE_NOOP("core", "{path} is a GGUF file that cannot be read here: {reason}.")
    hint = QT_TRANSLATE_NOOP("core", "Update Snug, or choose another file of the same model.")


class TruncatedGguf(GgufError):
    """The file ends too early."""

    message = QT_TRANSLATE_NOOP("core", "{path} is incomplete: {reason}.")
    hint = QT_TRANSLATE_NOOP("core", "Download it again; most of it may still be used.")


class CorruptGguf(GgufError):
    """The file contradicts itself."""

    message = QT_TRANSLATE_NOOP("core", "{path} is damaged: {reason}.")
    hint = QT_TRANSLATE_NOOP("core", "Download it again, or choose a file from another publisher.")
