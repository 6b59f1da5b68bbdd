"""What a conversation meets that comes back: RAM first, then the disk, always its own state."""

import os
import threading
from pathlib import Path

import pytest

from desktop.engine.protocol import CacheLimits
from desktop.runtime.cache.tiers import CacheMiss, Tiers
from tests.unit.runtime.cache.conftest import MIB, Clock, OpenTiers, state_of

KIB = 1024


def _ram_only(size: int) -> Tiers:
    return Tiers(CacheLimits(ram_bytes=size), model_key="model", engine="1")


def _found(tiers: Tiers, tokens: list[int], *, whole: bool = False) -> bytes | None:
    hit = tiers.find(tokens, "", whole=whole)
    return None if hit is None else tiers.read(hit)


def _keep(tiers: Tiers, tokens: list[int], size: int = 2000, *, whole: bool = False) -> None:
    tiers.keep(tokens, "", state_of(tokens, size), whole=whole)


def test_a_conversation_that_comes_back_finds_its_state() -> None:
    tiers = _ram_only(MIB)
    _keep(tiers, [1, 2, 3])
    hit = tiers.find([1, 2, 3, 4, 5], "", whole=False)
    assert hit is not None
    assert (list(hit.tokens), hit.common, hit.tier, hit.size) == ([1, 2, 3], 3, "ram", 2000)
    assert tiers.read(hit) == state_of([1, 2, 3])
    assert tiers.find([2, 3], "", whole=False) is None


def test_the_next_turn_takes_the_place_of_the_one_before() -> None:
    tiers = _ram_only(MIB)
    _keep(tiers, [1, 2])
    _keep(tiers, [1, 2, 3])
    _keep(tiers, [1])
    assert tiers.figures.ram_entries == 1
    assert _found(tiers, [1, 2]) == state_of([1, 2, 3])


def test_states_that_cannot_be_cut_stay_beside_each_other() -> None:
    tiers = _ram_only(MIB)
    for tokens in ([1, 2, 3], [1], [1, 2], [1, 2]):
        _keep(tiers, tokens, whole=True)
    assert tiers.figures.ram_entries == 3
    assert _found(tiers, [1, 2, 9], whole=True) == state_of([1, 2])


def test_ram_keeps_to_its_limit_and_forgets_what_was_not_used() -> None:
    tiers = _ram_only(10 * KIB)
    for number in range(1, 5):
        _keep(tiers, [number])
    assert _found(tiers, [1]) is not None
    _keep(tiers, [5])
    _keep(tiers, [6])
    assert tiers.figures.ram_bytes <= 10 * KIB
    assert [number for number in range(1, 7) if _found(tiers, [number])] == [1, 3, 4, 5, 6]


def test_what_ram_has_no_room_for_is_read_from_the_disk(open_tiers: OpenTiers) -> None:
    tiers = open_tiers(ram=5 * KIB)
    for number in range(6):
        _keep(tiers, [number, 7])
        assert tiers.flush(60)
    figures = tiers.figures
    assert (figures.ram_entries, figures.disk_entries, figures.dropped) == (2, 4, 0)
    for number in range(6):
        assert _found(tiers, [number, 7, 8]) == state_of([number, 7])


