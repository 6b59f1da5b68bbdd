"""AMD, Intel, Apple and Windows cards, from recorded trees and reports; none of these was run on a real card here."""

from pathlib import Path

import pytest

from desktop.hardware.amd import read_amd
from desktop.hardware.apple import parse_displays
from desktop.hardware.drm import pci_name, silent_cards
from desktop.hardware.drm_samples import sample_drm
from desktop.hardware.dxgi import Adapter
from desktop.hardware.intel import read_intel
from desktop.hardware.sources import Found
from desktop.hardware.types import PcieLink
from desktop.hardware.windows import found_in_adapters
from tests.support.sysfs_trees import add_card

GIB = 1 << 30
MIB = 1 << 20

PCI_IDS = """\
# a comment
1002  Advanced Micro Devices, Inc. [AMD/ATI]
\t744c  Navi 31 [Radeon RX 7900 XT/7900 XTX]
10de  NVIDIA Corporation
\t2504  GA106 [GeForce RTX 3060]
\t744c  The same number of another maker
"""


def amd(root: Path) -> Found:
    return list(read_amd(root, root / "kfd"))[-1]


def intel(root: Path) -> Found:
    return list(read_intel(root))[-1]


def add_radeon(root: Path, **changes: str | int) -> Path:
    files: dict[str, str | int] = {
        "vendor": "0x1002",
        "product_name": "Radeon RX 7900 XTX",
        "mem_info_vram_total": 24 * GIB,
        "mem_info_vram_used": 2 * GIB,
        "mem_info_vis_vram_total": 24 * GIB,
        "mem_info_gtt_total": 16 * GIB,
        "gpu_busy_percent": 42,
        "current_link_speed": "2.5 GT/s PCIe",
        "max_link_speed": "16.0 GT/s PCIe",
        "current_link_width": 16,
        "max_link_width": 16,
    }
    return add_card(root, "card1", "0000:0C:00.0", **(files | changes))


def test_a_radeon_is_read_from_sysfs(tmp_path: Path) -> None:
    add_radeon(tmp_path)
    add_card(tmp_path, "card0", "0000:00:02.0", vendor="0x8086")
    (tmp_path / "card1-DP-1").mkdir()
    (gpu,) = amd(tmp_path).gpus
    assert (gpu.name, gpu.vendor, gpu.pci_address) == ("Radeon RX 7900 XTX", "amd", "0000:0c:00.0")
    assert (gpu.vram_total, gpu.vram_free) == (24 * GIB, 22 * GIB)
    assert gpu.pcie == PcieLink(generation=1, generation_max=4, width=16, width_max=16)
    assert (gpu.resizable_bar, gpu.uses_ram) == (True, False)


def test_a_radeon_with_a_small_window_has_resizable_bar_off(tmp_path: Path) -> None:
    add_radeon(tmp_path, mem_info_vis_vram_total=256 * MIB)
    assert amd(tmp_path).gpus[0].resizable_bar is False


def test_an_amd_processors_graphics_lives_in_main_memory(tmp_path: Path) -> None:
    add_radeon(tmp_path, mem_info_vram_total=512 * MIB, mem_info_vram_used=MIB, mem_info_gtt_total=8 * GIB)
    (gpu,) = amd(tmp_path).gpus
    assert gpu.uses_ram is True
    assert gpu.vram_total == 8 * GIB + 512 * MIB  # its own part and its window into main memory
    assert gpu.vram_free <= gpu.vram_total
    assert [sample.uses_ram for sample in sample_drm((), tmp_path)] == [True]


def test_a_card_of_the_old_driver_is_left_out(tmp_path: Path) -> None:
    add_card(tmp_path, "card0", "0000:01:00.0", vendor="0x1002")
    assert amd(tmp_path).gpus == ()


def test_a_radeon_is_sampled(tmp_path: Path) -> None:
    sensors = add_radeon(tmp_path) / "hwmon" / "hwmon3"
    sensors.mkdir(parents=True)
    (sensors / "temp1_input").write_text("54000\n")
    (sensors / "power1_average").write_text("231000000\n")
    (sample,) = sample_drm((), tmp_path)
    assert (sample.vram_used, sample.utilization, sample.temperature, sample.power) == (2 * GIB, 42.0, 54.0, 231.0)
    assert sample.used_by_us == 0


def test_intels_integrated_graphics_lives_in_main_memory(tmp_path: Path) -> None:
    add_card(tmp_path, "card0", "0000:00:02.0", vendor="0x8086")
    found = intel(tmp_path)
    assert [gpu.uses_ram for gpu in found.gpus] == [True]
    assert found.problems == ()


