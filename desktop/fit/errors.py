"""What fit refuses, each with a next step."""

from desktop.errors import QT_TRANSLATE_NOOP, AppError, Argument


class DoesNotFit(AppError):
    """A model cannot be placed with its margin on every device, at any context.

    missing: bytes that would have to be free in addition on the tightest device. alternative_context: tokens that
    would fit, None when no context does.
    """

    message = QT_TRANSLATE_NOOP(
        "core", "{model} with a context of {context} tokens needs {need} on {device}, where {free} may be used."
    )
    hint = QT_TRANSLATE_NOOP("core", "Choose a smaller quantization or a smaller model, or close other programs.")
    alternative_context: int | None = None

    def __init__(self, *, missing: int, detail: object = None, **arguments: Argument) -> None:
        self.missing = missing
        super().__init__(detail=detail, **arguments)


class DoesNotFitAtThisContext(DoesNotFit):
    """The same, but a shorter context fits."""

    hint = QT_TRANSLATE_NOOP(
        "core", "A context of {alternative} tokens fits. Or choose a smaller quantization or a smaller model."
    )

    def __init__(self, *, missing: int, alternative: int, detail: object = None, **arguments: Argument) -> None:
        self.alternative_context = alternative
        super().__init__(missing=missing, detail=detail, alternative=alternative, **arguments)
