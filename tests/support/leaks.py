"""Fails a test that leaves a child process, a thread or a running QTimer behind, and names where each began."""

import contextlib
import functools
import gc
import subprocess
import sys
import threading
import time
import traceback
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import psutil
import pytest

GRACE = 20.0
"""Seconds that children and threads may take to end after the test has; who has ended is not waited for."""

_ALLOWED_THREADS = (
    "pytest_timeout",  # the test runner's own watchdog
    "tqdm_monitor",  # tqdm starts one for the whole process, on the first bar
)
_THREADS_OF_A_LOOP = ("asyncio_",)
"""Of a loop's default executor: they end with the loop, which tests of a module may share."""
_OWN_FRAMES = (__file__, subprocess.__file__, threading.__file__)


class Origins:
    """Remembers where threads, children and timers were started, while it is active."""

    def __init__(self) -> None:
        self.threads: weakref.WeakKeyDictionary[threading.Thread, str] = weakref.WeakKeyDictionary()
        self.children: dict[int, str] = {}
        self.timers: dict[int, tuple[Any, str]] = {}

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Wrap the starting points for as long as the block runs."""
        with contextlib.ExitStack() as stack:
            stack.enter_context(_wrapped(threading.Thread, "start", self._note_thread))
            stack.enter_context(_wrapped(subprocess.Popen, "__init__", self._note_child))
            qtcore = sys.modules.get("PySide6.QtCore")
            if qtcore is not None:
                stack.enter_context(_wrapped(qtcore.QTimer, "start", self._note_timer))
            yield

    def _note_thread(self, thread: threading.Thread) -> None:
        self.threads[thread] = _where()

    def _note_child(self, child: "subprocess.Popen[Any]") -> None:
        self.children[child.pid] = _where()

    def _note_timer(self, timer: Any) -> None:
        self.timers[id(timer)] = (timer, _where())


@contextlib.contextmanager
def _wrapped(owner: type, name: str, note: Callable[[Any], None]) -> Iterator[None]:
    original = getattr(owner, name)

    @functools.wraps(original)
    def wrapper(self: Any, *args: Any, **kwargs: Any) -> Any:
        result = original(self, *args, **kwargs)
        note(self)
        return result

    setattr(owner, name, wrapper)
    try:
        yield
    finally:
        setattr(owner, name, original)


def _where() -> str:
    """The lines that led here, without this file's and the standard library's starters."""
    frames = [frame for frame in traceback.extract_stack() if frame.filename not in _OWN_FRAMES]
    interesting = [f for f in frames if "site-packages" not in f.filename and "importlib" not in f.filename]
    return "".join(traceback.format_list((interesting or frames)[-4:])).rstrip()


def live_children() -> dict[int, psutil.Process]:
    """Children of this process that run or wait to be reaped, by process id."""
    return {child.pid: child for child in psutil.Process().children(recursive=True)}


def _leaked_children(before: dict[int, psutil.Process], origins: Origins) -> list[str]:
    return [
        f"child process {pid} ({_command(child)}), begun at:\n{origins.children.get(pid, '  (not seen starting)')}"
        for pid, child in live_children().items()
        if pid not in before
    ]


def _command(child: psutil.Process) -> str:
    try:
        return " ".join(child.cmdline()) or child.status()
    except psutil.Error as error:
        return type(error).__name__


def _leaked_threads(before: set[threading.Thread], origins: Origins, allowed: tuple[str, ...]) -> list[str]:
    return [
        f"thread {thread.name!r}, begun at:\n{origins.threads.get(thread, '  (not seen starting)')}"
        for thread in threading.enumerate()
        if thread not in before and not thread.name.startswith(allowed)
    ]


def _leaked_timers(origins: Origins) -> list[str]:
    qtcore = sys.modules.get("PySide6.QtCore")
    if qtcore is None or not origins.timers:
        return []
    import shiboken6  # only where Qt is loaded already

    if qtcore.QCoreApplication.instance() is not None:
        qtcore.QCoreApplication.sendPostedEvents(None, qtcore.QEvent.Type.DeferredDelete)
    return [
        f"running QTimer, begun at:\n{where}"
        for timer, where in origins.timers.values()
        if shiboken6.isValid(timer) and timer.isActive()
    ]


_QT_FOLDERS = {"ui", "end2end", "screenshots"}


@pytest.fixture
def qt_garbage(request: pytest.FixtureRequest) -> Iterator[None]:
    """Qt objects die in the main thread only.

    Python's cyclic collector runs in whatever thread allocates. When that is a server's thread, it destroys widgets,
    notifiers and timers there, and Qt crashes at the next event. So in a test of views it runs here, at the end.
    """
    if _QT_FOLDERS.isdisjoint(request.path.parts):
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.collect()
        gc.enable()


@pytest.fixture(autouse=True)
def no_leaks(request: pytest.FixtureRequest, qt_garbage: None) -> Iterator[None]:
    """What the test started has ended when it ends; `allow_leaks(reason)` lifts this for one test."""
    children, threads, origins = live_children(), set(threading.enumerate()), Origins()
    with origins.watching():
        yield
    if request.node.get_closest_marker("allow_leaks"):
        return
    allowed = _ALLOWED_THREADS + (_THREADS_OF_A_LOOP if _shares_its_loop(request) else ())
    leaks = _wait_for_end(lambda: _leaked_children(children, origins) + _leaked_threads(threads, origins, allowed))
    timers = _leaked_timers(origins)
    origins.timers.clear()
    if leaks or timers:
        pytest.fail("This test leaves behind:\n" + "\n".join(leaks + timers), pytrace=False)


def _shares_its_loop(request: pytest.FixtureRequest) -> bool:
    marker = request.node.get_closest_marker("asyncio")
    return marker is not None and marker.kwargs.get("loop_scope", "function") != "function"


def _wait_for_end(find: Callable[[], list[str]]) -> list[str]:
    """What `find` still sees after the grace; asks again while there is something."""
    deadline = time.monotonic() + GRACE
    while (found := find()) and time.monotonic() < deadline:
        gc.collect()  # an executor's threads end when it is collected
        time.sleep(0.02)
    return found
