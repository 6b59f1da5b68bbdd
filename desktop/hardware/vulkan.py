"""The Vulkan loader and the drivers it would find, read from their manifests; no driver is loaded here.

Where the loader looks: "Driver discovery" in the Vulkan loader's LoaderDriverInterface.md.
"""

import ctypes
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec

from desktop.files import read_bounded
from desktop.hardware.believable import escaped
from desktop.hardware.types import Vulkan, VulkanDriver

_LOADERS = {"win32": "vulkan-1.dll", "darwin": "libvulkan.1.dylib"}
_OVERRIDES = ("VK_DRIVER_FILES", "VK_ICD_FILENAMES")
_LARGEST_MANIFEST = 1 << 16
_LONGEST_PATH = 4096
_MOST_MANIFESTS = 64


def read_vulkan() -> Vulkan:
    """Return whether the loader can be loaded (which the engine's Vulkan backend needs) and the installed drivers."""
    try:
        loader = ctypes.CDLL(_LOADERS.get(sys.platform, "libvulkan.so.1"))
    except OSError:
        return Vulkan(loads=False, drivers=drivers())
    return Vulkan(loads=True, version=_version(loader), drivers=drivers())


def _version(loader: ctypes.CDLL) -> str | None:
    """The loader's version; None for a loader of Vulkan 1.0, which has no such function."""
    try:
        ask = loader.vkEnumerateInstanceVersion
    except AttributeError:
        return None
    told = ctypes.c_uint32()
    if ask(ctypes.byref(told)):
        return None
    return f"{told.value >> 22 & 0x7F}.{told.value >> 12 & 0x3FF}.{told.value & 0xFFF}"


def drivers(manifests: list[Path] | None = None) -> tuple[VulkanDriver, ...]:
    """The drivers in `manifests`, or in those of this system; what is no manifest is left out."""
    chosen = (_manifests() if manifests is None else manifests)[:_MOST_MANIFESTS]
    libraries = _known_libraries() if chosen else ""
    found = (_read(manifest, libraries) for manifest in dict.fromkeys(chosen))
    return tuple(driver for driver in found if driver is not None)


def _read(manifest: Path, libraries: str) -> VulkanDriver | None:
    try:
        content = msgspec.json.decode(read_bounded(manifest, most=_LARGEST_MANIFEST))
        library = str(content["ICD"]["library_path"])
    except (OSError, msgspec.DecodeError, KeyError, TypeError):
        return None
    if not library:
        return None
    found = _is_there(manifest, library, libraries)
    return VulkanDriver(manifest=escaped(str(manifest)), library=escaped(library[:_LONGEST_PATH]), found=found)


def _is_there(manifest: Path, library: str, libraries: str) -> bool | None:
    """A path counts from the manifest's folder; a bare name is looked for where the system's linker does.

    None where nobody can tell: the system's list is not there, or the path leads into a folder that is closed to us.
    """
    if "/" in library or "\\" in library:
        try:
            return (manifest.parent / library).exists()
        except OSError:
            return None
    return f"/{library}\n" in libraries if libraries else None


def _known_libraries() -> str:
    """The linker's list of libraries with their paths, "" where it does not tell (macOS, Windows, musl)."""
    program = shutil.which("ldconfig", path=f"{os.environ.get('PATH', '')}:/sbin:/usr/sbin")
    if program is None or sys.platform != "linux":
        return ""
    listed = subprocess.run([program, "-p"], capture_output=True, timeout=5, check=False).stdout
    return listed.decode("utf-8", "replace")


def _manifests() -> list[Path]:
    if sys.platform == "win32":
        return [Path(name) for name in _registered()]
    for variable in _OVERRIDES:
        if named := os.environ.get(variable):
            return [file for name in named.split(":") for file in _files(Path(name))]
    added = [Path(name) for name in os.environ.get("VK_ADD_DRIVER_FILES", "").split(":") if name]
    return [file for folder in (*added, *_folders()) for file in _files(folder)]


def _files(place: Path) -> list[Path]:
    return [place] if place.suffix == ".json" else sorted(place.glob("*.json"))


def _folders() -> Iterator[Path]:
    try:
        home = [Path.home()]
    except RuntimeError:  # a user without a name, as in some containers
        home = []
    roots: list[str | Path] = [
        *_named_or("XDG_CONFIG_HOME", [place / ".config" for place in home]),
        *(os.environ.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(":"),
        "/etc",
        *_named_or("XDG_DATA_HOME", [place / ".local/share" for place in home]),
        *(os.environ.get("XDG_DATA_DIRS") or "/usr/local/share:/usr/share").split(":"),
    ]
    for root in roots:
        yield Path(root) / "vulkan" / "icd.d"


def _named_or(variable: str, otherwise: list[Path]) -> list[Path]:
    return [Path(named)] if (named := os.environ.get(variable)) else otherwise


if sys.platform == "win32":

    def _registered() -> Iterator[str]:
        """Manifests in the registry whose value is 0 (on); those of display adapters' own keys are not looked at."""
        import winreg

        try:
            key = winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, r"SOFTWARE\Khronos\Vulkan\Drivers")
        except OSError:
            return
        with key:
            for index in range(winreg.QueryInfoKey(key)[1]):
                name, value, _ = winreg.EnumValue(key, index)
                if value == 0:
                    yield name

else:

    def _registered() -> Iterator[str]:
        return iter(())
