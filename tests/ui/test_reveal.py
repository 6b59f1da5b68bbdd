"""A file is selected in the system's file manager: over a real message bus, and by a real program."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

FILE = "Tiny, ü & more.gguf"

_FILE_MANAGER = """
import sys
from PySide6.QtCore import ClassInfo, QCoreApplication, QObject, Slot
from PySide6.QtDBus import QDBusConnection

@ClassInfo({"D-Bus Interface": "org.freedesktop.FileManager1"})
class FileManager(QObject):
    @Slot("QStringList", str)
    def ShowItems(self, addresses, start):
        print("shown", *addresses, flush=True)

application = QCoreApplication([])
manager, bus = FileManager(), QDBusConnection.sessionBus()
bus.registerObject("/org/freedesktop/FileManager1", manager, QDBusConnection.RegisterOption.ExportAllSlots)
print(bus.registerService("org.freedesktop.FileManager1"), flush=True)
application.exec()
"""

_PERSON = """
import asyncio, json, sys
from pathlib import Path
import qasync
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QApplication
from desktop.ui import reveal

opened = []
QDesktopServices.openUrl = lambda url: opened.append(url.toLocalFile()) or True
loop = qasync.QEventLoop(QApplication([]))
with loop:
    shown = [loop.run_until_complete(reveal.reveal(Path(path))) for path in sys.argv[1:]]
print(json.dumps([shown, opened]))
"""


@pytest.fixture
def bus(tmp_path: Path) -> Iterator[dict[str, str]]:
    """The environment of a session with a bus of its own, on which nobody is yet."""
    daemon = shutil.which("dbus-daemon")
    if daemon is None:
        pytest.skip("dbus-daemon is not installed: nothing was tried over a message bus")
    address = f"unix:path={tmp_path}/bus"
    process = subprocess.Popen(
        [daemon, "--session", "--nofork", "--nopidfile", f"--address={address}", "--print-address"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline()
    yield {**os.environ, "DBUS_SESSION_BUS_ADDRESS": address, "QT_QPA_PLATFORM": "offscreen"}
    process.kill()
    process.communicate()


def ask(environment: dict[str, str], *places: Path) -> tuple[list[bool], list[str]]:
    """What a window would answer, and which folders it would open instead."""
    command = [sys.executable, "-c", _PERSON, *map(str, places)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    shown, opened = json.loads(done.stdout)
    return shown, opened


@pytest.mark.skipif(sys.platform != "linux", reason="only desktops of Linux are asked over a bus")
def test_a_file_manager_on_the_bus_is_asked_to_select_the_file(bus: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / FILE
    file.touch()
    assert ask(bus, file) == ([True], [str(tmp_path)]), "nobody is on the bus: its folder is opened"
    command = [sys.executable, "-c", _FILE_MANAGER]
    with subprocess.Popen(command, env=bus, stdout=subprocess.PIPE, text=True) as manager:
        assert manager.stdout is not None
        assert manager.stdout.readline() == "True\n"
        assert ask(bus, file, tmp_path) == ([True, True], [str(tmp_path)]), "a folder is opened"
        manager.terminate()
        assert manager.stdout.read() == f"shown {file.as_uri()}\n"


@pytest.mark.skipif(sys.platform != "linux", reason="only desktops of Linux are asked over a bus")
def test_without_a_bus_the_folder_is_opened(tmp_path: Path) -> None:
    file = tmp_path / FILE
    file.touch()
    nowhere = {**os.environ, "DBUS_SESSION_BUS_ADDRESS": f"unix:path={tmp_path}/none", "QT_QPA_PLATFORM": "offscreen"}
    assert ask(nowhere, file) == ([True], [str(tmp_path)])


@pytest.mark.asyncio
@pytest.mark.skipif(sys.platform == "win32", reason="the program is a script of a shell")
async def test_a_mac_is_asked_by_its_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from desktop.ui import reveal

    monkeypatch.setenv("PATH", str(tmp_path))
    assert not await reveal._select(tmp_path / FILE, "darwin"), "there is no such program"
    script = tmp_path / "open"
    script.write_text(f'#!/bin/sh\nprintf "%s|" "$@" > "{tmp_path}/told"\ntest ! -e "{tmp_path}/refuse"\n')
    script.chmod(0o755)
    assert await reveal._select(tmp_path / FILE, "darwin")
    assert (tmp_path / "told").read_text() == f"-R|{tmp_path / FILE}|"
    (tmp_path / "refuse").touch()
    assert not await reveal._select(tmp_path / FILE, "darwin")
