"""What AMD's and Intel's own sources add: KFD, amdsmi, DRM clients, sysman. Trees and stand-ins, no real card."""

import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from desktop.hardware.amd import read_amd
from desktop.hardware.amd_nodes import architecture, bandwidth
from desktop.hardware.drm_clients import parse_client, vram_of
from desktop.hardware.drm_samples import sample_drm
from desktop.hardware.intel import read_intel
from desktop.hardware.sources import Found
from desktop.hardware.types import GpuProcess, GpuSample
from tests.support.stub_level_zero import build_stub_level_zero
from tests.support.sysfs_trees import add_card, add_client, add_node, add_sensors

GIB = 1 << 30
MIB = 1 << 20

XE_CLIENT = """pos:\t0
drm-driver:\txe
drm-client-id:\t3
drm-pdev:\t0000:03:00.0
drm-total-vram0:\t23992 KiB
drm-shared-vram0:\t16 MiB
drm-resident-vram0:\t20000 KiB
"""
AMD_CLIENT = """drm-driver:\tamdgpu
drm-client-id:\t{number}
drm-pdev:\t0000:0c:00.0
drm-memory-vram:\t{mib} MiB
"""
AMDSMI = """
def amdsmi_init(): pass
def amdsmi_shut_down(): pass
def amdsmi_get_processor_handles(): return ["first"]
def amdsmi_get_gpu_device_bdf(handle): return "0000:0C:00.0"
def amdsmi_get_gpu_asic_info(handle): return {"market_name": "Radeon RX 7900 XTX"}
def amdsmi_get_gpu_driver_info(handle): return {"driver_version": "6.8.5"}
def amdsmi_get_gpu_vram_info(handle): return {"vram_bit_width": 384, "vram_max_bandwidth": 960}
def amdsmi_get_gpu_process_list(handle):
    return [{"pid": 7, "memory_usage": {"vram_mem": 1 << 30}}, {"pid": 8, "memory_usage": "N/A"}]
"""


def amd_card(root: Path, **changes: str | int) -> Path:
    files: dict[str, str | int] = {
        "vendor": "0x1002",
        "mem_info_vram_total": 24 * GIB,
        "mem_info_vram_used": 2 * GIB,
        "mem_info_vis_vram_total": 24 * GIB,
        "mem_info_gtt_total": 16 * GIB,
    }
    return add_card(root, "card1", "0000:0C:00.0", **(files | changes))


def amd(root: Path) -> Found:
    return list(read_amd(root, root / "topology" / "nodes"))[-1]


@pytest.mark.parametrize(
    ("clock", "width", "version", "published"),
    [(1249, 384, 110_000, 960), (1000, 256, 100_300, 512), (945, 2048, 90_000, 484), (2000, 256, 80_003, 256)],
)
def test_bandwidth_of_amds_cards_is_what_amd_publishes(clock: int, width: int, version: int, published: int) -> None:
    """RX 7900 XTX, RX 6800, Vega 64, RX 580."""
    assert bandwidth(clock, width, version) == pytest.approx(published * 1e9, rel=0.002)


def test_an_architecture_is_written_as_the_compiler_does() -> None:
    assert [architecture(number) for number in (110_000, 90_010, 100_300, 0)] == ["gfx1100", "gfx90a", "gfx1030", None]


def test_rocms_driver_adds_bandwidth_and_architecture(tmp_path: Path) -> None:
    add_sensors(amd_card(tmp_path), temp1_input=61_000, power1_cap=355_000_000)
    facts = {"simd_count": 192, "location_id": 0x0C00, "domain": 0, "gfx_target_version": 110_000}
    add_node(tmp_path / "topology" / "nodes", 1, facts, {"heap_type": 1, "width": 384, "mem_clk_max": 1249})
    add_node(tmp_path / "topology" / "nodes", 0, {"simd_count": 0, "location_id": 0}, {})  # the processor
    (gpu,) = amd(tmp_path).gpus
    assert (gpu.bandwidth, gpu.bus_width, gpu.memory_clock_max) == (959_232_000_000, 384, 1249)
    assert (gpu.compute_capability, gpu.temperature, gpu.power_limit) == ("gfx1100", 61.0, 355.0)
    assert (gpu.bar1_total, gpu.resizable_bar) == (24 * GIB, True)


