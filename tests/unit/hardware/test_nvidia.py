"""Machines with NVIDIA cards, sound and not, through the real child and a real library that answers from a scenario."""

import asyncio
from pathlib import Path

import pytest

from desktop.hardware.nvidia_details import bandwidth
from desktop.hardware.probe import probe_hardware
from desktop.hardware.types import GpuPath, GpuProcess, HardwareProfile, NvLink, PcieLink
from tests.support.stub_nvml import GIB, build_stub_nvml, card
from tests.unit.hardware.conftest import PATIENT, Scenario

MIB = 1 << 20
NO_PERMISSION, GPU_IS_LOST, RESET_REQUIRED = 4, 15, 16
MEMORY = "error__nvmlDeviceGetMemoryInfo"


def probe(folder: Path, sources: float = PATIENT) -> HardwareProfile:
    """sources: seconds that the child gives them."""
    return asyncio.run(probe_hardware(models_folder=folder, timeout=sources + PATIENT))


def said(profile: HardwareProfile) -> str:
    return "\n".join(problem.message for problem in profile.problems)


def sizes(profile: HardwareProfile) -> list[tuple[int, int]]:
    """Total and free of every card in MiB."""
    return [(gpu.vram_total // MIB, gpu.vram_free // MIB) for gpu in profile.gpus]


def test_one_card_of_24_gib_with_all_its_details(tmp_path: Path, scenario: Scenario) -> None:
    scenario(
        card("NVIDIA GeForce RTX 4090", 24, 1, bus_width=384, cores=16384, power_limit=450_000, uuid="GPU-1",
             compute=f"77:{GIB}", graphics=f"77:{GIB},78:{GIB // 4}", throttle=0x44, temperature=83,
             generation=1, generation_max=4, width=16)
    )  # fmt: skip
    profile = probe(tmp_path)
    (gpu,) = profile.gpus
    assert sizes(profile) == [(24 * 1024, 23 * 1024)]
    assert (gpu.index, gpu.uuid, gpu.cores, gpu.bus_width, gpu.memory_clock_max) == (0, "GPU-1", 16384, 384, 10501)
    assert gpu.bandwidth == 1_008_096_000_000  # NVIDIA's own 1008 GB/s
    assert (gpu.temperature, gpu.power_limit) == (83.0, 450.0)
    assert gpu.throttle == ("power_cap", "thermal_hardware")
    assert gpu.pcie == PcieLink(generation=1, generation_max=4, width=16, width_max=16)
    assert (gpu.bar1_total, gpu.resizable_bar) == (32 * GIB, True)
    assert gpu.processes == (GpuProcess(pid=77, used=GIB), GpuProcess(pid=78, used=GIB // 4))
    assert (gpu.used_by({77}), gpu.used_by({1, 2})) == (GIB, 0)
    assert (gpu.nvlink, gpu.paths, gpu.mig, gpu.ecc, gpu.recovery) == (None, (), None, None, None)
    assert profile.problems == ()


def test_two_cards_of_16_gib_and_the_way_between_them(tmp_path: Path, scenario: Scenario) -> None:
    linked = {"nvlinks": 4, "nvlink_up": 2, "p2p_read": 0, "p2p_write": 0, "p2p_nvlink": 0, "topology": 10}
    first = card("Quadro RTX 5000", 16, bus=0x41, nvlink_peer=0x61, **linked)
    second = card("Quadro RTX 5000", 16, bus=0x61, nvlink_peer=0x41, p2p_read=1, p2p_write=3, topology=50)
    scenario(first, second)
    one, two = probe(tmp_path).gpus
    assert (one.vram_total, two.vram_total) == (16 * GIB, 16 * GIB)
    assert one.nvlink == NvLink(links=4, active=2, peers=("0000:61:00.0", "0000:61:00.0"))
    assert one.paths == (GpuPath(peer="0000:61:00.0", read="ok", write="ok", nvlink="ok", topology="one_switch"),)
    assert two.nvlink is None
    assert two.paths == (
        GpuPath(peer="0000:41:00.0", read="chipset", write="topology", nvlink="gpu", topology="system"),
    )


def test_cards_of_24_and_8_gib(tmp_path: Path, scenario: Scenario) -> None:
    scenario(card("NVIDIA GeForce RTX 3090", 24, 2), card("NVIDIA GeForce RTX 3070", 8, 1))
    profile = probe(tmp_path)
    assert sizes(profile) == [(24 * 1024, 22 * 1024), (8 * 1024, 7 * 1024)]
    assert profile.problems == ()


def test_a_laptop_whose_card_is_divided_offers_one_part(tmp_path: Path, scenario: Scenario) -> None:
    parts = (card("MIG 1g.4gb", 4, 1, uuid="MIG-1"), card("MIG 1g.2gb", 2, uuid="MIG-2"))
    scenario((card("NVIDIA RTX PRO Laptop GPU", 8, 1, mig=1), *parts))
    profile = probe(tmp_path)
    (gpu,) = profile.gpus
    assert sizes(profile) == [(4 * 1024, 3 * 1024)]
    assert gpu.mig is not None
    assert (gpu.mig.enabled, gpu.mig.card_total) == (True, 8 * GIB)
    assert [(part.uuid, part.vram_total) for part in gpu.mig.parts] == [("MIG-1", 4 * GIB), ("MIG-2", 2 * GIB)]
    assert gpu.bandwidth == 672_064_000_000 // 2  # half of the memory, half of its bandwidth
    assert "a program gets one part of 2" in said(profile)


@pytest.mark.parametrize("hidden", [0, 1])
def test_a_part_that_may_not_be_seen_leaves_the_others(tmp_path: Path, scenario: Scenario, hidden: int) -> None:
    parts = [card("MIG 3g.20gb", 20, 1, uuid="MIG-1"), card("MIG 2g.10gb", 10, uuid="MIG-2")]
    parts[hidden] |= {f"error.nvmlDeviceGetMemoryInfo{version}": NO_PERMISSION for version in ("", "_v2")}
    scenario((card("NVIDIA A100", 40, 1, mig=1), *parts))
    profile = probe(tmp_path)
    (gpu,) = profile.gpus
    assert gpu.mig is not None
    assert [part.uuid for part in gpu.mig.parts] == [f"MIG-{2 - hidden}"]
    assert sizes(profile) == [(10 * 1024, 10 * 1024) if hidden == 0 else (20 * 1024, 19 * 1024)]
    assert "1 that this user may not see" in said(profile)


def test_a_card_of_which_no_part_may_be_seen_says_so(tmp_path: Path, scenario: Scenario) -> None:
    part = card("MIG 3g.20gb", 20, **{f"{MEMORY}_v2": NO_PERMISSION, MEMORY: NO_PERMISSION})
    scenario((card("NVIDIA A100", 40, mig=1), part), card("RTX 3070", 8))
    profile = probe(tmp_path)
    assert [gpu.name for gpu in profile.gpus] == ["RTX 3070"]
    assert [lost.reason for lost in profile.lost_cards] == ["no_permission"]


@pytest.mark.parametrize("error", [GPU_IS_LOST, RESET_REQUIRED])
def test_a_part_of_a_lost_card_loses_the_card(tmp_path: Path, scenario: Scenario, error: int) -> None:
    scenario((card("NVIDIA A100", 40, mig=1), card("MIG 3g.20gb", 20, **{f"{MEMORY}_v2": error})))
    profile = probe(tmp_path)
    assert profile.gpus == ()
    assert [lost.reason for lost in profile.lost_cards] == ["lost" if error == GPU_IS_LOST else "reset_required"]


def test_a_card_that_is_to_be_divided_and_is_not_has_nothing_free(tmp_path: Path, scenario: Scenario) -> None:
    scenario(card("NVIDIA A30", 24, mig=1))
    profile = probe(tmp_path)
    assert sizes(profile) == [(24 * 1024, 0)]
    assert "has no parts" in said(profile)


@pytest.mark.parametrize(
    "function", ["nvmlDeviceGetHandleByIndex", "nvmlDeviceGetMemoryInfo_v2", "nvmlDeviceGetEccMode"]
)
def test_a_lost_card_is_named_and_leaves_the_others(tmp_path: Path, scenario: Scenario, function: str) -> None:
    scenario(
        card("NVIDIA GeForce RTX 3090", 24, bus=1) | {f"error.{function}": GPU_IS_LOST},
        card("NVIDIA GeForce RTX 3070", 8, bus=2),
    )
    profile = probe(tmp_path)
    assert [gpu.name for gpu in profile.gpus] == ["NVIDIA GeForce RTX 3070"]
    (lost,) = profile.lost_cards
    assert (lost.reason, lost.index, lost.detail) == ("lost", 0, "GPU is lost")
    assert profile.gpus[0].paths == ()  # the way to a lost card leads nowhere
    assert "lost to its driver" in said(profile)


def test_a_card_that_must_be_reset_is_told_so(tmp_path: Path, scenario: Scenario) -> None:
    scenario(card("NVIDIA A100", 40, bus=1, **{f"{MEMORY}_v2": RESET_REQUIRED}), card("NVIDIA T4", 16, recovery=1))
    profile = probe(tmp_path)
    assert [(lost.reason, lost.pci_address) for lost in profile.lost_cards] == [("reset_required", "0000:01:00.0")]
    assert [gpu.recovery for gpu in profile.gpus] == ["reset"]


def test_a_call_that_hangs_costs_what_comes_after_it(tmp_path: Path, scenario: Scenario) -> None:
    scenario(
        card("NVIDIA GeForce RTX 3090", 24, bus_width=384),
        card("NVIDIA GeForce RTX 3070", 8, hang__nvmlDeviceGetTemperature=1),
    )
    profile = probe(tmp_path, sources=6.0)
    assert sizes(profile) == [(24 * 1024, 24 * 1024), (8 * 1024, 8 * 1024)]
    assert profile.gpus[0].bandwidth == 1_008_096_000_000
    assert said(profile) == "NVML did not answer in time."
    assert [(each.source, each.outcome) for each in profile.sources if each.outcome != "answered"] == [("NVML", "slow")]
    assert profile.problems[0].seconds is not None


def test_a_second_card_that_hangs_at_once_leaves_the_first(tmp_path: Path, scenario: Scenario) -> None:
    scenario(card("RTX 3090", 24), card("RTX 3070", 8, hang__nvmlDeviceGetMemoryInfo_v2=1))
    profile = probe(tmp_path, sources=6.0)
    assert [gpu.name for gpu in profile.gpus] == ["RTX 3090"]
    assert said(profile) == "NVML did not answer in time."


def test_a_user_who_may_not_ask_is_told_what_to_do(tmp_path: Path, scenario: Scenario) -> None:
    scenario(card("RTX 3090", 24), **{"error.nvmlInitWithFlags": NO_PERMISSION})
    profile = probe(tmp_path)
    assert profile.gpus == ()
    assert "may not use NVIDIA's driver (Insufficient Permissions)" in said(profile)


def test_a_card_whose_memory_is_forbidden_is_not_taken_for_one_without(tmp_path: Path, scenario: Scenario) -> None:
    scenario(card("RTX 3090", 24, **{f"{MEMORY}_v2": NO_PERMISSION, MEMORY: NO_PERMISSION}), card("RTX 3070", 8))
    profile = probe(tmp_path)
    assert [gpu.name for gpu in profile.gpus] == ["RTX 3070"]
    assert [lost.reason for lost in profile.lost_cards] == ["no_permission"]


def test_a_driver_of_the_time_before_second_versions(
    tmp_path: Path, scenario: Scenario, tmp_path_factory: pytest.TempPathFactory
) -> None:
    old = build_stub_nvml(tmp_path_factory.mktemp("v1"), without=("V2",))
    scenario(
        card("Tesla K80", 12, 3, bus=5, compute=f"9:{GIB}", nvlinks=1, nvlink_up=1, nvlink_peer=6),
        library=old, driver="390.157", cuda=9010,
    )  # fmt: skip
    profile = probe(tmp_path)
    (gpu,) = profile.gpus
    assert sizes(profile) == [(12 * 1024, 9 * 1024)]
    assert (gpu.pci_address, gpu.driver, gpu.cuda_version) == ("0000:05:00.0", "390.157", "9.1")
    assert gpu.processes == (GpuProcess(pid=9, used=GIB),)
    assert gpu.nvlink == NvLink(links=1, active=1, peers=("0000:06:00.0",))
    assert "390.157 is old" in said(profile)
    assert "nvmlDeviceGetMemoryInfo" in said(profile)


def test_memory_that_another_program_fills_is_not_free(tmp_path: Path, scenario: Scenario) -> None:
    used = int(23.4 * GIB)
    scenario(card("RTX 3090", 24, compute=f"4321:{used}") | {"used": used, "reserved": 300 * MIB})
    (gpu,) = probe(tmp_path).gpus
    assert gpu.vram_free == 24 * GIB - used - 300 * MIB
    assert gpu.processes == (GpuProcess(pid=4321, used=used),)


def test_a_window_of_256_mib_is_told(tmp_path: Path, scenario: Scenario) -> None:
    scenario(card("RTX 3090", 24, bar1=256 * MIB))
    (gpu,) = probe(tmp_path).gpus
    assert (gpu.bar1_total, gpu.resizable_bar) == (256 * MIB, False)


def test_memory_errors_are_told(tmp_path: Path, scenario: Scenario) -> None:
    scenario(
        card(
            "NVIDIA A100",
            40,
            ecc=1,
            corrected=5,
            uncorrected=1,
            uncorrected_life=9,
            remapped=2,
            remap_pending=1,
            retired=3,
        )
    )
    (gpu,) = probe(tmp_path).gpus
    assert gpu.ecc is not None
    assert (gpu.ecc.corrected, gpu.ecc.uncorrected, gpu.ecc.uncorrected_in_its_life) == (5, 1, 9)
    assert (gpu.ecc.remapped_rows, gpu.ecc.retired_pages, gpu.ecc.pending, gpu.ecc.remap_failed) == (2, 3, True, False)


@pytest.mark.parametrize("stated", [2_000_000, 4_294_967_295])
def test_a_number_of_retired_pages_that_cannot_be_is_not_believed(
    tmp_path: Path, scenario: Scenario, stated: int
) -> None:
    """Nor is room made for them: the stub ends the program that offers room for more than a card can list."""
    scenario(card("NVIDIA A100", 40, ecc=1, corrected=5, retired=stated))
    profile = probe(tmp_path)
    (gpu,) = profile.gpus
    assert gpu.ecc is not None
    assert (gpu.ecc.corrected, gpu.ecc.retired_pages) == (5, 0)
    assert profile.problems == ()


@pytest.mark.parametrize("total", [0, 1 << 60, (1 << 64) - 1])
def test_a_size_that_cannot_be_leaves_the_card_out_and_is_said(tmp_path: Path, scenario: Scenario, total: int) -> None:
    scenario(card("RTX 3090", 0) | {"total": total, "used": 0}, card("RTX 3070", 8))
    profile = probe(tmp_path)
    assert sizes(profile) == [(8 * 1024, 8 * 1024)]
    assert [lost.reason for lost in profile.lost_cards] == ["no_memory"]
    assert "no size of its memory that can be true" in said(profile)


def test_two_sizes_for_one_card_count_as_the_smaller(tmp_path: Path, scenario: Scenario) -> None:
    scenario(card("RTX 3090", 24, total_v1=12 * GIB))
    profile = probe(tmp_path)
    assert sizes(profile) == [(12 * 1024, 12 * 1024)]
    assert "tells of its memory what cannot be" in said(profile)


def test_a_card_that_is_listed_twice_is_counted_once(tmp_path: Path, scenario: Scenario) -> None:
    scenario(card("RTX 3090", 24, bus=1), card("RTX 3090", 24, bus=1))
    profile = probe(tmp_path)
    assert sizes(profile) == [(24 * 1024, 24 * 1024)]
    assert "twice" in said(profile)


def test_two_cards_with_one_identity_are_two_cards(tmp_path: Path, scenario: Scenario) -> None:
    scenario(card("RTX 3090", 24, bus=1, uuid="GPU-1"), card("RTX 3090", 24, bus=2, uuid="GPU-1"))
    profile = probe(tmp_path)
    assert len(profile.gpus) == 2
    assert "the same identity (GPU-1)" in said(profile)


def test_a_number_of_cards_that_changes_is_said(tmp_path: Path, scenario: Scenario) -> None:
    scenario(card("RTX 3090", 24), card("RTX 3070", 8), counts="2,1")
    profile = probe(tmp_path)
    assert len(profile.gpus) == 2
    assert "spoke of 2 cards, and a moment later of 1" in said(profile)


def test_a_number_of_cards_that_cannot_be_is_cut(tmp_path: Path, scenario: Scenario) -> None:
    scenario(card("RTX 3090", 24, bus=1), card("RTX 3070", 8) | {"error.nvmlDeviceGetHandleByIndex": GPU_IS_LOST},
             counts=4_294_967_295)  # fmt: skip
    profile = probe(tmp_path)
    assert sizes(profile) == [(24 * 1024, 24 * 1024)]
    assert [lost.reason for lost in profile.lost_cards] == ["lost"]  # one, and not the 62 that are not there
    assert len(profile.problems) == 2
    assert "speaks of 4294967295 cards" in said(profile)


def test_a_card_that_vanished_from_a_sound_number_is_lost(tmp_path: Path, scenario: Scenario) -> None:
    scenario(card("RTX 3090", 24), counts=2)
    assert [lost.reason for lost in probe(tmp_path).lost_cards] == ["failed"]


def test_the_drivers_own_library_is_found_by_its_name(
    tmp_path: Path, scenario: Scenario, stub_nvml: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scenario(card("RTX 3090", 24))
    monkeypatch.delenv("SNUG_NVML_LIBRARY")
    monkeypatch.setenv("LD_LIBRARY_PATH", str(stub_nvml.parent))
    assert sizes(probe(tmp_path)) == [(24 * 1024, 24 * 1024)]


@pytest.mark.parametrize(
    ("card_name", "clock", "width", "published"),
    [("RTX 4090", 10501, 384, 1008), ("RTX 5090", 14001, 512, 1792), ("RTX 3060", 7501, 192, 360),
     ("H100 SXM", 2619, 5120, 3352)],
)  # fmt: skip
def test_bandwidth_is_what_the_maker_publishes(card_name: str, clock: int, width: int, published: int) -> None:
    """Clocks and widths as these cards' drivers tell them."""
    told = bandwidth(clock, width)
    assert told is not None, card_name
    assert round(told / 1e9) == published
