"""Looks for what the set-up needs from the system, before anything slow begins."""

import ctypes
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from snug_setup.missing import Need

QT_LIBRARIES = (
    "libEGL.so.1",
    "libGL.so.1",
    "libxkbcommon.so.0",
    "libdbus-1.so.3",
    "libfontconfig.so.1",
    "libglib-2.0.so.0",
)
"""What Qt's own wheels expect from a Linux system, even without a display."""

X11_LIBRARIES = (
    "libxcb-cursor.so.0",
    "libxcb-icccm.so.4",
    "libxcb-image.so.0",
    "libxcb-keysyms.so.1",
    "libxcb-render-util.so.0",
    "libxcb-shape.so.0",
    "libxcb-randr.so.0",
    "libxkbcommon-x11.so.0",
)
"""What Qt's X11 platform plugin expects beside them."""


def qt_libraries(*, with_window: bool, platform: str, environ: Mapping[str, str]) -> tuple[str, ...]:
    """The libraries that Qt needs here: none but on Linux, the X11 ones only where a window opens on X11."""
    if not platform.startswith("linux"):
        return ()
    chosen = environ.get("QT_QPA_PLATFORM", "xcb" if environ.get("DISPLAY") else "")
    x11 = with_window and chosen.startswith("xcb") and not environ.get("WAYLAND_DISPLAY")
    return QT_LIBRARIES + (X11_LIBRARIES if x11 else ())


def loads(library: str) -> bool:
    """Whether the system's loader finds `library`."""
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def missing_libraries(libraries: Iterable[str], *, found: Callable[[str], bool] = loads) -> list[Need]:
    """A need for each of `libraries` that the loader does not find."""
    return [
        Need(name, f"Qt needs the system library {name}, which is missing.") for name in libraries if not found(name)
    ]


def missing_venv() -> list[Need]:
    """Debian and its kin leave `venv` out of Python until a package is installed."""
    if importlib.util.find_spec("ensurepip") and importlib.util.find_spec("venv"):
        return []
    return [Need("venv", "Python's venv module is missing.")]


def missing_compiler() -> list[Need]:
    """A C++17 compiler that works; compiling three lines shows it (an Xcode without its licence does not)."""
    if sys.platform == "win32":
        return [] if _visual_studio() else [Need("compiler", "No C++ compiler (Visual Studio Build Tools) was found.")]
    named = os.environ.get("CXX")
    compilers = [named] if named else ["c++", "g++", "clang++"]
    if any(_compiles(compiler) for compiler in compilers if shutil.which(compiler.split()[0])):
        return []
    return [
        Need("compiler", f"No C++ compiler that works was found (tried {', '.join(compilers)}); the engine is built.")
    ]


def _compiles(compiler: str) -> bool:
    program = "#include <optional>\nint main() { return std::optional<int>(0).value(); }\n"
    command = [*compiler.split(), "-std=c++17", "-x", "c++", "-fsyntax-only", "-"]
    try:
        done = subprocess.run(command, input=program.encode(), capture_output=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _visual_studio() -> bool:
    if shutil.which("cl"):
        return True
    programs = os.environ.get("PROGRAMFILES(X86)", r"C:\Program Files (x86)")
    vswhere = Path(programs) / "Microsoft Visual Studio" / "Installer" / "vswhere.exe"
    if not vswhere.exists():
        return False
    component = "Microsoft.VisualStudio.Component.VC.Tools.x86.x64"
    command = [str(vswhere), "-latest", "-products", "*", "-requires", component, "-property", "installationPath"]
    return bool(subprocess.run(command, capture_output=True, text=True, timeout=60, check=False).stdout.strip())
