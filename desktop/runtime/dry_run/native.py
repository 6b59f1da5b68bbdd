"""Functions of ggml that answer for devices that are not there: for one plan libllama asks tens of thousands of times.

A Python function takes most of a microsecond to be called from native code, which was half the time of an answer. Those
that are taken here were made for something else: one returns the word of a struct where a backend has its device, one
tells whether two structs begin with the same 16 bytes. Structs that are ours can have there what is to be answered.
Each is tried before it is used; where it does not do what is expected of it, Python answers.
"""

import ctypes
from typing import Any

from desktop.runtime.devices.backends import bind, same_library
from desktop.runtime.dry_run.structs import Backend, BufferType, Device, Pointer


class NativeAnswers:
    """Addresses of functions, None where they are not as expected.

    stored: takes a struct and returns its field `answer`. same: takes two structs and tells whether they begin alike.
    """

    def __init__(self) -> None:
        base = same_library("ggml-base")
        stored = bind(base, "ggml_backend_get_device", Pointer, Pointer)
        same = bind(base, "ggml_guid_matches", ctypes.c_bool, Pointer, Pointer)
        self.stored = _address(stored) if _tells_what_is_stored(stored) else None
        self.same = _address(same) if _compares(same) else None


def _tells_what_is_stored(function: Any) -> bool:
    """Whether it finds `answer` in both kinds of structs, as the layout of a backend says before it is called."""
    places = {Backend.device.offset, Device.answer.offset, BufferType.answer.offset}
    device, buffers = Device(answer=1), BufferType(answer=2)
    return len(places) == 1 and [function(ctypes.addressof(one)) for one in (device, buffers)] == [1, 2]


def _compares(function: Any) -> bool:
    one, same, other = _beginning(1, 2), _beginning(1, 2), _beginning(1, 3)
    first, second, third = map(ctypes.addressof, (one, same, other))
    return bool(function(first, second)) and not function(first, third)


def _beginning(*words: int) -> Any:
    return (Pointer * len(words))(*words)


def _address(function: Any) -> int | None:
    return ctypes.cast(function, Pointer).value
