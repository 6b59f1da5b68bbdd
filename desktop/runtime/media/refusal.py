"""How an attached file is refused."""

from desktop.engine.protocol import FailureKind
from desktop.runtime.failures import EngineError


def refuse(reason: str) -> EngineError:
    """Return the error for an attachment that is not used. reason: in words, for the person."""
    return EngineError(FailureKind.BAD_MEDIA, reason)