def test_a_state_on_its_way_to_the_disk_is_found(open_tiers: OpenTiers, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = _SlowDisk(monkeypatch)
    tiers = open_tiers()
    _keep(tiers, [1, 2])
    hit = tiers.find([1, 2], "", whole=False)
    assert hit is not None
    assert (hit.tier, tiers.read(hit)) == ("ram", state_of([1, 2]))
    slow.go_on()
    assert tiers.flush(60)
    assert tiers.find([1, 2], "", whole=False) is not hit
    assert _found(tiers, [1, 2]) == state_of([1, 2])


def test_a_slow_disk_holds_two_states_in_memory_and_not_more(
    open_tiers: OpenTiers, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = _SlowDisk(monkeypatch)
    tiers = open_tiers()
    accepted = [tiers.persist([number], "", state_of([number])) for number in range(6)]
    assert accepted == [True, True, False, False, False, False]
    assert (tiers.figures.writing_entries, tiers.figures.dropped) == (2, 4)
    assert not tiers.flush(0.05)
    slow.go_on()


def test_the_turn_that_waits_for_a_slow_disk_is_replaced_by_the_next(
    open_tiers: OpenTiers, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = _SlowDisk(monkeypatch)
    tiers = open_tiers()
    tiers.persist([9], "", state_of([9]))
    turns = [[1], [1, 2], [1, 2, 3]]
    assert [tiers.persist(turn, "", state_of(turn)) for turn in turns] == [True, True, True]
    slow.go_on()
    assert tiers.flush(60)
    assert tiers.figures.disk_entries == 2
    assert _found(tiers, [1, 2]) == state_of([1, 2, 3])


def test_only_the_last_turn_of_a_conversation_takes_room_on_the_disk(open_tiers: OpenTiers, cache_root: Path) -> None:
    tiers = open_tiers()
    for turn in range(1, 6):
        tiers.persist(list(range(turn)), "", state_of(list(range(turn))))
        assert tiers.flush(60)
    assert len(list(cache_root.rglob("*.kv"))) == 1
    assert _found(tiers, list(range(9))) == state_of(list(range(5)))


def test_a_conversation_goes_on_after_a_restart(open_tiers: OpenTiers) -> None:
    first = open_tiers(ram=MIB)
    _keep(first, [1, 2, 3])
    first.keep([1, 2, 3], "adapter=1", b"with an adapter")
    assert first.close(60)
    again = open_tiers()
    assert _found(again, [1, 2, 3, 4]) == state_of([1, 2, 3])
    hit = again.find([1, 2, 3], "adapter=1", whole=False)
    assert hit is not None
    assert again.read(hit) == b"with an adapter"


def test_everything_that_waits_in_ram_is_put_on_the_disk_at_the_end(open_tiers: OpenTiers) -> None:
    first = open_tiers(ram=MIB)
    for number in range(12):
        _keep(first, [number], 20_000)
    assert first.close(60)
    again = open_tiers()
    assert [_found(again, [number]) for number in range(12)] == [state_of([number], 20_000) for number in range(12)]


def test_another_model_finds_nothing(open_tiers: OpenTiers) -> None:
    open_tiers(ram=MIB, model_key="a").keep([1], "", b"a")
    assert open_tiers(model_key="b").find([1], "", whole=False) is None


def test_a_state_too_large_for_its_share_of_the_disk_is_let_go(open_tiers: OpenTiers, cache_root: Path) -> None:
    tiers = open_tiers(disk=8000)
    assert not tiers.persist([1], "", state_of([1], 2001))
    assert tiers.persist([2], "", state_of([2], 1000))
    assert tiers.flush(60)
    assert len(list(cache_root.rglob("*.kv"))) == 1


def test_what_another_window_waits_with_is_found_too(open_tiers: OpenTiers, clock: Clock) -> None:
    mine, other = open_tiers(clock=clock), open_tiers()
    assert mine.find([1, 2], "", whole=False) is None
    other.persist([1, 2], "", state_of([1, 2]))
    assert other.flush(60)
    clock.now += 2
    assert _found(mine, [1, 2]) == state_of([1, 2])


def test_a_file_that_another_process_removed_is_a_miss(open_tiers: OpenTiers, cache_root: Path) -> None:
    tiers = open_tiers()
    tiers.persist([1], "", state_of([1]))
    assert tiers.flush(60)
    hit = tiers.find([1], "", whole=False)
    next(cache_root.rglob("*.kv")).unlink()
    assert hit is not None
    with pytest.raises(CacheMiss):
        tiers.read(hit)
    assert tiers.find([1], "", whole=False) is None


def test_a_state_that_the_engine_refused_is_not_found_again(
    open_tiers: OpenTiers, cache_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tiers = open_tiers(ram=MIB)
    _keep(tiers, [1])
    tiers.persist([2], "", state_of([2]))
    assert tiers.flush(60)
    for token in (1, 2):
        hit = tiers.find([token], "", whole=False)
        assert hit is not None
        tiers.read(hit)
        tiers.reject(hit, "the engine did not take it")
        assert tiers.find([token], "", whole=False) is None
    assert len(list(cache_root.rglob("*.bad"))) == 1
    assert list(cache_root.rglob("*.loading")) == []
    assert "the engine did not take it" in capsys.readouterr().err


def test_both_tiers_can_be_off() -> None:
    tiers = _ram_only(0)
    _keep(tiers, [1])
    assert not tiers.persist([1], "", b"x")
    assert tiers.find([1], "", whole=False) is None
    assert tiers.flush(0)
    assert tiers.close(0)


def test_the_end_does_not_wait_for_a_disk_that_hangs(open_tiers: OpenTiers, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = _SlowDisk(monkeypatch)
    tiers = open_tiers(ram=MIB)
    for number in range(5):
        _keep(tiers, [number])
    assert not tiers.close(0.1)
    assert not slow.went_on
    slow.go_on()


class _SlowDisk:
    """fsync does not return until it may; the file system is otherwise the real one."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._may, self._real = threading.Event(), os.fsync
        self.went_on = False
        monkeypatch.setattr(os, "fsync", self._sync)

    def _sync(self, descriptor: int) -> None:
        self._may.wait(60)
        self.went_on = True
        self._real(descriptor)

    def go_on(self) -> None:
        self._may.set()
