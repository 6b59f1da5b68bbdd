"""Xid messages: read from the kernel's log, counted, and told in words."""

import os
import re
import sys
from pathlib import Path

import msgspec
import pytest

import desktop.doctor.kernel_log
from desktop.doctor.kernel_log import KernelLog, Xid, find_xids, read_kernel_log
from desktop.doctor.xid import MEANINGS
from desktop.errors import Phrase
from desktop.hardware.types import BusCard
from tests.support.doctor_values import (
    CARD,
    GOOD_FACTS,
    MACHINE,
    another_card,
    changed,
    checked,
    with_card,
    with_cards,
    words,
)

LINES = (
    "NVRM: Xid (PCI:0000:01:00): 79, pid='<unknown>', name=<unknown>, GPU has fallen off the bus.",
    "6,1034,5140900,-;NVRM: Xid (PCI:0000:c1:00): 13, pid=2240, name=python, Graphics SM Warp Exception",
    "6,1035,5140910,-;NVRM: Xid (PCI:0000:c1:00): 13, pid=2240, name=python, Graphics Exception: ESR 0x50c730=0x1",
    "NVRM: Xid (0000:02:00): 31, Ch 0000000b, engmask 00000120, intr 10000000",
    "NVRM: GPU 0000:01:00.0: GPU has fallen off the bus.",
    "usb 1-1: new high-speed USB device, Xid 99",
)


def test_messages_are_counted_by_card_and_number() -> None:
    assert find_xids(LINES) == (
        Xid(number=13, pci_address="0000:c1:00", count=2),
        Xid(number=31, pci_address="0000:02:00", count=1),
        Xid(number=79, pci_address="0000:01:00", count=1),
    )


def logged(*numbers: int) -> KernelLog:
    return KernelLog(xids=tuple(Xid(number=number, pci_address="0000:01:00", count=1) for number in numbers))


async def said(log: KernelLog) -> tuple[str, str]:
    facts = msgspec.structs.replace(GOOD_FACTS, kernel_log=log)
    check = (await checked(with_card(), facts=facts))["xid"]
    return check.status, words(check)


@pytest.mark.asyncio
async def test_the_worst_message_is_explained_and_all_are_named() -> None:
    status, text = await said(KernelLog(xids=find_xids(LINES)))
    assert status == "fail"
    assert text.startswith(
        "Xid 13 × 2 (RTX 4070), Xid 31 (0000:02:00), Xid 79 (0000:01:00). 79: the card fell off the PCI bus"
    )
    assert "power cables" in text


@pytest.mark.asyncio
@pytest.mark.parametrize("number", sorted(MEANINGS))
async def test_every_known_number_has_words_and_what_to_do(number: int) -> None:
    status, text = await said(logged(number))
    assert status == MEANINGS[number].status
    assert f"{number}: " in text
    assert (MEANINGS[number].remedy is None) == (status == "pass")


@pytest.mark.asyncio
async def test_the_numbers_people_meet_are_known() -> None:
    assert set(MEANINGS) >= {13, 31, 43, 48, 62, 63, 64, 74, 79, 94, 95, 119, 120}


def test_every_number_is_documented_with_its_status() -> None:
    document = (Path(__file__).parents[3] / "docs" / "doctor.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([\d, ]+) \| .* \| (pass|warn|fail) \|", document, re.MULTILINE)
    documented = {int(number): status for numbers, status in rows for number in numbers.split(",")}
    assert documented == {number: meaning.status for number, meaning in MEANINGS.items()}


@pytest.mark.asyncio
async def test_an_unknown_number_is_told_after_broken_hardware_and_before_programs() -> None:
    assert "NVIDIA's list says what 150 means" in (await said(logged(13, 150)))[1]
    assert "the card's own controller stopped" in (await said(logged(62, 150)))[1]


@pytest.mark.asyncio
async def test_a_log_that_may_not_be_read_is_no_good_news() -> None:
    assert await said(KernelLog(unknown=Phrase.of("forbidden"))) == ("skip", "forbidden | none")


@pytest.mark.asyncio
async def test_a_clean_log_passes() -> None:
    assert (await said(KernelLog()))[0] == "pass"


@pytest.mark.asyncio
async def test_the_log_matters_to_nvidia_cards_even_to_one_that_is_gone() -> None:
    facts = msgspec.structs.replace(GOOD_FACTS, kernel_log=logged(79))
    assert (await checked(MACHINE, facts=facts))["xid"].status == "skip"
    assert (await checked(with_card(vendor="amd"), facts=facts))["xid"].status == "skip"
    silent = BusCard(vendor="nvidia", name="GA106", pci_address="0000:01:00.0")
    assert (await checked(changed(silent_cards=(silent,)), facts=facts))["xid"].status == "fail"


@pytest.mark.asyncio
async def test_two_cards_of_one_name_are_told_by_their_places() -> None:
    twin = another_card(name="RTX 4070")
    log = KernelLog(xids=(Xid(number=13, pci_address="0000:C1:00", count=1),))
    facts = msgspec.structs.replace(GOOD_FACTS, kernel_log=log)
    assert "0000:C1:00" in words((await checked(with_cards(CARD, twin), facts=facts))["xid"])
    assert "(RTX 4070)" in words((await checked(with_cards(CARD, another_card()), facts=facts))["xid"])


# --- reading --------------------------------------------------------------------------------------------------------


def journal(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """A real program in the place of journalctl."""
    program = folder / "journalctl"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}/usr/bin{os.pathsep}/bin")


pytestmark_unix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such log")


@pytestmark_unix
def test_the_kernels_own_device_is_read_record_by_record(tmp_path: Path) -> None:
    pipe = tmp_path / "kmsg"
    os.mkfifo(pipe)
    end = os.open(pipe, os.O_RDWR | os.O_NONBLOCK)
    try:
        os.write(end, LINES[1].encode() + b"\n")
        assert read_kernel_log(pipe).xids == (Xid(number=13, pci_address="0000:c1:00", count=1),)
    finally:
        os.close(end)


@pytestmark_unix
def test_where_there_is_no_device_the_journal_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal(tmp_path, monkeypatch, f'echo "booted"; echo "{LINES[3]}"')
    assert read_kernel_log(tmp_path / "none").xids == (Xid(number=31, pci_address="0000:02:00", count=1),)


@pytestmark_unix
@pytest.mark.parametrize("script", ["exit 0", "echo No journal files were opened >&2; exit 1"])
def test_an_empty_journal_means_that_it_may_not_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str
) -> None:
    journal(tmp_path, monkeypatch, script)
    log = read_kernel_log(tmp_path / "none")
    assert log.unknown is not None
    assert "container" in log.unknown.render()


@pytestmark_unix
def test_a_forbidden_device_says_who_may_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(_kmsg: Path) -> None:
        raise PermissionError

    monkeypatch.setattr(desktop.doctor.kernel_log, "_records", forbidden)
    monkeypatch.setenv("PATH", str(tmp_path))
    log = read_kernel_log()
    assert log.unknown is not None
    assert "sudo dmesg" in log.unknown.render()


@pytestmark_unix
def test_a_journal_that_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal(tmp_path, monkeypatch, "exec sleep 60")
    monkeypatch.setattr(desktop.doctor.kernel_log, "_JOURNAL_TIMEOUT", 0.2)
    with pytest.raises(TimeoutError, match="journalctl did not answer"):
        read_kernel_log(tmp_path / "none")
