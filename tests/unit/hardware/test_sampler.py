"""The gauge's samples through the real child."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from desktop.childprocess import child_command, child_options
from desktop.hardware.sampler import HardwareSampler
from desktop.hardware.types import HardwareSample
from tests.support.stub_nvml import card
from tests.unit.hardware.conftest import PATIENT, Scenario, UseStub

GIB = 1 << 30


_PATIENT_CHILD = f"""
import sys
from desktop.hardware import child, samples
samples.GPU_PATIENCE = {PATIENT}
child.run_sampler_child(sys.argv[1:])
"""


@pytest.fixture
def patient_child(monkeypatch: pytest.MonkeyPatch) -> None:
    """The real child, in which a driver may be late: none of these hangs."""
    command = [sys.executable, "-P", "-c", _PATIENT_CHILD]
    monkeypatch.setattr("desktop.hardware.pipe.child_command", lambda _role, *arguments: [*command, *arguments])


def ourselves() -> tuple[int, ...]:
    return (os.getpid(),)


@pytest.fixture
def engine() -> Iterator["subprocess.Popen[bytes]"]:
    """A process that stands for the engine's child."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield process
        process.kill()


def patient_sampler(interval: float = 0.1) -> HardwareSampler:
    return HardwareSampler(interval=interval, own_pids=ourselves, patience=PATIENT)


async def next_sample(sampler: HardwareSampler) -> HardwareSample:
    async with asyncio.timeout(PATIENT):
        return await anext(sampler)


@pytest.mark.asyncio
async def test_samples_tell_main_memory_and_our_part_of_it() -> None:
    async with patient_sampler() as sampler:
        first, second = await next_sample(sampler), await next_sample(sampler)
    assert second.time > first.time
    assert 0 < first.ram_used < first.ram_total
    assert first.ram_used_by_us == pytest.approx(psutil.Process().memory_info().rss, rel=0.3)
    assert 0 <= first.ram_mapped_by_us < first.ram_used_by_us


@pytest.mark.asyncio
@pytest.mark.usefixtures("patient_child")
async def test_two_cards_are_there_from_the_first_sample(use_stub: UseStub) -> None:
    use_stub(pid=str(os.getpid()))
    async with patient_sampler() as sampler:
        sample = await next_sample(sampler)
    first, second = sample.gpus
    assert (first.vram_total, second.vram_total) == (12 * GIB, 8 * GIB)
    assert first.vram_used == pytest.approx(6.8 * GIB, abs=1)
    assert first.used_by_us == pytest.approx(6.1 * GIB, abs=1)
    assert (first.utilization, first.temperature, first.power) == (37.0, 61.0, 142.5)
    assert second.pci_address == "0000:d1:00.0"


@pytest.mark.asyncio
@pytest.mark.usefixtures("patient_child")
async def test_memory_of_a_new_engine_is_counted_as_ours(use_stub: UseStub, engine: "subprocess.Popen[bytes]") -> None:
    use_stub(pid=str(engine.pid))
    pids = {os.getpid()}
    async with HardwareSampler(interval=0.05, own_pids=lambda: pids, patience=PATIENT) as sampler:
        before = await next_sample(sampler)
        pids.add(engine.pid)
        async with asyncio.timeout(PATIENT):
            async for sample in sampler:
                if sample.gpus[0].used_by_us:
                    break
    assert before.gpus[0].used_by_us == 0
    assert sample.gpus[0].used_by_us == pytest.approx(6.1 * GIB, abs=1)
    assert sample.ram_used_by_us > before.ram_used_by_us


@pytest.mark.asyncio
@pytest.mark.allow_log("The hardware sampler ended .exit code -9")
async def test_a_killed_sampler_comes_back() -> None:
    async with patient_sampler() as sampler:
        await next_sample(sampler)
        killed = sampler.child_pid
        assert killed is not None
        os.kill(killed, signal.SIGKILL)
        while sampler.child_pid in {killed, None}:
            await next_sample(sampler)
        assert (await next_sample(sampler)).ram_total > 0


@pytest.mark.asyncio
@pytest.mark.allow_log("gave no sign of life")
async def test_a_stopped_sampler_is_replaced() -> None:
    async with HardwareSampler(interval=0.1, own_pids=ourselves, patience=3.0) as sampler:
        await next_sample(sampler)
        stopped = sampler.child_pid
        assert stopped is not None
        os.kill(stopped, signal.SIGSTOP)
        while sampler.child_pid in {stopped, None}:
            await next_sample(sampler)
        assert not psutil.pid_exists(stopped)


@pytest.mark.asyncio
async def test_a_driver_that_hangs_later_costs_the_cards_and_not_main_memory(use_stub: UseStub, tmp_path: Path) -> None:
    hang = tmp_path / "hang"
    use_stub(hang_when=str(hang))
    async with patient_sampler() as sampler:
        while len((await next_sample(sampler)).gpus) < 2:
            pass
        hang.touch()
        async with asyncio.timeout(PATIENT):
            async for during in sampler:
                if during.problems:
                    break
            assert (during.gpus, during.ram_used > 0) == ((), True)
            assert during.problems[0].message == "GPU did not answer in time."
            hang.unlink()
            async for after in sampler:
                if after.gpus:
                    break
        assert not after.problems


