"""Which engine the set-up builds: decided by drivers that are there, and said with a reason."""

from dataclasses import replace

import pytest

from snug_setup.backend import Machine, choose, missing_tools
from snug_setup.missing import SetupError

BARE = Machine(
    system="linux",
    architecture="x86_64",
    nvidia_driver=False,
    nvcc=False,
    vulkan_device=False,
    vulkan_tools=False,
)


@pytest.mark.parametrize(
    ("machine", "backend"),
    [
        (BARE, "cpu"),
        (replace(BARE, nvidia_driver=True, nvcc=True), "cuda"),
        (replace(BARE, nvcc=True), "cpu"),
        (replace(BARE, nvidia_driver=True), "cpu"),
        (replace(BARE, vulkan_device=True, vulkan_tools=True), "vulkan"),
        (replace(BARE, vulkan_device=True), "cpu"),
        (replace(BARE, system="darwin", architecture="arm64"), "metal"),
        (replace(BARE, system="darwin"), "cpu"),
        (replace(BARE, system="win32", nvidia_driver=True, nvcc=True), "cuda"),
    ],
)
def test_the_backend_is_found_out(machine: Machine, backend: str) -> None:
    assert choose("", machine).backend == backend
    assert choose("auto", machine).backend == backend


def test_a_compiler_without_a_driver_is_told_apart_from_no_gpu_at_all() -> None:
    assert "no NVIDIA driver" in choose("", replace(BARE, nvcc=True)).reason
    assert "install the CUDA toolkit" in choose("", replace(BARE, nvidia_driver=True)).reason
    assert "no GPU" in choose("", BARE).reason


def test_a_person_may_choose_and_is_believed() -> None:
    assert choose("cpu", replace(BARE, nvidia_driver=True, nvcc=True)).backend == "cpu"
    assert choose("vulkan", BARE).backend == "vulkan"


@pytest.mark.parametrize(("asked", "system"), [("metal", "linux"), ("cuda", "darwin"), ("rocket", "linux")])
def test_a_backend_that_cannot_be_here_is_refused_with_advice(asked: str, system: str) -> None:
    with pytest.raises(SetupError) as caught:
        choose(asked, replace(BARE, system=system))
    assert asked in caught.value.message
    assert "BACKEND" in caught.value.hint


def test_every_engine_is_built_with_rpc() -> None:
    assert all("-DGGML_RPC=ON" in choose(name, BARE).flags for name in ("cpu", "cuda", "vulkan"))


def test_what_the_chosen_backend_lacks_is_named() -> None:
    assert [need.name for need in missing_tools(choose("cuda", BARE), BARE)] == ["cuda"]
    assert [need.name for need in missing_tools(choose("vulkan", BARE), BARE)] == ["vulkan"]
    assert missing_tools(choose("cpu", BARE), BARE) == []