@pytest.mark.parametrize(("total", "used"), [(24 * GIB, 25 * GIB), (1 << 60, 0), ("-5", 0), ("9" * 400, 0)])
def test_amd_figures_that_cannot_be_are_not_believed(tmp_path: Path, total: str | int, used: int) -> None:
    amd_card(tmp_path, mem_info_vram_total=total, mem_info_vram_used=used)
    found = amd(tmp_path)
    assert [(gpu.vram_total, gpu.vram_free) for gpu in found.gpus] == ([(24 * GIB, 0)] if total == 24 * GIB else [])
    if isinstance(total, int):
        assert "cannot be" in found.problems[0].message or "can be true" in found.problems[0].message


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("Radeon\x1b]0;owned\x07 \u202eXT\nsecond line", "Radeon]0;owned XTsecond line"),
        ("x" * 100_000, "x" * 96),
        ("\x1b\x07", "AMD GPU"),
    ],
)
def test_a_name_in_a_card_is_short_and_steers_no_terminal(tmp_path: Path, written: str, name: str) -> None:
    device = amd_card(tmp_path, unique_id="\x1b[2J42", vendor="0x1002", device="0xffff")
    (device / "product_name").write_text(written)
    (gpu,) = amd(tmp_path).gpus
    assert (gpu.name, gpu.uuid) == (name, "[2J42")
    assert [sample.name for sample in sample_drm((), tmp_path, tmp_path / "proc", tmp_path / "kfd")] == [name]


@pytest.mark.parametrize(
    ("used", "said"), [("18446744073709551615", "18446744073709551615"), ("-5", "-5"), ("", "?"), (None, "?")]
)
def test_a_card_that_does_not_tell_what_is_used_is_not_taken_for_empty(
    tmp_path: Path, used: str | None, said: str
) -> None:
    device = amd_card(tmp_path, mem_info_vram_used=used or "")
    if used is None:
        (device / "mem_info_vram_used").unlink()
    found = amd(tmp_path)
    assert [(gpu.vram_total, gpu.vram_free) for gpu in found.gpus] == [(24 * GIB, 0)]
    (problem,) = found.problems
    assert f"({said} used of {24 * GIB})" in problem.message


def test_intels_card_that_does_not_tell_what_is_free_is_not_taken_for_empty(tmp_path: Path) -> None:
    folder = add_card(tmp_path, "card2", "0000:04:00.0", vendor="0x8086") / "drm" / "card2"
    folder.mkdir(parents=True)
    (folder / "lmem_total_bytes").write_text(f"{16 * GIB}\n")
    (folder / "lmem_avail_bytes").write_text(f"{1 << 64}\n")
    first = next(iter(read_intel(tmp_path)))
    assert [(gpu.vram_total, gpu.vram_free) for gpu in first.gpus] == [(16 * GIB, 0)]
    assert f"({1 << 64} free of {16 * GIB})" in first.problems[0].message


@pytest.fixture
def no_amdsmi() -> Iterator[None]:
    """Whatever module of that name a test imports is forgotten."""
    sys.modules.pop("amdsmi", None)
    yield
    sys.modules.pop("amdsmi", None)


def test_a_card_with_two_numbers_is_one_card(tmp_path: Path) -> None:
    amd_card(tmp_path)
    add_card(tmp_path, "card2", "0000:0C:00.0", vendor="0x1002", mem_info_vram_total=24 * GIB)
    assert [gpu.vram_total for gpu in amd(tmp_path).gpus] == [24 * GIB]
    assert len(sample_drm((), tmp_path, tmp_path / "proc", tmp_path / "kfd")) == 1