def test_a_discrete_intel_card_tells_its_memory_where_the_driver_does(tmp_path: Path) -> None:
    folder = add_card(tmp_path, "card0", "0000:03:00.0", vendor="0x8086") / "drm" / "card0"
    folder.mkdir(parents=True)
    (folder / "lmem_total_bytes").write_text(f"{16 * GIB}\n")
    (folder / "lmem_avail_bytes").write_text(f"{15 * GIB}\n")
    (gpu,) = intel(tmp_path).gpus
    assert (gpu.vram_total, gpu.vram_free, gpu.uses_ram) == (16 * GIB, 15 * GIB, False)


def test_a_discrete_intel_card_of_unknown_size_is_told_and_not_invented(tmp_path: Path) -> None:
    add_card(tmp_path, "card0", "0000:03:00.0", vendor="0x8086")
    found = intel(tmp_path)
    assert found.gpus == ()
    assert "does not tell how much memory" in found.problems[0].message


def test_a_name_is_found_under_its_own_vendor(tmp_path: Path) -> None:
    database = tmp_path / "pci.ids"
    database.write_text(PCI_IDS)
    device = add_card(tmp_path, "card0", "0000:01:00.0", vendor="0x1002", device="0x744c")
    assert pci_name(device, (tmp_path / "missing", database)) == "Navi 31 [Radeon RX 7900 XT/7900 XTX]"
    assert pci_name(device, ()) is None
    other = add_card(tmp_path, "card1", "0000:02:00.0", vendor="0x10de", device="0x744c")
    assert pci_name(other, (database,)) == "The same number of another maker"


def test_a_card_without_a_driver_is_seen_on_the_bus(tmp_path: Path) -> None:
    database = tmp_path / "pci.ids"
    database.write_text(PCI_IDS)
    for address, kind in (("0000:01:00.0", "0x030000"), ("0000:01:00.1", "0x040300")):
        device = tmp_path / "bus" / address
        device.mkdir(parents=True)
        for file, content in (("class", kind), ("vendor", "0x10de"), ("device", "0x2504")):
            (device / file).write_text(content)
    (card,) = silent_cards("nvidia", tmp_path / "bus", (database,))
    assert (card.name, card.pci_address) == ("GA106 [GeForce RTX 3060]", "0000:01:00.0")


APPLE = """{"SPDisplaysDataType": [{"_name": "Apple M2 Pro", "spdisplays_vendor": "sppci_vendor_Apple",
"sppci_model": "Apple M2 Pro", "sppci_cores": "19", "spdisplays_mtlgpufamilysupport": "spdisplays_metal3"}]}"""


@pytest.mark.parametrize(("wired", "budget"), [(0, 16 * GIB), (20 * GIB, 20 * GIB)])
def test_a_macs_graphics_may_use_a_part_of_main_memory(wired: int, budget: int) -> None:
    (gpu,) = parse_displays(APPLE, wired, 24 * GIB, 12 * GIB)
    assert (gpu.name, gpu.vendor, gpu.uses_ram) == ("Apple M2 Pro", "apple", True)
    assert (gpu.vram_total, gpu.vram_free) == (budget, 12 * GIB)


def test_a_mac_without_apple_graphics_has_none() -> None:
    assert parse_displays('{"SPDisplaysDataType": [{"spdisplays_vendor": "Intel"}]}', 0, 24 * GIB, GIB) == ()


def test_windows_adapters_become_cards_without_the_software_one() -> None:
    discrete = Adapter(
        name="AMD Radeon RX 7600", vendor_id=0x1002, dedicated=8 * GIB, shared=16 * GIB,
        budget=7 * GIB, usage=GIB, luid=77, driver="32.0.12033.1030",
    )  # fmt: skip
    integrated = Adapter(name="Intel(R) UHD Graphics", vendor_id=0x8086, dedicated=128 * MIB, shared=16 * GIB)
    software = Adapter(name="Microsoft Basic Render Driver", vendor_id=0x1414, dedicated=0, shared=16 * GIB, flags=2)
    first, second = found_in_adapters([discrete, integrated, software, discrete]).gpus
    assert (first.vendor, first.vram_total, first.vram_free, first.uses_ram) == ("amd", 8 * GIB, 6 * GIB, False)
    assert (second.vendor, second.vram_total, second.uses_ram) == ("intel", 16 * GIB, True)
    assert first.driver == "32.0.12033.1030"


def test_a_windows_adapter_of_an_impossible_size_is_left_out_and_said() -> None:
    found = found_in_adapters([Adapter(name="\x00", vendor_id=0x8086, dedicated=1 << 60, shared=0)])
    assert found.gpus == ()
    assert [lost.reason for lost in found.lost] == ["no_memory"]
    assert "no size of its memory that can be true" in found.problems[0].message
