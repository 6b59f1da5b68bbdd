"""A damaged, strange or linked file costs a state, and never gives a wrong one."""

import os
import random
from pathlib import Path

import pytest

from desktop.runtime.cache import folder
from desktop.runtime.cache.entry_file import make_head
from desktop.runtime.cache.tiers import CacheMiss, Tiers
from tests.unit.runtime.cache.conftest import OpenTiers, suffixes, write_entry

pytestmark = pytest.mark.skipif(os.name != "posix", reason="limits, links and signals of POSIX")

# --- damage ----------------------------------------------------------------------------------------------------------


def test_a_flipped_bit_anywhere_is_never_taken_for_a_state(
    open_tiers: OpenTiers, tmp_path: Path, campaign_factor: int, capsys: pytest.CaptureFixture[str]
) -> None:
    tokens = list(range(100))
    file = write_entry(open_tiers(root=tmp_path / "whole"), tokens)
    whole = file.read_bytes()
    rng = random.Random(11)
    runs = 200 * campaign_factor
    # Every kind of place: prefix, description, tokens, checksum, state.
    for run in range(runs):
        at = rng.randrange(len(whole) - 2000 if run % 2 else len(whole))
        damaged = bytearray(whole)
        damaged[at] ^= 1 << rng.randrange(8)
        root = tmp_path / str(run)
        (root / file.parent.name).mkdir(parents=True)
        (root / file.parent.name / file.name).write_bytes(damaged)
        _is_refused(open_tiers(root=root), tokens)
        assert suffixes(root) == [".bad"], f"byte {at}"
    assert len(capsys.readouterr().err.splitlines()) == runs


def test_a_file_that_was_cut_off_or_grew_is_refused(open_tiers: OpenTiers, tmp_path: Path) -> None:
    tokens = list(range(100))
    file = write_entry(open_tiers(root=tmp_path / "whole"), tokens)
    whole = file.read_bytes()
    rng = random.Random(12)
    lengths = [0, 1, 15, 16, 17, len(whole) - 1, *(rng.randrange(len(whole)) for _ in range(40))]
    for run, content in enumerate([*(whole[:length] for length in lengths), whole + b"\0", b"\0" * len(whole)]):
        root = tmp_path / str(run)
        (root / file.parent.name).mkdir(parents=True)
        (root / file.parent.name / file.name).write_bytes(content)
        _is_refused(open_tiers(root=root), tokens)
        assert suffixes(root) == [".bad"]


def test_a_file_that_is_damaged_after_it_was_listed_is_a_miss(open_tiers: OpenTiers) -> None:
    tiers = open_tiers()
    file = write_entry(tiers, [1, 2])
    hit = tiers.find([1, 2], "", whole=False)
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    assert hit is not None
    with pytest.raises(CacheMiss, match="checksum"):
        tiers.read(hit)
    assert tiers.find([1, 2], "", whole=False) is None
    assert not file.exists()


def test_a_file_of_another_format_or_with_an_endless_description_is_refused(
    open_tiers: OpenTiers, cache_root: Path
) -> None:
    file = write_entry(open_tiers(), [1])
    whole = file.read_bytes()
    for position, value in ((12, b"\xff\xff\xff\x7f"), (8, b"\x01\0\0\0")):
        content = bytearray(whole)
        content[position : position + 4] = value
        file.write_bytes(content)
        _is_refused(open_tiers(), [1])
    assert suffixes(cache_root) == [".bad"]


def test_a_file_of_another_model_or_engine_is_refused(open_tiers: OpenTiers, cache_root: Path) -> None:
    tiers = open_tiers()
    file = write_entry(tiers, [1])
    for number, (model_key, engine) in enumerate([("other", "1"), ("model", "2")]):
        head = make_head(model_key=model_key, engine=engine, adapters="", key=b"\2\0\0\0", state=b"state")
        file.with_name(f"{number:016x}.kv").write_bytes(head + b"state")
    _is_refused(open_tiers(), [2])
    assert suffixes(cache_root) == [".bad", ".bad", ".kv"]


def test_few_damaged_files_are_kept(open_tiers: OpenTiers, cache_root: Path) -> None:
    tiers = open_tiers()
    for number in range(10):
        write_entry(tiers, [number]).write_bytes(b"damaged")
    assert open_tiers().find([1], "", whole=False) is None
    assert suffixes(cache_root) == [".bad"] * folder.MOST_QUARANTINED


def _is_refused(tiers: Tiers, tokens: list[int]) -> None:
    hit = tiers.find(tokens, "", whole=False)
    if hit is not None:
        with pytest.raises(CacheMiss):
            tiers.read(hit)
        assert tiers.find(tokens, "", whole=False) is None


# --- links, names and rights -----------------------------------------------------------------------------------------


def test_a_link_in_the_place_of_a_file_is_refused(open_tiers: OpenTiers, tmp_path: Path) -> None:
    file = write_entry(open_tiers(), [1])
    elsewhere = file.rename(tmp_path / "elsewhere")
    file.symlink_to(elsewhere)
    assert open_tiers().find([1], "", whole=False) is None
    assert elsewhere.exists()


def test_a_link_in_the_place_of_a_folder_is_refused(
    open_tiers: OpenTiers, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write_entry(open_tiers(), [1])
    elsewhere = file.parent.rename(tmp_path / "elsewhere")
    file.parent.symlink_to(elsewhere)
    tiers = open_tiers()
    assert tiers.find([1], "", whole=False) is None
    assert tiers.persist([2], "", b"state")
    assert tiers.flush(60)
    assert [path.name for path in elsewhere.iterdir()] == [file.name]
    assert "in the place of a folder" in capsys.readouterr().err


def test_a_file_that_becomes_a_link_is_a_miss(open_tiers: OpenTiers, tmp_path: Path) -> None:
    tiers = open_tiers()
    file = write_entry(tiers, [1])
    hit = tiers.find([1], "", whole=False)
    file.rename(tmp_path / "elsewhere")
    file.symlink_to(tmp_path / "elsewhere")
    assert hit is not None
    with pytest.raises(CacheMiss, match="link"):
        tiers.read(hit)
    assert (tmp_path / "elsewhere").exists()


def test_nobody_else_can_read_what_waits(open_tiers: OpenTiers, cache_root: Path) -> None:
    old = os.umask(0)
    try:
        tiers = open_tiers()
        file = write_entry(tiers, [1])
        hit = tiers.find([1], "", whole=False)
        assert hit is not None
        tiers.read(hit)
    finally:
        os.umask(old)
    assert cache_root.stat().st_mode & 0o777 == 0o700
    assert file.parent.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in file.parent.iterdir()} == {0o600}


def test_no_name_comes_from_a_model_or_from_what_was_said(open_tiers: OpenTiers, cache_root: Path) -> None:
    tiers = open_tiers(model_key="../../etc/passwd")
    tiers.persist([1], "../adapter", b"state")
    assert tiers.flush(60)
    (file,) = cache_root.rglob("*.kv")
    assert folder._NAME.fullmatch(file.name)
    assert folder._MODEL.fullmatch(file.parent.name)
    assert file.parent.parent == cache_root
