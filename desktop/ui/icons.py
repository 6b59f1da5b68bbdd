"""The line-drawn icons of resources/icons, in any colour and sharp on any screen."""

import functools

from PySide6.QtCore import QByteArray, QRectF, Qt
from PySide6.QtGui import QGuiApplication, QIcon, QPainter, QPixmap
from PySide6.QtSvg import QSvgRenderer

from desktop.paths import resources_folder

ICON_SIZE = 20


@functools.lru_cache(maxsize=256)
def icon(name: str, colour: str, disabled: str | None = None, *, gap: int = 0) -> QIcon:
    """The icon called `name` ("chat") drawn in `colour` ("#rrggbb"); raises FileNotFoundError when there is none.

    gap: empty pixels at its right, for a button whose words stand beside it: no style has a setting for that.
    """
    result = QIcon()
    for scale in _scales():
        result.addPixmap(icon_pixmap(name, colour, ICON_SIZE, scale, gap=gap))
        if disabled:
            result.addPixmap(icon_pixmap(name, disabled, ICON_SIZE, scale, gap=gap), QIcon.Mode.Disabled)
    return result


def _scales() -> tuple[float, ...]:
    """Device pixels per pixel of the screens at hand: what nobody can show is not drawn."""
    return tuple(sorted({1.0, *(screen.devicePixelRatio() for screen in QGuiApplication.screens())}))


@functools.lru_cache(maxsize=512)
def icon_pixmap(name: str, colour: str, size: int = ICON_SIZE, scale: float = 1.0, *, gap: int = 0) -> QPixmap:
    """The icon as a picture of `size` logical pixels, `gap` wider, at `scale` device pixels per pixel."""
    renderer = QSvgRenderer(QByteArray(_source(name).replace("currentColor", colour).encode()))
    pixmap = QPixmap(round((size + gap) * scale), round(size * scale))
    pixmap.setDevicePixelRatio(scale)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    renderer.render(painter, QRectF(0, 0, size, size))
    painter.end()
    return pixmap


@functools.cache
def _source(name: str) -> str:
    return (resources_folder() / "icons" / f"{name}.svg").read_text(encoding="utf-8")