@pytest.mark.usefixtures("no_amdsmi")
def test_amdsmi_adds_what_it_knows_where_it_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    amd_card(tmp_path)
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules" / "amdsmi.py").write_text(AMDSMI)
    monkeypatch.syspath_prepend(tmp_path / "modules")
    first, last = read_amd(tmp_path, tmp_path / "none")
    (gpu,) = last.gpus
    assert (gpu.name, gpu.driver, gpu.bandwidth) == ("Radeon RX 7900 XTX", "6.8.5", 960 * 10**9)
    assert gpu.processes == (GpuProcess(pid=7, used=GIB), GpuProcess(pid=8, used=None))
    assert (gpu.vram_total, gpu.vram_free) == (first.gpus[0].vram_total, first.gpus[0].vram_free)


@pytest.mark.usefixtures("no_amdsmi")
def test_an_amdsmi_that_fails_costs_its_details_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    amd_card(tmp_path)
    (tmp_path / "amdsmi.py").write_text("raise OSError('libamd_smi.so is too old')")
    monkeypatch.syspath_prepend(tmp_path)
    found = amd(tmp_path)
    assert len(found.gpus) == 1
    assert found.problems[0].message == "amdsmi failed: OSError: libamd_smi.so is too old"


def test_a_client_is_read_as_each_driver_writes_it() -> None:
    xe = parse_client(XE_CLIENT)
    assert xe is not None
    assert (xe.pci_address, xe.number, xe.used) == ("0000:03:00.0", "3", 20000 << 10)  # resident before total
    i915 = parse_client("drm-client-id:\t1\ndrm-pdev:\t0000:03:00.0\ndrm-total-local0:\t5 MiB\n")
    assert i915 is not None
    assert i915.used == 5 * MIB
    assert parse_client("pos:\t0\nflags:\t02\n") is None


def test_our_part_of_an_amd_card_counts_every_client_once(tmp_path: Path) -> None:
    amd_card(tmp_path / "drm")
    proc = tmp_path / "proc"
    for number, client, target in ((5, 1, "/dev/dri/renderD128"), (6, 1, "/dev/dri/card1"), (7, 2, "/dev/dri/card1")):
        add_client(proc, 77, number, target, AMD_CLIENT.format(number=client, mib=100))
    add_client(proc, 77, 8, "/dev/null", AMD_CLIENT.format(number=9, mib=900))
    assert vram_of({77, 78}, proc) == {"0000:0c:00.0": 200 * MIB}
    (sample,) = sample_drm({77, 78}, tmp_path / "drm", proc, tmp_path / "kfd")
    assert (sample.used_by_us, sample.used_by_others) == (200 * MIB, 2 * GIB - 200 * MIB)


def test_memory_that_rocm_holds_for_us_is_ours(tmp_path: Path) -> None:
    amd_card(tmp_path / "drm")
    kfd = tmp_path / "kfd" / "topology" / "nodes"
    add_node(kfd, 1, {"simd_count": 192, "location_id": 0x0C00}, {}, gpu_id=4711)
    held = tmp_path / "kfd" / "proc" / "77"
    held.mkdir(parents=True)
    (held / "vram_4711").write_text(f"{GIB}\n")
    (sample,) = sample_drm({77}, tmp_path / "drm", tmp_path / "proc", kfd)
    assert sample.used_by_us == GIB


class Read(msgspec.Struct, frozen=True):
    """What a child read of Intel's cards."""

    found: Found
    samples: tuple[GpuSample, ...]


def read_in_child(root: Path, sysman: Path, project_root: Path, **steering: str) -> Read:
    program = (
        "import sys, msgspec; from pathlib import Path; from desktop.hardware.intel import read_intel\n"
        "from desktop.hardware.drm_samples import sample_drm\n"
        "answer = {'found': list(read_intel(Path(sys.argv[1])))[-1], 'samples': sample_drm((), Path(sys.argv[1]))}\n"
        "print(msgspec.json.encode(answer).decode())"
    )
    environment = {"LD_LIBRARY_PATH": str(sysman.parent), "PATH": "/usr/bin:/bin", **steering}
    command = [sys.executable, "-c", program, str(root)]
    child = subprocess.run(command, capture_output=True, cwd=project_root, env=environment, timeout=60, check=True)
    return msgspec.json.decode(child.stdout, type=Read)


