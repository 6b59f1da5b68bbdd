"""What is noted while a child lives, to tell why it died: read from the system, never guessed."""

import asyncio
import re
from collections import deque
from pathlib import Path

import msgspec

from desktop.engine.protocol import EngineFailure, FailureKind, LoadPlan
from desktop.gguf.shards import all_shards

_CGROUP_V2, _CGROUP_V1 = "sys/fs/cgroup", "sys/fs/cgroup/memory"
_COUNTER = re.compile(r"^oom_kill (\d+)$", re.MULTILINE)


class Evidence:
    """Two things about a child: how often the kernel killed for memory around it, and how large its files were.

    Linux counts its kills for want of memory per control group (memory.events of cgroup v2, memory.oom_control of v1:
    Documentation/admin-guide/cgroup-v2.rst, cgroup-v1/memory.rst) and for the whole system (/proc/vmstat).
    """

    def __init__(self, pid: int, *, root: Path = Path("/")) -> None:
        self._pid, self._root = pid, root
        # Two, because the kernel may need longer to clear a large child away than lies between two notes.
        self._notes: deque[tuple[Path | None, int | None]] = deque(maxlen=2)
        self._sizes: dict[Path, int] = {}
        self.note_memory()

    def note_memory(self) -> None:
        """Note the kernel's counter of kills; called again and again, so that an old kill is not taken for this one."""
        counter = self._find_counter()
        self._notes.append((counter, _kills_in(counter)))

    def note_files_of(self, plan: LoadPlan) -> None:
        """Note how large the files of a plan are, in the background: their disk may not answer."""
        asyncio.get_running_loop().run_in_executor(None, self.note_files, plan)

    def note_files(self, plan: LoadPlan) -> None:
        """Note how large the files of a plan are; what is not there is not noted."""
        named = (plan.mmproj_path, plan.draft_path, *(adapter.path for adapter in plan.lora))
        paths = [*all_shards(Path(plan.model_path)), *(Path(name) for name in named if name)]
        sizes = {path: _size(path) for path in paths}
        self._sizes = {path: size for path, size in sizes.items() if size is not None}

    def explain(self, failure: EngineFailure) -> EngineFailure:
        """Make what an exit code says more exact, where something was noted that does."""
        if failure.kind == FailureKind.KILLED and self._killed_for_memory():
            return msgspec.structs.replace(failure, kind=FailureKind.KILLED_FOR_MEMORY)
        # A mapped file that became shorter ends who reads it with SIGBUS (or an in-page error on Windows).
        if failure.kind == FailureKind.SEGMENTATION_FAULT and (path := self._shrunk()):
            detail = f"{path.name} became shorter while it was in use"
            arguments = {**failure.arguments, "path": str(path)}
            return msgspec.structs.replace(failure, kind=FailureKind.CORRUPT_FILE, detail=detail, arguments=arguments)
        return failure

    def _killed_for_memory(self) -> bool:
        counter, _ = self._notes[-1]
        now = _kills_in(counter)
        before = [kills for noted, kills in self._notes if noted == counter and kills is not None]
        return now is not None and any(kills < now for kills in before)

    def _shrunk(self) -> Path | None:
        return next((path for path, size in self._sizes.items() if (_size(path) or 0) < size), None)

    def _find_counter(self) -> Path | None:
        """The file with the counter that is nearest to the child."""
        near = (self._root / folder / name for folder, name in self._groups())
        whole = self._root / "proc/vmstat"
        return next((path for path in (*near, whole) if _kills_in(path) is not None), None)

    def _groups(self) -> list[tuple[str, str]]:
        """The child's own control group, of v2 before v1."""
        try:
            lines = (self._root / f"proc/{self._pid}/cgroup").read_text(encoding="utf-8", errors="replace").split("\n")
        except OSError:
            return []
        found: list[tuple[str, str]] = []
        for line in lines:
            number, _, rest = line.partition(":")
            controllers, _, group = rest.partition(":")
            if number == "0":
                found.insert(0, (_CGROUP_V2 + group, "memory.events"))
            elif "memory" in controllers.split(","):
                found.append((_CGROUP_V1 + group, "memory.oom_control"))
        return found


def _kills_in(path: Path | None) -> int | None:
    try:
        match = _COUNTER.search(path.read_text(encoding="ascii", errors="replace")) if path else None
    except OSError:
        return None
    return int(match[1]) if match else None


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None
