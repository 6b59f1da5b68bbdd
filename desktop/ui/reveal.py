"""Selecting a file in the system's file manager; where that is not to be had, its folder is opened."""

import asyncio
import logging
import subprocess
import sys
from functools import partial
from pathlib import Path

from PySide6.QtCore import QUrl
from PySide6.QtGui import QDesktopServices

from desktop.threads import in_daemon_thread

_SERVICE = "org.freedesktop.FileManager1"  # https://www.freedesktop.org/wiki/Specifications/file-manager-interface
_OBJECT = "/org/freedesktop/FileManager1"
_LONGEST_START = 10.0  # seconds; a file manager may have to be started first
_log = logging.getLogger(__name__)


async def reveal(place: Path) -> bool:
    """Show `place`, a file or a folder; returns whether a file manager was found for it."""
    is_folder = await asyncio.to_thread(place.is_dir)
    if not is_folder and await _select(place):
        return True
    return QDesktopServices.openUrl(QUrl.fromLocalFile(str(place if is_folder else place.parent)))


async def _select(file: Path, system: str = sys.platform) -> bool:
    if system == "darwin":
        return await _run(["open", "-R", str(file)]) == 0
    if system == "win32":
        # A path with a comma needs these quotes, which a list of arguments does not give. Its exit code says nothing.
        return await _run(f'explorer /select,"{file}"') is not None
    return await _select_by_bus(file)


async def _run(command: list[str] | str) -> int | None:
    """The exit code of a program that ends by itself; None where it could not be started or did not end."""
    run = partial(subprocess.run, command, check=False, timeout=_LONGEST_START, stdin=subprocess.DEVNULL)
    try:
        return (await in_daemon_thread(run, name="reveal")).returncode
    except (OSError, subprocess.TimeoutExpired) as error:
        _log.info("no file was selected: %s", error)
        return None


async def _select_by_bus(file: Path) -> bool:
    # Loads a library of its own, which nobody else needs.
    from PySide6.QtDBus import QDBusConnection, QDBusMessage, QDBusPendingCallWatcher

    bus = QDBusConnection.sessionBus()
    if not bus.isConnected():
        return False
    call = QDBusMessage.createMethodCall(_SERVICE, _OBJECT, _SERVICE, "ShowItems")
    call.setArguments([[file.as_uri()], ""])  # the second: of which start the person should see the progress
    answered = asyncio.Event()
    watcher = QDBusPendingCallWatcher(bus.asyncCall(call, round(_LONGEST_START * 1000)))
    watcher.finished.connect(answered.set)
    await answered.wait()
    if watcher.isError():
        _log.info("no file was selected: %s", watcher.error().message())
    return not watcher.isError()
