"""Drivers by chance, read through a real library: never a crash, never a wrong total."""

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from desktop.cli.probe import as_json, lines
from desktop.hardware.types import Cpu, Disk, Gpu, HardwareProfile, Ram
from tests.support.nvml_answers import Answer
from tests.support.stub_nvml import write_scenario
from tests.unit.hardware.conftest import PATIENT
from tests.unit.hardware.random_drivers import Driver, random_driver

RUNS = 50
SECONDS = 1.0
"""For a driver that may hang; a sound one has PATIENT."""
MOST_WATTS, MOST_DEGREES = 5000, 150


@pytest.mark.timeout(900)  # of twelve hundred drivers one in ten hangs for a second
def test_never_a_crash_and_never_a_wrong_total(
    tmp_path: Path, stub_nvml: Path, project_root: Path, campaign_factor: int
) -> None:
    seeds = range(RUNS * campaign_factor)
    drivers = [random_driver(seed) for seed in seeds]
    files = [
        write_scenario(tmp_path / f"{seed}.txt", *driver.cards, **driver.settings)
        for seed, driver in zip(seeds, drivers, strict=True)
    ]
    asked = [(SECONDS if driver.may_hang else PATIENT, file) for driver, file in zip(drivers, files, strict=True)]
    arguments = [str(argument) for pair in asked for argument in pair]
    command = [sys.executable, "-m", "tests.support.nvml_answers", str(stub_nvml), *arguments]
    child = subprocess.run(command, capture_output=True, cwd=project_root, timeout=60 + 3 * len(files), check=True)
    answers = [msgspec.json.decode(line, type=Answer) for line in child.stdout.splitlines()]
    assert len(answers) == len(drivers)
    for seed, driver, answer in zip(seeds, drivers, answers, strict=True):
        check(driver, answer, f"seed {seed}")
    listed = sum(len(answer.found.gpus) for answer in answers if answer.found)
    assert listed > len(drivers)  # the drivers are not so broken that nothing was there to be wrong


def check(driver: Driver, answer: Answer, which: str) -> None:
    gpus = {gpu.pci_address or f"card {gpu.index}": gpu for gpu in (answer.found.gpus if answer.found else ())}
    assert answer.found is None or len(answer.found.gpus) == len(gpus), which  # none is counted twice
    for expected in driver.expected:
        gpu = gpus.pop(expected.address, None)
        assert gpu is not None or not expected.must_be_there, f"{which}: {expected.address} is missing"
        if gpu is not None and not gpu.uses_ram:
            assert gpu.vram_total in expected.totals, f"{which}: {gpu}"
        if gpu is not None:
            check_figures(gpu, which)
    for gpu in gpus.values():  # no card that is not there: what is left does not tell its place
        assert gpu.pci_address is None, which
        assert gpu.uses_ram or any(gpu.vram_total in expected.totals for expected in driver.expected), which
    if driver.may_hang is False:
        assert answer.problem is None or "did not answer" not in answer.problem.message, which
    check_samples(driver, answer, which)
    check_said(driver, answer, which)
    check_printed(answer, which)


def check_figures(gpu: Gpu, which: str) -> None:
    assert 0 <= gpu.vram_free <= gpu.vram_total, which
    assert gpu.temperature is None or 0 <= gpu.temperature <= MOST_DEGREES, which
    assert gpu.power_limit is None or 0 <= gpu.power_limit <= MOST_WATTS, which
    assert gpu.bandwidth is None or gpu.bandwidth < 10**14, which
    assert gpu.name.isprintable(), which
    assert gpu.name, which
    for process in gpu.processes or ():
        assert process.used is None or process.used <= gpu.vram_total, which


def check_samples(driver: Driver, answer: Answer, which: str) -> None:
    """The gauge says the same of a card as the probe, and nothing that cannot be."""
    sizes = {gpu.pci_address: gpu.vram_total for gpu in (answer.found.gpus if answer.found else ()) if gpu.pci_address}
    for sample in answer.samples:
        assert 0 <= sample.vram_used <= sample.vram_total, which
        assert sample.used_by_us is None or sample.used_by_us <= sample.vram_total, which
        assert sample.utilization is None or sample.utilization <= 100, which
        if sample.pci_address in sizes and not sample.uses_ram:
            assert sample.vram_total == sizes[sample.pci_address], which
    addresses = [sample.pci_address for sample in answer.samples if sample.pci_address]
    assert len(addresses) == len(set(addresses)), which


def check_said(driver: Driver, answer: Answer, which: str) -> None:
    """A card that is not listed is spoken of."""
    listed = len(answer.found.gpus) if answer.found else 0
    if listed < len(driver.expected) and "counts" not in driver.settings:
        said = answer.problem is not None or (answer.found is not None and bool(answer.found.problems))
        assert said, which


def check_printed(answer: Answer, which: str) -> None:
    """`snug probe` prints it, both ways."""
    profile = HardwareProfile(
        system="Linux",
        cpu=Cpu(name="cpu", cores=1, threads=1),
        ram=Ram(total=1, available=1),
        gpus=answer.found.gpus if answer.found else (),
        lost_cards=answer.found.lost if answer.found else (),
        problems=answer.found.problems if answer.found else (),
        disk=Disk(path="/", total=1, free=1),
    )
    assert all(line.isprintable() for line in lines(profile)), which
    assert msgspec.json.encode(as_json(profile)), which
