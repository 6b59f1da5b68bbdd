"""The C library's memory in the child of dry runs: what one question freed, the next one takes."""

import contextlib
import ctypes
import sys

# malloc.h of glibc. Left to itself it gives megabytes back to the system at the end of each question (a vocabulary
# without words has 10 of them) and asks for them again at the next, page by page.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_KEPT = 64 << 20
_LARGEST = 32 << 20  # the most that glibc takes for the second


def keep_what_is_freed() -> None:
    """Keep up to 64 MiB that is free; where the C library is another one, nothing happens."""
    if sys.platform == "linux":
        with contextlib.suppress(AttributeError, OSError):  # musl has no such function
            adjust = ctypes.CDLL(None).mallopt
            adjust(_TRIM_THRESHOLD, _KEPT)
            adjust(_MMAP_THRESHOLD, _LARGEST)
