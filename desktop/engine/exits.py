"""What an exit code and the last lines of a child tell."""

import re
import signal
from collections.abc import Sequence

from desktop.engine.protocol import EXIT_ENGINE_MISSING, EXIT_VERSION_MISMATCH, EngineFailure, FailureKind

# NTSTATUS values that Windows gives as exit codes of a process that died (ntstatus.h).
_WINDOWS: dict[int, FailureKind] = {
    0xC0000005: FailureKind.SEGMENTATION_FAULT,  # access violation
    0xC0000006: FailureKind.SEGMENTATION_FAULT,  # in-page error: a mapped file could not be read
    0xC00000FD: FailureKind.SEGMENTATION_FAULT,  # stack overflow
    0xC0000374: FailureKind.SEGMENTATION_FAULT,  # heap corruption
    0xC000001D: FailureKind.ILLEGAL_INSTRUCTION,
    0xC0000096: FailureKind.ILLEGAL_INSTRUCTION,  # privileged instruction
    0xC0000017: FailureKind.OUT_OF_MEMORY,  # no memory
    0xC000012D: FailureKind.OUT_OF_MEMORY,  # commitment limit
    0xC0000135: FailureKind.ENGINE_MISSING,  # a DLL was not found
    0xC0000139: FailureKind.ENGINE_MISSING,  # an entry point was not found
    0xC0000142: FailureKind.ENGINE_MISSING,  # a DLL failed to start
    0xC0000409: FailureKind.ABORTED,  # fail fast, which abort() is
    0xC000013A: FailureKind.KILLED,  # Ctrl-C or the console closed
    0x40010004: FailureKind.KILLED,  # the debugger or the system ended it
}
_SIGNALS: dict[str, FailureKind] = {
    "SIGSEGV": FailureKind.SEGMENTATION_FAULT,
    "SIGBUS": FailureKind.SEGMENTATION_FAULT,
    "SIGFPE": FailureKind.SEGMENTATION_FAULT,
    "SIGILL": FailureKind.ILLEGAL_INSTRUCTION,
    "SIGABRT": FailureKind.ABORTED,
    "SIGKILL": FailureKind.KILLED,
    "SIGTERM": FailureKind.KILLED,
}
_CODES: dict[int, FailureKind] = {
    EXIT_VERSION_MISMATCH: FailureKind.VERSION_MISMATCH,
    EXIT_ENGINE_MISSING: FailureKind.ENGINE_MISSING,
    3: FailureKind.ABORTED,  # abort() of the C runtime on Windows
}
# The last words of native code that dies, as llama.cpp and ggml write them: they know more than the exit code.
_WORDS: tuple[tuple[FailureKind, re.Pattern[str]], ...] = (
    (
        FailureKind.OUT_OF_MEMORY,
        re.compile(
            r"(?i)out of memory|failed to allocate|bad_alloc|MemoryError|Cannot allocate memory"
            r"|GGML_ASSERT\((?:ctx->)?mem_buffer != NULL\)"  # ggml_init, where malloc gave nothing
            r"|OutOf(?:Device|Host)Memory|OUT_OF_(?:DEVICE|HOST)_MEMORY"
            r"|(?:cuda|hip)ErrorMemoryAllocation|CUBLAS_STATUS_ALLOC_FAILED|kIOGPUCommandBufferCallbackErrorOutOfMemory"
        ),
    ),
    (
        # The driver's words for a launch that failed or a device that is gone: cudaError_t, hipError_t and VkResult,
        # ggml-vulkan's and ggml-metal's own lines, and the kernel's Xid where a driver repeats it.
        FailureKind.DRIVER_RESET,
        re.compile(
            r"(?i)unspecified launch failure|device-side assert|launch timed out|illegal memory access|device.?lost"
            r"|(?:cuda|hip)Error(?:LaunchFailure|LaunchTimeout|IllegalAddress|Assert|ECCUncorrectable)"
            r"|uncorrectable ECC|GPU is lost|\bXid\b|device removed|GPU hang|ErrorInnocentVictim|misaligned address"
        ),
    ),
    (FailureKind.WORKER_UNREACHABLE, re.compile(r"(?i)Remote RPC server|rpc.*(?:failed|crashed|disconnect)")),
)
_WORDY = {FailureKind.ABORTED, FailureKind.EXITED}
_DEVICE = re.compile(r"\b((?:CUDA|ROCm|MUSA|Vulkan|Metal|SYCL|RPC)\d+(?:\[[^\]]*\])?)\b")
# ggml_cuda_error writes "CUDA error: <words>", and in the next line "  current device: 1, in function ..."
_BACKEND, _CURRENT = re.compile(r"\b(CUDA|ROCm|MUSA) error"), re.compile(r"current device: (\d+)")
_TELLING = re.compile(
    r"GGML_ASSERT|[Ee]rror|[Ff]ailed|[Cc]annot|[Uu]nable|not found|abort|terminate called|what\(\)"
    r"|^\S+\.(?:c|cpp|cu|cuh|h|m):\d+: "
)
_BUILD_FOLDER = re.compile(r"^\S*/(?=[\w.-]+:\d+: )")  # of ggml's last words: "/where/it/was/built/ops.cpp:12: ..."


def decode_exit(exit_code: int, last_lines: Sequence[str]) -> EngineFailure:
    """Return the failure that an unexpected end means. Negative exit codes are signals, as subprocess gives them."""
    kind = _kind_of(exit_code)
    detail = _telling_line(last_lines)
    arguments: dict[str, str] = {}
    if kind in _WORDY:
        for better, pattern in _WORDS:
            index = next((i for i in reversed(range(len(last_lines))) if pattern.search(last_lines[i])), None)
            if index is not None:
                kind, detail = better, last_lines[index]
                arguments = _device_of(last_lines[index : index + 2])
                break
    return EngineFailure(
        kind=kind, detail=detail, exit_code=exit_code, last_lines=tuple(last_lines), arguments=arguments
    )


def _device_of(lines: Sequence[str]) -> dict[str, str]:
    """The device that the telling line names, or the one after it."""
    if match := _DEVICE.search(lines[0]):
        return {"device": match[1]}
    backend, current = _BACKEND.search(lines[0]), _CURRENT.search(lines[-1])
    return {"device": backend[1] + current[1]} if backend and current else {}


def _kind_of(exit_code: int) -> FailureKind:
    if exit_code in _CODES:
        return _CODES[exit_code]
    if -64 <= exit_code < 0:
        try:
            return _SIGNALS.get(signal.Signals(-exit_code).name, FailureKind.EXITED)
        except ValueError:
            return FailureKind.EXITED
    # Some tools widen or sign the 32 bits of a status: 18446744072635812000 and -1073741819 are such.
    return _WINDOWS.get(exit_code & 0xFFFFFFFF, FailureKind.EXITED)


def _telling_line(lines: Sequence[str]) -> str:
    """The last line that names a fault; an innocent last line is not given as the reason."""
    telling = [line for line in lines if _TELLING.search(line) and not line.lstrip().startswith("#")]  # a stack frame
    return _BUILD_FOLDER.sub("", telling[-1].strip()) if telling else "it gave no reason"
