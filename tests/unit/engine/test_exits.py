"""Exit codes and last lines of a child that died, in words that a person can use."""

import pytest

from desktop.engine.exits import decode_exit
from desktop.engine.failure import explain_failure
from desktop.engine.protocol import EngineFailure, FailureKind


@pytest.mark.parametrize(
    ("exit_code", "kind"),
    [
        (-4, FailureKind.ILLEGAL_INSTRUCTION),
        (-6, FailureKind.ABORTED),
        (-9, FailureKind.KILLED),
        (-11, FailureKind.SEGMENTATION_FAULT),
        (-15, FailureKind.KILLED),
        (-60, FailureKind.EXITED),
        (0, FailureKind.EXITED),
        (1, FailureKind.EXITED),
        (64, FailureKind.VERSION_MISMATCH),
        (65, FailureKind.ENGINE_MISSING),
        (0xC0000005, FailureKind.SEGMENTATION_FAULT),
        (0xC0000005 - 2**32, FailureKind.SEGMENTATION_FAULT),
        (0xC0000005 - 2**32 + 2**64, FailureKind.SEGMENTATION_FAULT),
        (0xC000001D, FailureKind.ILLEGAL_INSTRUCTION),
        (0xC0000017, FailureKind.OUT_OF_MEMORY),
        (0xC0000135, FailureKind.ENGINE_MISSING),
        (0xC0000409, FailureKind.ABORTED),
        (18446744072635812000, FailureKind.EXITED),
    ],
)
def test_an_exit_code_has_a_meaning(exit_code: int, kind: FailureKind) -> None:
    failure = decode_exit(exit_code, ["some line"])
    assert failure.kind == kind
    assert failure.exit_code == exit_code


@pytest.mark.parametrize(
    ("lines", "kind", "arguments"),
    [
        (["CUDA error: out of memory", "  in function alloc at CUDA1"], FailureKind.OUT_OF_MEMORY, {}),
        (["ggml: failed to allocate Vulkan0 buffer", "abort"], FailureKind.OUT_OF_MEMORY, {"device": "Vulkan0"}),
        (["terminate called after throwing", "  what():  std::bad_alloc"], FailureKind.OUT_OF_MEMORY, {}),
        (["Remote RPC server crashed or returned malformed response"], FailureKind.WORKER_UNREACHABLE, {}),
        (
            ["CUDA error: out of memory", "  current device: 1, in function alloc at ggml-cuda.cu:438", "CUDA error"],
            FailureKind.OUT_OF_MEMORY,
            {"device": "CUDA1"},
        ),
        (
            ["ROCm error: unspecified launch failure", "  current device: 0, in function x at y.cu:1", "ROCm error"],
            FailureKind.DRIVER_RESET,
            {"device": "ROCm0"},
        ),
        (["CUDA error: device-side assert triggered"], FailureKind.DRIVER_RESET, {}),
        (["CUDA error: the launch timed out and was terminated"], FailureKind.DRIVER_RESET, {}),
        (["ggml_vulkan: device lost on Vulkan1"], FailureKind.DRIVER_RESET, {"device": "Vulkan1"}),
        (["what():  vk::Queue::submit: ErrorDeviceLost"], FailureKind.DRIVER_RESET, {}),
        (["vkQueueSubmit failed: VK_ERROR_DEVICE_LOST"], FailureKind.DRIVER_RESET, {}),
        (["hipErrorLaunchFailure"], FailureKind.DRIVER_RESET, {}),
        (["NVRM: Xid (PCI:0000:01:00): 79, GPU has fallen off the bus"], FailureKind.DRIVER_RESET, {}),
        (["what():  vk::Device::allocateMemory: ErrorOutOfDeviceMemory"], FailureKind.OUT_OF_MEMORY, {}),
        (["/x/ggml.c:42: GGML_ASSERT(a->ne[0] > 0) failed"], FailureKind.ABORTED, {}),
    ],
)
def test_last_words_tell_more_than_the_signal(lines: list[str], kind: FailureKind, arguments: dict[str, str]) -> None:
    failure = decode_exit(-6, lines)
    assert (failure.kind, failure.arguments) == (kind, arguments)


def test_the_line_that_names_the_fault_is_told() -> None:
    lines = ["/x/ggml.c:42: GGML_ASSERT(ok) failed", "", "libc.so(+0x3c050)"]
    assert "GGML_ASSERT(ok)" in str(explain_failure(decode_exit(-6, lines)))


def test_a_frame_of_the_stack_is_not_given_as_the_reason() -> None:
    lines = ["/x/ggml.c:42: GGML_ASSERT(ok) failed", "#2  0x00007f4fff94e7de in ggml_abort () from libggml-base.so.0"]
    assert "GGML_ASSERT(ok)" in decode_exit(-6, lines).detail


def test_an_innocent_last_line_is_not_given_as_the_reason() -> None:
    failure = decode_exit(-6, ["sched_reserve: reserve took 19.88 ms, sched copies = 1"])
    assert failure.detail == "it gave no reason"


@pytest.mark.parametrize("kind", FailureKind)
def test_every_failure_is_explained_with_a_next_step(kind: FailureKind) -> None:
    error = explain_failure(EngineFailure(kind=kind, detail="why", exit_code=-9))
    message, hint = error.explain()
    assert message
    assert hint
    assert "{" not in message + hint
    assert error.failure is not None
    assert error.failure.kind == kind


def test_what_a_failure_is_about_is_named() -> None:
    failure = EngineFailure(kind=FailureKind.OUT_OF_MEMORY, arguments={"device": "CUDA1"})
    assert "CUDA1" in str(explain_failure(failure))
