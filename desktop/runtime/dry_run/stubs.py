"""A stub of a file that a question names beside its model, for as long as the engine looks at it."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from desktop.gguf.header import GgufHeader
from desktop.gguf.stub import stub_of_file


@contextmanager
def stub_for(path: str, header: GgufHeader) -> Iterator[str]:
    """Write the stub of the file at `path`, and remove it at the end; header: with the tensors of all its parts.

    It takes some kilobytes of the folder for temporary files. Raises OSError, and AppError for a file that is gone.
    """
    with tempfile.TemporaryDirectory(prefix="snug-stub-", ignore_cleanup_errors=True) as folder:
        stub = Path(folder) / "stub.gguf"
        stub_of_file(Path(path), header).write(stub)
        yield str(stub)
