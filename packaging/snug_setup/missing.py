"""What a machine may lack, in plain words, and the command that installs it."""

import os
import shutil
import sys
from collections.abc import Iterable
from dataclasses import dataclass

INSTALL = {
    "apt": "apt-get install {packages}",
    "dnf": "dnf install {packages}",
    "pacman": "pacman -S {packages}",
    "zypper": "zypper install {packages}",
    "brew": "brew install {packages}",
}
"""How each package manager installs; winget and xcode-select have whole commands below instead."""

PACKAGES: dict[str, dict[str, str]] = {
    "compiler": {"apt": "g++", "dnf": "gcc-c++", "pacman": "gcc", "zypper": "gcc-c++"},
    "venv": {"apt": "python3-venv", "dnf": "python3", "pacman": "python", "zypper": "python3"},
    "cuda": {"apt": "nvidia-cuda-toolkit", "dnf": "cuda-toolkit", "pacman": "cuda", "zypper": "cuda-toolkit"},
    "vulkan": {
        "apt": "libvulkan-dev glslc spirv-headers",
        "dnf": "vulkan-loader-devel glslc spirv-headers-devel",
        "pacman": "vulkan-headers vulkan-icd-loader shaderc spirv-headers",
        "zypper": "vulkan-devel shaderc spirv-headers",
        "brew": "vulkan-loader vulkan-headers shaderc",
    },
    "libEGL.so.1": {"apt": "libegl1", "dnf": "libglvnd-egl", "pacman": "libglvnd", "zypper": "libEGL1"},
    "libGL.so.1": {"apt": "libgl1", "dnf": "libglvnd-glx", "pacman": "libglvnd", "zypper": "libGL1"},
    "libxkbcommon.so.0": {
        "apt": "libxkbcommon0",
        "dnf": "libxkbcommon",
        "pacman": "libxkbcommon",
        "zypper": "libxkbcommon0",
    },
    "libdbus-1.so.3": {"apt": "libdbus-1-3", "dnf": "dbus-libs", "pacman": "dbus", "zypper": "libdbus-1-3"},
    "libfontconfig.so.1": {
        "apt": "libfontconfig1",
        "dnf": "fontconfig",
        "pacman": "fontconfig",
        "zypper": "libfontconfig1",
    },
    "libglib-2.0.so.0": {"apt": "libglib2.0-0", "dnf": "glib2", "pacman": "glib2", "zypper": "libglib-2_0-0"},
    "libxcb-cursor.so.0": {
        "apt": "libxcb-cursor0",
        "dnf": "xcb-util-cursor",
        "pacman": "xcb-util-cursor",
        "zypper": "libxcb-cursor0",
    },
    "libxcb-icccm.so.4": {
        "apt": "libxcb-icccm4",
        "dnf": "xcb-util-wm",
        "pacman": "xcb-util-wm",
        "zypper": "libxcb-icccm4",
    },
    "libxcb-image.so.0": {
        "apt": "libxcb-image0",
        "dnf": "xcb-util-image",
        "pacman": "xcb-util-image",
        "zypper": "libxcb-image0",
    },
    "libxcb-keysyms.so.1": {
        "apt": "libxcb-keysyms1",
        "dnf": "xcb-util-keysyms",
        "pacman": "xcb-util-keysyms",
        "zypper": "libxcb-keysyms1",
    },
    "libxcb-render-util.so.0": {
        "apt": "libxcb-render-util0",
        "dnf": "xcb-util-renderutil",
        "pacman": "xcb-util-renderutil",
        "zypper": "libxcb-render-util0",
    },
    "libxcb-shape.so.0": {"apt": "libxcb-shape0", "dnf": "libxcb", "pacman": "libxcb", "zypper": "libxcb-shape0"},
    "libxcb-randr.so.0": {"apt": "libxcb-randr0", "dnf": "libxcb", "pacman": "libxcb", "zypper": "libxcb-randr0"},
    "libxkbcommon-x11.so.0": {
        "apt": "libxkbcommon-x11-0",
        "dnf": "libxkbcommon-x11",
        "pacman": "libxkbcommon-x11",
        "zypper": "libxkbcommon-x11-0",
    },
}
"""Our name for a need -> the package that satisfies it, by package manager."""

COMMANDS: dict[str, dict[str, str]] = {
    "compiler": {
        "xcode": "xcode-select --install",
        "winget": "winget install --id Microsoft.VisualStudio.2022.BuildTools "
        '--override "--passive --add Microsoft.VisualStudio.Workload.VCTools --includeRecommended"',
    },
    "cuda": {"winget": "winget install --id Nvidia.CUDA"},
    "vulkan": {"winget": "winget install --id KhronosGroup.VulkanSDK"},
}
"""Needs that a system satisfies with a command of its own."""


@dataclass(frozen=True)
class Need:
    """One thing that is missing: its name in PACKAGES and a sentence about it."""

    name: str
    sentence: str


class SetupError(Exception):
    """The set-up cannot go on; `message` says why and `hint` what to do."""

    def __init__(self, message: str, hint: str) -> None:
        self.message = message
        self.hint = hint
        super().__init__(message)


def package_manager(platform: str = sys.platform) -> str | None:
    """The package manager of this machine, by the name used in PACKAGES; None when none is known."""
    candidates = {"apt-get": "apt", "dnf": "dnf", "pacman": "pacman", "zypper": "zypper", "brew": "brew"}
    if platform == "win32":
        return "winget"
    return next((name for program, name in candidates.items() if shutil.which(program)), None)


def remedy(needs: Iterable[Need], *, manager: str | None, platform: str = sys.platform, root: bool) -> str:
    """The shortest line of commands that installs all of `needs`; plain advice where no command is known."""
    systems = ("xcode",) if platform == "darwin" else ()
    whole: list[str] = []
    packages: list[str] = []
    unknown: list[str] = []
    for need in needs:
        own = next((COMMANDS[need.name][s] for s in (*systems, manager) if s in COMMANDS.get(need.name, {})), None)
        package = PACKAGES.get(need.name, {}).get(manager or "")
        if own:
            whole.append(own)
        elif package:
            packages += [part for part in package.split() if part not in packages]
        else:
            unknown.append(need.name)
    commands = whole + ([_install_line(manager, packages, root=root)] if manager and packages else [])
    if unknown:
        commands.append(f"install {', '.join(unknown)} with your system's package manager")
    return " && ".join(commands)


def _install_line(manager: str, packages: list[str], *, root: bool) -> str:
    sudo = "" if root or manager == "brew" else "sudo "
    return sudo + INSTALL[manager].format(packages=" ".join(packages))


def complain(needs: list[Need]) -> None:
    """Raise SetupError that names every one of `needs` and the command for all; nothing when there is none."""
    if not needs:
        return
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    line = remedy(needs, manager=package_manager(), root=root)
    raise SetupError(
        "\n       ".join(need.sentence for need in needs), f"{line}\n      then run the same command again."
    )
