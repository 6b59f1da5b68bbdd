"""Lists and scans a library of 500 models: the list must take less than 50 ms of processor time.

    python -m benchmarks.library

The files are whole ones of some kilobytes in 500 folders; the list looks at each of them. A scan of unchanged files and
a first scan are printed beside it. Exit code 1 when the list takes longer.
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from desktop.library.library import Library
from desktop.library.stores.place import Place
from tests.support.model_files import small_model

MODELS = 500
BOUND = 0.050  # seconds
_TIMES = 20


def main() -> int:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number in range(MODELS):
            small_model(
                folder / "mine" / f"owner{number % 20}" / f"repo{number}" / f"m{number}.gguf", fill=number % 256
            )
        library = Library.open(folder / "library.sqlite3", folder / "models")
        try:
            library.found.add_folder(folder / "mine")
            place = Place(folder, {})
            begun = time.process_time()
            read = library.scan(place=place).read
            print(f"first scan, {read} headers read: {time.process_time() - begun:.3f} s")
            again = statistics.median(_seconds(lambda: library.scan(place=place)) for _ in range(_TIMES))
            print(f"scan again, nothing read: {1e3 * again:.1f} ms")
            listed = statistics.median(_seconds(library.installed) for _ in range(_TIMES))
        finally:
            library.close()
    print(f"list of {MODELS} models: {1e3 * listed:.1f} ms (bound: {1e3 * BOUND:.0f} ms)")
    return int(listed > BOUND)


def _seconds(work: Callable[[], object]) -> float:
    begun = time.process_time()
    work()
    return time.process_time() - begun


if __name__ == "__main__":
    sys.exit(main())
