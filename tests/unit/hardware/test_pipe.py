"""The owner's end of a child's pipe, where the child has ended."""

import errno
import io
import sys
from typing import Any

import pytest

from desktop.hardware.pipe import LineChild

pytestmark = pytest.mark.asyncio


class Broken(io.RawIOBase):
    """A pipe whose writes fail with `code`, while there is one."""

    def __init__(self, code: int) -> None:
        super().__init__()
        self.code = code

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        if self.code:
            raise OSError(self.code, "broken")
        return len(data)


@pytest.mark.parametrize("code", [errno.EPIPE, errno.EINVAL], ids=["EPIPE", "EINVAL"])
async def test_what_a_child_that_has_ended_does_not_hear_is_no_error_on_any_system(
    code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("desktop.hardware.pipe.child_command", lambda *_: [sys.executable, "-c", "pass"])
    child = LineChild("dry-run")
    assert await child.read_line(30) is None
    child._stdin.close()
    child._stdin = io.BufferedWriter(Broken(code))
    child.write_line(b"question")
    await child.close()
    assert child.exit_code == 0


async def test_what_cannot_be_written_to_a_child_that_lives_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "desktop.hardware.pipe.child_command", lambda *_: [sys.executable, "-c", "import time; time.sleep(60)"]
    )
    child = LineChild("dry-run")
    child._stdin.close()
    broken = Broken(errno.EIO)
    child._stdin = io.BufferedWriter(broken)
    with pytest.raises(OSError, match="broken"):
        child.write_line(b"question")
    broken.code = 0
    await child.close()
