"""Imagined cards answer the same whether ggml's own functions answer for them or Python does."""

import ctypes
from collections.abc import Iterator

import pytest

from desktop.engine.protocol import ImaginedDevice
from desktop.runtime.devices.backends import Ggml, bind, same_library
from desktop.runtime.dry_run import imagined
from desktop.runtime.dry_run.native import NativeAnswers

CARDS = [ImaginedDevice(name=name, memory_total=8 << 30, memory_free=7 << 30) for name in ("GPU0", "GPU1")]


class OnlyPython:
    """What there is where this engine's functions are not as expected."""

    stored = same = None


@pytest.fixture(params=["native", "Python"])
def devices(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, int]]:
    if request.param == "Python":
        monkeypatch.setattr(imagined, "NativeAnswers", OnlyPython)
    made = imagined.ImaginedDevices(Ggml())
    yield made.find(CARDS)
    del made


def test_this_engine_has_both_functions() -> None:
    native = NativeAnswers()
    assert native.stored is not None
    assert native.same is not None


def test_devices_and_their_buffers_have_the_cards_names(devices: dict[str, int]) -> None:
    base, ggml = same_library("ggml-base"), Ggml()
    name_of = bind(base, "ggml_backend_dev_name", ctypes.c_char_p, ctypes.c_void_p)
    about = bind(base, "ggml_backend_dev_description", ctypes.c_char_p, ctypes.c_void_p)
    buffers_name = bind(base, "ggml_backend_buft_name", ctypes.c_char_p, ctypes.c_void_p)
    for name, device in devices.items():
        assert name_of(device) == name.encode()
        assert about(device) == b"imagined"
        assert buffers_name(ggml.dev_buffer_type(device)) == name.encode()


def test_a_card_computes_on_its_own_buffers_and_on_no_others(devices: dict[str, int]) -> None:
    ggml = Ggml()
    supports = bind(
        same_library("ggml-base"), "ggml_backend_dev_supports_buft", ctypes.c_bool, ctypes.c_void_p, ctypes.c_void_p
    )
    own = {name: ggml.dev_buffer_type(device) for name, device in devices.items()}
    for name, device in devices.items():
        assert [other for other, buffers in own.items() if supports(device, buffers)] == [name]
        assert not supports(device, ggml.cpu_buffer_type())


def test_memory_for_states_of_layers_is_of_the_cards_own_type(devices: dict[str, int]) -> None:
    base, ggml = same_library("ggml-base"), Ggml()
    type_of = bind(base, "ggml_backend_buffer_get_type", ctypes.c_void_p, ctypes.c_void_p)
    free = bind(base, "ggml_backend_buffer_free", None, ctypes.c_void_p)
    own = ggml.dev_buffer_type(devices["GPU1"])
    buffer = ggml.alloc_buffer(own, 1 << 16)
    assert type_of(buffer) == own
    free(buffer)
