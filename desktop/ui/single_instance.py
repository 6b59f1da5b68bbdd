"""One window per profile: a second start raises the first and ends."""

import hashlib
import time
from pathlib import Path

from PySide6.QtCore import QObject, Signal
from PySide6.QtNetwork import QLocalServer, QLocalSocket

_PATIENCE = 5000
"""Milliseconds for the first window to answer; it may still be starting."""
_PAUSE = 0.05


def socket_name(lock_path: Path) -> str:
    """The local socket of the profile whose lock file is `lock_path`."""
    return "snug-" + hashlib.sha256(str(lock_path).encode()).hexdigest()[:24]


def raise_first_window(lock_path: Path) -> bool:
    """Ask the window that holds the profile to come to the front; False when nothing answers."""
    socket = QLocalSocket()
    until = time.monotonic() + _PATIENCE / 1000
    socket.connectToServer(socket_name(lock_path))
    while not socket.waitForConnected(_PATIENCE):
        if time.monotonic() >= until:
            return False
        time.sleep(_PAUSE)  # it holds the profile already, and listens once it is painted
        socket.connectToServer(socket_name(lock_path))
    socket.write(b"raise\n")
    socket.waitForBytesWritten(_PATIENCE)
    socket.disconnectFromServer()
    return True


class RaiseListener(QObject):
    """Hears later starts of the same profile."""

    raise_requested = Signal()

    def __init__(self, lock_path: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._server = QLocalServer(self)
        self._server.setSocketOptions(QLocalServer.SocketOption.UserAccessOption)
        name = socket_name(lock_path)
        QLocalServer.removeServer(name)  # what a killed window left; we hold the lock, so nobody listens there
        self.listening = self._server.listen(name)
        self._server.newConnection.connect(self._on_connected)

    def close(self) -> None:
        """Stop listening."""
        self._server.close()

    def _on_connected(self) -> None:
        while (connection := self._server.nextPendingConnection()) is not None:
            connection.disconnected.connect(connection.deleteLater)
            self.raise_requested.emit()
