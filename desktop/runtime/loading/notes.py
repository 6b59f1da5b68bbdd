"""What a person should know of a load that went well, but not quite as planned. Loads no native code."""

import re
from collections.abc import Iterable

from desktop.errors import QT_TRANSLATE_NOOP, Phrase

# llama-mmap.cpp, raw_lock: mlock of POSIX, VirtualLock of Windows, neither
_NOT_LOCKED = re.compile(
    r"failed to (?:mlock|VirtualLock)|(?:mlock|VirtualLock)[^:]*not supported|WorkingSetSize failed"
)
_NOT_HELD = QT_TRANSLATE_NOOP(
    "core", "The system does not let the engine keep the whole model in memory: parts of it may be swapped out."
)
_NUMA_KEPT = QT_TRANSLATE_NOOP(
    "core", "How memory is spread over the processors changes only when the engine is started again."
)


def lock_notes(lines: Iterable[str]) -> tuple[Phrase, ...]:
    """Tell from the engine's warnings whether the system refused to lock the model in memory."""
    return (Phrase.of(_NOT_HELD),) if any(_NOT_LOCKED.search(line) for line in lines) else ()


def numa_note() -> Phrase:
    """Tell that another NUMA strategy than this process began with needs another process."""
    return Phrase.of(_NUMA_KEPT)
