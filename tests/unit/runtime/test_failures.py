"""The engine's own lines, turned into a kind of failure."""

import pytest

from desktop.engine.protocol import FailureKind, LoadPlan, Placement
from desktop.runtime.failures import EngineError, as_engine_error, decode_load_failure
from desktop.runtime.loading.plan_checks import check_placement, check_plan


@pytest.mark.parametrize(
    ("line", "kind", "arguments"),
    [
        (
            "llama_model_load: error loading model: unknown model architecture: 'warp9'",
            FailureKind.UNSUPPORTED_ARCHITECTURE,
            {"architecture": "warp9"},
        ),
        (
            "alloc_tensor_range: failed to allocate CUDA1 buffer of size 4294967296",
            FailureKind.OUT_OF_MEMORY,
            {"device": "CUDA1"},
        ),
        ("llama_init_from_model: failed to allocate buffer for kv cache", FailureKind.OUT_OF_MEMORY, {}),
        ("ggml_vulkan: Device memory allocation failed: ErrorOutOfDeviceMemory", FailureKind.OUT_OF_MEMORY, {}),
        (
            "tensor 'blk.16.ffn_down.weight' data is not within the file bounds, model is corrupted or incomplete",
            FailureKind.CORRUPT_FILE,
            {},
        ),
        ("gguf_init_from_reader: failed to read key-value pairs", FailureKind.CORRUPT_FILE, {}),
        ("this GGUF file is version 2021161080 but this software only", FailureKind.CORRUPT_FILE, {}),
        ("llama_model_load: missing tensor 'blk.0.attn_q.weight'", FailureKind.CORRUPT_FILE, {}),
        ("llama_model_load: check_tensor_dims: tensor 'token_embd.weight' not found", FailureKind.CORRUPT_FILE, {}),
        (
            "error loading model vocabulary: Index out of array bounds for toktypes (1 < 512)",
            FailureKind.CORRUPT_FILE,
            {},
        ),
        ("unknown tokenizer: 'runes'", FailureKind.UNSUPPORTED_ARCHITECTURE, {"architecture": "runes"}),
        ("something nobody has seen yet", FailureKind.LOAD_FAILED, {}),
    ],
)
def test_the_reason_of_a_failed_load_is_found(line: str, kind: FailureKind, arguments: dict[str, str]) -> None:
    failure = decode_load_failure(["a line before", line, "failed to load model"], "/m.gguf").failure
    assert failure.kind == kind
    assert {key: value for key, value in failure.arguments.items() if key != "path"} == arguments


def test_a_failure_without_a_word_is_told_too() -> None:
    assert decode_load_failure([], "/m.gguf").failure.detail == "the engine gave no reason"


@pytest.mark.allow_log("a request failed inside")
def test_missing_memory_is_told_as_such_and_not_as_a_fault_of_ours() -> None:
    assert as_engine_error(MemoryError()).failure.kind == FailureKind.OUT_OF_MEMORY
    assert as_engine_error(KeyError("x")).failure.kind == FailureKind.INTERNAL


@pytest.mark.parametrize(
    "changes",
    [
        {"n_gpu_layers": 5},
        {"n_gpu_layers": -1},
        {"devices": ("CUDA0", "CUDA1"), "n_gpu_layers": 3},
        {"devices": ("CUDA0",), "tensor_split": (1, 2), "n_gpu_layers": 3},
        {"n_ctx": 0},
    ],
)
def test_a_plan_with_a_gap_is_refused(changes: dict[str, object]) -> None:
    fields: dict[str, object] = {"model_path": "/m.gguf", "model_name": "m", "n_ctx": 512, **changes}
    with pytest.raises(EngineError) as caught:
        check_plan(LoadPlan(**fields))  # type: ignore[arg-type]
    assert caught.value.failure.kind == FailureKind.BAD_REQUEST


def test_layers_that_stayed_behind_on_the_cpu_fail_the_load() -> None:
    plan = LoadPlan(model_path="/m.gguf", model_name="m", n_ctx=512, n_gpu_layers=2, devices=("CUDA0",))
    check_placement(plan, ("CPU", "CUDA0", "CUDA0"))
    with pytest.raises(EngineError, match="0 of 2"):
        check_placement(plan, ("CPU", "CPU", "CPU"))


def test_layers_on_another_device_than_planned_fail_the_load() -> None:
    placement = Placement(layers=("CUDA0", "CUDA1"))
    plan = LoadPlan(model_path="/m", model_name="m", n_ctx=1, n_gpu_layers=2, devices=("CUDA0",), placement=placement)
    with pytest.raises(EngineError, match="planned CUDA0 CUDA1, placed CUDA0 CUDA0"):
        check_placement(plan, ("CUDA0", "CUDA0"))
