"""The engine's devices joined with the cards that the probes found."""

import msgspec
import pytest

from desktop.engine.inventory import join_devices, list_devices, normal_pci_address
from desktop.engine.protocol import DeviceKind, EngineDevice, EngineInfo
from desktop.hardware.types import Cpu, Disk, Gpu, HardwareProfile, Mig, Ram

GIB = 1024**3


def profile(*gpus: Gpu) -> HardwareProfile:
    return HardwareProfile(
        system="Linux",
        cpu=Cpu(name="cpu", cores=4, threads=8),
        ram=Ram(total=GIB, available=GIB),
        gpus=gpus,
        disk=Disk(path="/", total=GIB, free=GIB),
    )


def card(name: str, address: str | None) -> Gpu:
    return Gpu(name=name, vendor="nvidia", vram_total=GIB, vram_free=GIB, pci_address=address)


def device(name: str, address: str | None, description: str = "", kind: DeviceKind = DeviceKind.GPU) -> EngineDevice:
    backend = name.rstrip("0123456789")
    return EngineDevice(
        name=name,
        description=description,
        kind=kind,
        backend=backend,
        memory_total=GIB,
        memory_free=GIB,
        pci_address=address,
    )


def engine(*devices: EngineDevice) -> EngineInfo:
    cpu = device("CPU", None, kind=DeviceKind.CPU)
    return EngineInfo(
        version="1", system_info="", supports_gpu_offload=True, supports_rpc=True, devices=(*devices, cpu)
    )


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        ("00000000:C1:00.0", "0000:c1:00.0"),
        ("0000:c1:00.0", "0000:c1:00.0"),
        ("C1:00.0", "0000:c1:00.0"),
        ("00010000:01:00.0", "0000:01:00.0"),
        ("", ""),
        (None, ""),
    ],
)
def test_one_address_is_written_in_many_ways(written: str | None, normal: str) -> None:
    assert normal_pci_address(written) == normal


def test_cards_are_joined_by_their_address_whatever_their_order() -> None:
    joined = join_devices(
        profile(card("A", "00000000:C1:00.0"), card("A", "00000000:01:00.0")),
        engine(device("CUDA0", "0000:01:00.0"), device("CUDA1", "0000:c1:00.0")),
    )
    assert [gpu.backend for gpu in joined.gpus] == ["CUDA1", "CUDA0"]
    assert joined.backends == ("CUDA", "CPU")


def test_without_an_address_each_device_is_given_once_by_its_name() -> None:
    joined = join_devices(
        profile(card("RTX 4090", None), card("RTX 4090", None), card("RTX 4090", None)),
        engine(device("Vulkan0", None, "NVIDIA RTX 4090"), device("Vulkan1", None, "NVIDIA RTX 4090")),
    )
    assert [gpu.backend for gpu in joined.gpus] == ["Vulkan0", "Vulkan1", None]


def test_two_cards_of_one_kind_with_other_addresses_are_not_confused() -> None:
    joined = join_devices(
        profile(card("RTX", "0000:05:00.0")), engine(device("CUDA0", "0000:06:00.0", description="RTX"))
    )
    assert joined.gpus[0].backend is None
    assert "does not see this card" in str(joined.gpus[0].unused_reason)


def test_an_engine_without_graphics_says_why_a_card_is_not_used() -> None:
    joined = join_devices(profile(card("RTX", "0000:05:00.0")), engine())
    assert "processor only" in str(joined.gpus[0].unused_reason)


def test_a_worker_elsewhere_is_no_card_of_this_machine() -> None:
    joined = join_devices(profile(card("RTX", None)), engine(device("RPC0", None, description="RTX")))
    assert joined.gpus[0].backend is None


def test_a_card_is_joined_by_its_maker_and_size_when_names_differ() -> None:
    radeon = msgspec.structs.replace(card("Navi 31 [Radeon RX 7900 XT/7900 XTX]", "0000:03:00.0"), vendor="amd")
    found = engine(device("Vulkan0", None, "AMD Radeon RX 7900 XTX (RADV NAVI31)"))
    joined = join_devices(profile(radeon), found)
    assert [gpu.backend for gpu in joined.gpus] == ["Vulkan0"]


def test_a_card_that_only_the_engine_sees_is_added_once() -> None:
    seen = device("CUDA0", "0000:01:00.0", "NVIDIA GeForce RTX 4090")
    again = device("Vulkan0", "0000:01:00.0", "NVIDIA GeForce RTX 4090")
    (gpu,) = join_devices(profile(), engine(seen, again)).gpus
    assert (gpu.name, gpu.vendor, gpu.backend, gpu.vram_total) == ("NVIDIA GeForce RTX 4090", "nvidia", "CUDA0", GIB)


def test_a_card_with_two_backends_is_one_card() -> None:
    both = engine(device("CUDA0", "0000:01:00.0"), device("Vulkan0", "0000:01:00.0"))
    joined = join_devices(profile(card("RTX", "0000:01:00.0")), both)
    assert [gpu.backend for gpu in joined.gpus] == ["CUDA0"]


def test_no_card_is_added_while_one_is_left_that_it_may_be() -> None:
    found = engine(device("Vulkan0", "0000:06:00.0", "NVIDIA RTX"))
    assert len(join_devices(profile(card("Quadro", "0000:05:00.0")), found).gpus) == 1


def test_integrated_graphics_is_left_alone_beside_a_card_of_its_own() -> None:
    shared = msgspec.structs.replace(card("UHD", "0000:00:02.0"), vendor="intel", uses_ram=True)
    found = engine(device("Vulkan0", "0000:01:00.0"), device("Vulkan1", "0000:00:02.0", kind=DeviceKind.INTEGRATED))
    joined = join_devices(profile(card("RTX", "0000:01:00.0"), shared), found)
    assert [gpu.backend for gpu in joined.gpus] == ["Vulkan0", None]
    assert "left to the screen" in str(joined.gpus[1].unused_reason)
    alone = join_devices(profile(shared), engine(device("Vulkan0", "0000:00:02.0", kind=DeviceKind.INTEGRATED)))
    assert [gpu.backend for gpu in alone.gpus] == ["Vulkan0"]


def test_the_reason_names_what_is_in_the_way() -> None:
    rtx = card("RTX", "0000:01:00.0")
    radeon = msgspec.structs.replace(rtx, vendor="amd")
    divided = msgspec.structs.replace(rtx, mig=Mig(enabled=True, card_total=GIB))
    cuda = engine(device("CUDA0", "0000:09:00.0"))

    def reason(gpu: Gpu, info: EngineInfo = cuda, **environment: str) -> str:
        return str(join_devices(profile(gpu), info, environment).gpus[0].unused_reason)

    assert "another maker" in reason(radeon)
    assert "hides this card" in reason(rtx, CUDA_VISIBLE_DEVICES="")
    assert "set to be divided" in reason(divided)
    no_driver = msgspec.structs.replace(engine(), system_info="CUDA : ARCHS = 750 | CPU : AVX2 = 1")
    assert "does not see this card" in reason(rtx, no_driver)


@pytest.mark.asyncio
async def test_the_engine_lists_the_processor_in_a_throw_away_child() -> None:
    info = await list_devices()
    assert [device.kind for device in info.devices] == [DeviceKind.CPU]
    assert info.supports_rpc
    assert info.devices[0].memory_total > 0
