"""From a question to the speeds of each device."""

import logging
from collections.abc import Callable

import llama_cpp.llama_cpp as llama

from desktop.engine.protocol import (
    DeviceKind,
    DeviceSpeeds,
    EngineDevice,
    EngineFailure,
    FailureKind,
    SpeedAnswer,
    SpeedQuestion,
)
from desktop.runtime.devices.backends import Ggml, list_devices
from desktop.runtime.devices.rpc import register_workers
from desktop.runtime.devices.threads import physical_cores
from desktop.runtime.failures import EngineError
from desktop.runtime.speed_probe.graphs import Device, NoMemory
from desktop.runtime.speed_probe.measure import COMMON_TYPES, Contents, Machine, measure_device, room_of

log = logging.getLogger(__name__)


def answer_speed(ggml: Ggml, question: SpeedQuestion, tell: Callable[[SpeedAnswer], None]) -> SpeedAnswer:
    """Measure what is asked; `tell` hears how far it is. A device without room is left out and told in the log."""
    engine = llama.llama_version().decode()
    try:
        register_workers(ggml, question.rpc_endpoints)
    except EngineError as error:
        return SpeedAnswer(fraction=1.0, engine=engine, failure=error.failure)
    wanted = [device for device in list_devices(ggml) if _is_wanted(device, question)]
    found = []
    for index, about in enumerate(wanted):

        def on_done(fraction: float, before: int = index) -> None:
            tell(SpeedAnswer(fraction=min((before + fraction) / len(wanted), 0.999), engine=engine))

        speeds = _measure(ggml, about, question, on_done)
        if speeds is not None:
            found.append(speeds)
    if not found:
        failure = EngineFailure(kind=FailureKind.OUT_OF_MEMORY, detail="no device has room for the measurement")
        return SpeedAnswer(fraction=1.0, engine=engine, failure=failure)
    return SpeedAnswer(fraction=1.0, engine=engine, devices=tuple(found))


def _is_wanted(device: EngineDevice, question: SpeedQuestion) -> bool:
    computes = device.kind != DeviceKind.ACCELERATOR
    return computes and (not question.devices or device.name in question.devices)


def _measure(
    ggml: Ggml, about: EngineDevice, question: SpeedQuestion, on_done: Callable[[float], None]
) -> DeviceSpeeds | None:
    processor = about.kind == DeviceKind.CPU
    threads = (question.n_threads or physical_cores()) if processor else 0
    handle = ggml.dev_by_name(about.name.encode())
    try:
        with Device(ggml, handle, threads=threads, room=room_of(processor=processor)) as device:
            machine = Machine(device, Contents(device), about.name, about.description, threads)
            return measure_device(machine, question.types or COMMON_TYPES, on_done)
    except NoMemory:
        log.warning("%s has no room for the measurement", about.name)
        return None
