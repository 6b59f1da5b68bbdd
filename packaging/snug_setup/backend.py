"""Which engine to build for this machine: chosen by a driver that is there, not by a compiler that is there."""

import os
import platform
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from snug_setup.missing import Need, SetupError

COMMON_FLAGS = ("-DGGML_RPC=ON",)
"""Always: splitting a model over several machines goes through ggml's RPC backend."""

FLAGS = {
    "cpu": ("-DGGML_METAL=OFF",),
    "cuda": ("-DGGML_CUDA=ON",),
    "vulkan": ("-DGGML_VULKAN=ON",),
    "metal": ("-DGGML_METAL=ON",),
}
"""What turns each backend on; on anything but macOS ggml ignores GGML_METAL."""

LIBRARIES = {"cpu": (), "cuda": ("ggml-cuda",), "vulkan": ("ggml-vulkan",), "metal": ("ggml-metal",)}
"""What a built wheel must then hold, beside ggml-rpc."""


@dataclass(frozen=True)
class Machine:
    """The facts that decide; read once by `look`, given by tests."""

    system: str
    """sys.platform"""
    architecture: str
    nvidia_driver: bool
    nvcc: bool
    vulkan_device: bool
    vulkan_tools: bool


@dataclass(frozen=True)
class Choice:
    """A backend and the reason for it."""

    backend: str
    reason: str

    @property
    def flags(self) -> tuple[str, ...]:
        """The arguments for CMake."""
        return COMMON_FLAGS + FLAGS[self.backend]


def look() -> Machine:
    """Read the facts from this machine. Looks at files only: a driver call that hangs cannot hang this."""
    return Machine(
        system=sys.platform,
        architecture=platform.machine().lower(),
        nvidia_driver=_nvidia_driver(),
        nvcc=bool(_nvcc()),
        vulkan_device=_vulkan_device(),
        vulkan_tools=bool(shutil.which("glslc")) and _vulkan_headers(),
    )


def choose(asked: str, machine: Machine) -> Choice:
    """The backend for `asked` ("" or "auto" lets the machine decide).

    Raises SetupError for a name that does not exist or a backend that this system cannot have.
    """
    if asked in {"", "auto"}:
        return _automatic(machine)
    if asked not in FLAGS:
        raise SetupError(f'There is no backend "{asked}".', f"Choose one of: {', '.join(FLAGS)}, or leave BACKEND out.")
    if (asked == "metal") != (machine.system == "darwin") and asked in {"metal", "cuda"}:
        raise SetupError(
            f"The backend {asked} does not exist on this system.", "Leave BACKEND out to have it found out."
        )
    return Choice(asked, "BACKEND asks for it")


def _automatic(machine: Machine) -> Choice:
    if machine.system == "darwin":
        if machine.architecture == "arm64":
            return Choice("metal", "this is a Mac with Apple silicon")
        return Choice("cpu", "this is a Mac without Apple silicon")
    return _automatic_elsewhere(machine)


def _automatic_elsewhere(machine: Machine) -> Choice:
    if machine.nvidia_driver and machine.nvcc:
        return Choice("cuda", "an NVIDIA driver and the CUDA compiler are here")
    if machine.vulkan_device and machine.vulkan_tools:
        return Choice("vulkan", "a GPU, Vulkan and its shader compiler are here")
    if machine.nvidia_driver:
        return Choice("cpu", "an NVIDIA driver is here, but no CUDA compiler: install the CUDA toolkit to use the card")
    if machine.nvcc:
        return Choice("cpu", "the CUDA compiler is here, but no NVIDIA driver")
    return Choice("cpu", "no GPU that the engine could be built for was found")


def missing_tools(choice: Choice, machine: Machine) -> list[Need]:
    """What the chosen backend needs to be built and this machine lacks."""
    if choice.backend == "cuda" and not machine.nvcc:
        return [Need("cuda", "The CUDA compiler (nvcc) is missing.")]
    if choice.backend == "vulkan" and not machine.vulkan_tools:
        return [Need("vulkan", "Vulkan's headers or its shader compiler (glslc) are missing.")]
    return []


def _nvidia_driver() -> bool:
    """The kernel's own word; a libcuda alone may be a stub that a toolkit installed."""
    if sys.platform == "win32":
        return (_windows_system() / "nvcuda.dll").exists()
    wsl = Path("/dev/dxg").exists() and Path("/usr/lib/wsl/lib/libcuda.so.1").exists()
    return wsl or Path("/proc/driver/nvidia/version").exists()


def _windows_system() -> Path:
    return Path(os.environ.get("SYSTEMROOT", r"C:\Windows")) / "System32"


def _nvcc() -> str | None:
    return shutil.which("nvcc") or shutil.which("nvcc", path="/usr/local/cuda/bin")


def _vulkan_device() -> bool:
    if sys.platform == "win32":
        return (_windows_system() / "vulkan-1.dll").exists()
    folders = [Path("/usr/lib64"), Path("/usr/local/lib"), Path("/usr/lib"), *Path("/usr/lib").glob("*-linux-*")]
    loader = any((folder / "libvulkan.so.1").exists() for folder in folders)
    return loader and any(Path("/dev/dri").glob("renderD*"))


def _vulkan_headers() -> bool:
    sdk = os.environ.get("VULKAN_SDK")
    folders = ["/usr/include", "/usr/local/include", *([f"{sdk}/include", f"{sdk}/Include"] if sdk else [])]
    return any((Path(folder) / "vulkan" / "vulkan.h").exists() for folder in folders)
