"""Render the scenes: `python -m tests.screenshots [--all] [--out FOLDER] [NAME ...]`.

Without --all: light, dark and Chinese at 1x. With --all: every language and scheme at 1x and 2x.
"""

import argparse
import itertools
import os
import shutil
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("SNUG_HOME", _HOME := tempfile.mkdtemp(prefix="snug-screenshots-"))

from PySide6.QtCore import QCoreApplication, QEvent
from PySide6.QtGui import QFontDatabase, QPixmap
from PySide6.QtWidgets import QApplication

from desktop.ui.app import make_application
from desktop.ui.language import install_language
from desktop.ui.main_window import MainWindow
from desktop.ui.page_list import PAGES
from desktop.ui.shell import Shell
from desktop.ui.theme import DARK, LIGHT, apply_colours
from tests.screenshots.scenes import SCENES, Scene

OUT = Path(__file__).resolve().parents[2] / "docs" / "screenshots"
USUAL_VARIANTS = (("en", "light", 1), ("en", "dark", 1), ("zh_CN", "light", 1))
ALL_VARIANTS = tuple(itertools.product(("en", "zh_CN"), ("light", "dark"), (1, 2)))


def main() -> int:
    """Render what was asked for; returns 1 when a name is unknown."""
    parser = argparse.ArgumentParser(prog="make screenshots")
    parser.add_argument("names", nargs="*", help="scenes; all of them by default")
    parser.add_argument("--all", action="store_true", help="both languages, both schemes, 1x and 2x")
    parser.add_argument("--out", type=Path, default=OUT)
    arguments = parser.parse_args()
    unknown = set(arguments.names) - {scene.name for scene in SCENES}
    if unknown:
        print(f"no such scene: {', '.join(sorted(unknown))}", file=sys.stderr)
        return 1
    scenes = [scene for scene in SCENES if not arguments.names or scene.name in arguments.names]
    arguments.out.mkdir(parents=True, exist_ok=True)
    application = make_application([])
    if not QFontDatabase.families(QFontDatabase.WritingSystem.SimplifiedChinese):
        print("No font with Chinese characters is installed (for example fonts-noto-cjk).", file=sys.stderr)
        return 1
    for variant in ALL_VARIANTS if arguments.all else USUAL_VARIANTS:
        render_variant(application, scenes, *variant, arguments.out)
    return 0


def render_variant(
    application: QApplication, scenes: list[Scene], language: str, scheme: str, scale: int, out: Path
) -> None:
    """Render every scene in one language, scheme and scale."""
    translators = install_language(application, language)
    apply_colours(application, DARK if scheme == "dark" else LIGHT)
    for scene in scenes:
        suffix = "@2x" if scale == 2 else ""
        file = out / f"{scene.name}-{scheme}-{language[:2]}{suffix}.png"
        render(application, scene, scale).save(str(file))
        print(file)
    for translator in translators:
        application.removeTranslator(translator)


def render(application: QApplication, scene: Scene, scale: int) -> QPixmap:
    """Build the window anew, bring it into the scene's state, and take its picture."""
    window = MainWindow(pages=PAGES, shell=Shell())
    window.resize(*scene.size)
    window.show_page(scene.page)
    window.show()
    application.processEvents()
    scene.fill(window.view(scene.page))
    window.status.set_state("ready", QCoreApplication.translate("EngineWords", "Ready"))
    for _ in range(4):
        application.processEvents()
    picture = QPixmap(window.size() * scale)
    picture.setDevicePixelRatio(scale)
    window.render(picture)
    window.close()
    window.deleteLater()
    application.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    return picture


if __name__ == "__main__":
    try:
        sys.exit(main())
    finally:
        shutil.rmtree(_HOME)