@pytest.mark.asyncio
@pytest.mark.usefixtures("patient_child")
async def test_a_broken_driver_is_told_in_the_sample(use_stub: UseStub) -> None:
    use_stub(fault="error")
    async with patient_sampler() as sampler:
        sample = await next_sample(sampler)
    assert sample.gpus == ()
    assert "Unknown Error" in sample.problems[0].message


@pytest.mark.asyncio
@pytest.mark.usefixtures("patient_child")
async def test_a_lost_card_costs_only_itself(scenario: Scenario) -> None:
    lost = {"error.nvmlDeviceGetMemoryInfo": 15, "error.nvmlDeviceGetMemoryInfo_v2": 15}
    scenario(card("RTX 3090", 24, 3) | lost, card("RTX 3070", 8, 2))
    async with patient_sampler() as sampler:
        sample = await next_sample(sampler)
    assert [(gpu.name, gpu.vram_used) for gpu in sample.gpus] == [("RTX 3070", 2 * GIB)]
    assert "card 0 failed" in sample.problems[0].message


@pytest.mark.asyncio
@pytest.mark.usefixtures("patient_child")
async def test_a_number_of_cards_that_cannot_be_is_no_list_of_failures(scenario: Scenario) -> None:
    scenario(card("RTX 3090", 24, 6), counts=4000)
    async with patient_sampler() as sampler:
        sample = await next_sample(sampler)
    assert ([gpu.name for gpu in sample.gpus], sample.problems) == (["RTX 3090"], ())


@pytest.mark.asyncio
@pytest.mark.usefixtures("patient_child")
async def test_what_we_and_others_hold_is_told_per_card(scenario: Scenario) -> None:
    ours = f"{os.getpid()}:{2 * GIB},4242:{3 * GIB}"
    forbidden = card("MIG 1g.6gb", 6, error__nvmlDeviceGetMemoryInfo_v2=4, error__nvmlDeviceGetMemoryInfo=4)
    divided = (card("A30", 24, mig=1), forbidden, card("MIG 2g.12gb", 12, 1))
    scenario(card("RTX 3090", 24, 6, bus=1, compute=ours), card("RTX 3090", 24, 6, bus=1), divided, counts=3)
    async with patient_sampler() as sampler:
        whole, part = (await next_sample(sampler)).gpus  # the one that is listed twice is there once
    assert (whole.used_by_us, whole.used_by_others) == (2 * GIB, 4 * GIB)
    assert (part.vram_total, part.vram_used) == (12 * GIB, GIB)  # as in the profile: the part, not the card


@pytest.mark.asyncio
async def test_leaving_ends_the_iteration_and_the_child() -> None:
    sampler = patient_sampler()
    async with sampler:
        await next_sample(sampler)
        pid = sampler.child_pid
        assert pid is not None
    assert [sample async for sample in sampler] == []
    assert not psutil.pid_exists(pid)


def test_the_sampler_ends_when_its_owner_does() -> None:
    child = subprocess.Popen(
        child_command("sampler", "0.1"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, **child_options()
    )
    with child:
        assert child.stdout is not None
        assert child.stdin is not None
        assert b"ram_total" in child.stdout.readline()
        child.stdin.close()
        assert child.wait(timeout=PATIENT) == 0


@pytest.mark.asyncio
@pytest.mark.allow_log("The hardware sampler failed and is replaced")
async def test_an_owner_that_cannot_name_its_processes_gets_samples_as_soon_as_it_can() -> None:
    answers = iter([RuntimeError("the engine is between two lives")])

    def own_pids() -> tuple[int, ...]:
        for error in answers:
            raise error
        return ourselves()

    async with HardwareSampler(interval=0.1, own_pids=own_pids, patience=PATIENT) as sampler:
        assert (await next_sample(sampler)).ram_used_by_us > 0


@pytest.mark.asyncio
async def test_watching_two_cards_costs_less_than_half_a_percent_of_a_core(use_stub: UseStub) -> None:
    samples = 60
    use_stub(pid=str(os.getpid()))
    async with patient_sampler(0.05) as sampler:
        await next_sample(sampler)
        processes = [psutil.Process(), psutil.Process(sampler.child_pid)]
        before = sum(sum(process.cpu_times()[:2]) for process in processes)
        first = await next_sample(sampler)
        for _ in range(samples):
            last = await next_sample(sampler)
        spent = sum(sum(process.cpu_times()[:2]) for process in processes) - before
    taken = (last.time - first.time) / 0.05  # a slow reader misses samples that were paid for
    assert spent / max(taken, samples) < 0.005  # seconds per sample, one sample a second


def test_a_mapped_model_is_ours_without_being_taken_from_the_others() -> None:
    sample = HardwareSample(
        time=0, ram_total=16 * GIB, ram_used=5 * GIB, ram_used_by_us=7 * GIB, ram_mapped_by_us=6 * GIB
    )
    assert sample.ram_used_by_others == 4 * GIB