def test_sysman_tells_the_memory_that_the_kernel_does_not(tmp_path: Path, project_root: Path) -> None:
    add_card(tmp_path / "drm", "card0", "0000:03:00.0", vendor="0x8086")
    add_card(tmp_path / "drm", "card1", "0000:00:02.0", vendor="0x8086")
    cards = f"3:{16 * GIB}:{15 * GIB}:1,0:{32 * GIB}:{GIB}:0"
    library = build_stub_level_zero(tmp_path)
    read = read_in_child(tmp_path / "drm", library, project_root, STUB_ZE_CARDS=cards)
    found = read.found
    integrated, discrete = found.gpus
    assert integrated.uses_ram
    assert (discrete.vram_total, discrete.vram_free, discrete.bandwidth) == (16 * GIB, 15 * GIB, 560 * 10**9)
    assert (discrete.pci_address, found.problems, found.lost) == ("0000:03:00.0", (), ())
    assert [(sample.pci_address, sample.vram_used) for sample in read.samples] == [("0000:03:00.0", GIB)]


@pytest.mark.parametrize(("fault", "said"), [("init", "zesInit"), ("memory", "zesMemoryGetState")])
def test_a_sysman_that_fails_is_told(tmp_path: Path, project_root: Path, fault: str, said: str) -> None:
    add_card(tmp_path / "drm", "card0", "0000:03:00.0", vendor="0x8086")
    steering = {"STUB_ZE_CARDS": f"3:{GIB}:{GIB}:1", "STUB_ZE_FAULT": fault}
    found = read_in_child(tmp_path / "drm", build_stub_level_zero(tmp_path), project_root, **steering).found
    assert found.gpus == ()
    assert any(said in problem.message for problem in found.problems)


def test_a_sysman_that_lies_is_not_believed(tmp_path: Path, project_root: Path) -> None:
    add_card(tmp_path / "drm", "card0", "0000:03:00.0", vendor="0x8086")
    library = build_stub_level_zero(tmp_path)
    found = read_in_child(tmp_path / "drm", library, project_root, STUB_ZE_CARDS=f"3:{1 << 60}:0:1").found
    assert found.gpus == ()
    assert "can be true" in found.problems[0].message


def test_trees_by_chance_never_break_and_never_lie(tmp_path: Path, campaign_factor: int) -> None:
    values: tuple[str | int, ...] = (
        "", "-1", "x", "0", 1, GIB, 8 * GIB, 24 * GIB, 1 << 44, 1 << 60, (1 << 64) - 1, "9" * 30, "\x00\xff", "NaN",
    )  # fmt: skip
    for seed in range(50 * campaign_factor):
        chance = random.Random(seed)
        root = tmp_path / str(seed)
        names = ("mem_info_vram_total", "mem_info_vram_used", "mem_info_vis_vram_total", "mem_info_gtt_total",
                 "gpu_busy_percent", "current_link_width", "max_link_speed", "unique_id", "product_name")  # fmt: skip
        written = {name: chance.choice(values) for name in names if chance.random() < 0.8}
        amd_card(root, **written)
        folder = add_card(root, "card2", "0000:04:00.0", vendor="0x8086") / "drm" / "card2"
        folder.mkdir(parents=True)
        local = {name: chance.choice(values) for name in ("lmem_total_bytes", "lmem_avail_bytes")}
        for name, value in local.items():
            (folder / name).write_text(f"{value}\n")
        found = (amd(root), list(read_intel(root))[-1])
        totals = {written.get("mem_info_vram_total", 24 * GIB), local["lmem_total_bytes"]}
        for gpu in (*found[0].gpus, *found[1].gpus):
            assert gpu.uses_ram or gpu.vram_total in totals, seed
            assert 0 <= gpu.vram_free <= gpu.vram_total, seed
        for sample in sample_drm((), root, root / "proc", root / "kfd"):
            assert 0 <= sample.vram_used <= sample.vram_total, seed
        assert msgspec.json.encode(found), seed
