"""What is to be forgotten leaves RAM and the disk at once, whatever model it is of; the rest stays where it is."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from desktop.runtime.cache import entry_file
from desktop.runtime.cache.entries import Forgotten, conversation_key, whose
from desktop.runtime.cache.tiers import Tiers
from tests.unit.runtime.cache.conftest import MIB, OpenTiers, state_of, suffixes

ANN, BOB = conversation_key("ann"), conversation_key("bob")
ANNS, ALL = whose(["ann"]), whose(None)


def write(tiers: Tiers, tokens: list[int], conversation: str, size: int = 2000) -> None:
    assert tiers.persist(tokens, "", state_of(tokens, size), conversation=conversation)
    assert tiers.flush(60)


def finds(tiers: Tiers, tokens: list[int]) -> bool:
    return tiers.find(tokens, "", whole=False) is not None


def test_a_conversation_leaves_ram_and_the_others_stay(open_tiers: OpenTiers) -> None:
    tiers = open_tiers(ram=MIB, disk=0)
    tiers.keep([1, 2], "", state_of([1, 2]), conversation=ANN)
    tiers.keep([3, 4], "", state_of([3, 4]), conversation=BOB)
    tiers.keep([5, 6], "", state_of([5, 6]))
    assert tiers.forget(ANNS) == Forgotten(1, 2000 + 8)
    assert [finds(tiers, [one, one + 1]) for one in (1, 3, 5)] == [False, True, True]
    assert tiers.figures.ram_bytes == 2 * 2008
    assert tiers.forget(ALL).entries == 2
    assert tiers.figures.ram_bytes == 0


def test_a_conversation_leaves_the_disk_and_the_others_stay(open_tiers: OpenTiers, cache_root: Path) -> None:
    tiers = open_tiers()
    for tokens, conversation in (([1], ANN), ([2], BOB), ([3], "")):
        write(tiers, tokens, conversation)
    before = sum(file.stat().st_size for file in cache_root.rglob("*.kv"))
    gone = tiers.forget(ANNS)
    assert gone == Forgotten(1, before - sum(file.stat().st_size for file in cache_root.rglob("*.kv")))
    assert [finds(tiers, [one]) for one in (1, 2, 3)] == [False, True, True]
    assert len(suffixes(cache_root)) == 2
    assert [finds(open_tiers(), [one]) for one in (1, 2, 3)] == [False, True, True]
    assert tiers.forget(ALL).entries == 2
    assert suffixes(cache_root) == []


def test_it_is_forgotten_of_every_model_and_engine(open_tiers: OpenTiers, cache_root: Path) -> None:
    for model, engine in (("model", "1"), ("other", "2")):
        write(open_tiers(model_key=model, engine=engine), [1], ANN)
        write(open_tiers(model_key=model, engine=engine), [2], BOB)
    assert len(suffixes(cache_root)) == 4
    assert open_tiers(model_key="third").forget(ANNS).entries == 2
    assert len(suffixes(cache_root)) == 2


def test_what_another_conversation_goes_on_with_is_its_own(open_tiers: OpenTiers, cache_root: Path) -> None:
    tiers = open_tiers()
    write(tiers, [1, 2], ANN)
    write(tiers, [1, 2, 3], BOB)  # takes the place of the first, which it begins with
    assert tiers.forget(ANNS).entries == 0
    assert finds(tiers, [1, 2])


def test_what_nobody_had_a_name_for_becomes_that_of_whoever_says_it(open_tiers: OpenTiers, cache_root: Path) -> None:
    tiers = open_tiers(ram=MIB)
    for keep in (tiers.keep, tiers.persist):
        keep([1, 2, 3], "", state_of([1, 2, 3]))
        assert tiers.flush(60)
        keep([1, 2], "", state_of([1, 2]), conversation=ANN)
        assert tiers.flush(60)
    assert tiers.forget(ANNS).entries == 2
    assert not finds(tiers, [1])
    assert suffixes(cache_root) == []


def test_a_name_is_not_lost_to_who_goes_on_without_one(open_tiers: OpenTiers, cache_root: Path) -> None:
    tiers = open_tiers(ram=MIB)
    for keep in (tiers.keep, tiers.persist):
        keep([1, 2], "", state_of([1, 2]), conversation=ANN)
        assert tiers.flush(60)
        keep([1, 2, 3], "", state_of([1, 2, 3]))
        assert tiers.flush(60)
    assert (tiers.figures.ram_entries, tiers.figures.disk_entries) == (1, 1)
    assert tiers.forget(ANNS).entries == 2
    assert not finds(tiers, [1])
    assert suffixes(cache_root) == []


def test_a_name_is_not_lost_while_it_is_being_written(open_tiers: OpenTiers, cache_root: Path, gate: "Gate") -> None:
    tiers = open_tiers()
    assert tiers.persist([1, 2], "", state_of([1, 2]), conversation=ANN)
    assert gate.reached.wait(60)
    assert tiers.persist([1, 2, 3], "", state_of([1, 2, 3]))
    gate.opened.set()
    assert tiers.flush(60)
    assert tiers.forget(ANNS).entries == 1
    assert suffixes(cache_root) == []


def test_a_name_comes_to_what_is_being_written_without_one(
    open_tiers: OpenTiers, cache_root: Path, gate: "Gate"
) -> None:
    tiers = open_tiers()
    assert tiers.persist([1, 2, 3], "", state_of([1, 2, 3]))
    assert gate.reached.wait(60)
    assert tiers.persist([1, 2], "", state_of([1, 2]), conversation=ANN)
    gate.opened.set()
    assert tiers.flush(60)
    assert tiers.forget(ANNS).entries == 1
    assert suffixes(cache_root) == []


def test_files_of_which_nobody_can_tell_whose_they_are_go_with_any(open_tiers: OpenTiers, cache_root: Path) -> None:
    tiers = open_tiers()
    for token in (1, 2, 3):
        write(tiers, [token], BOB)
    damaged, cut, _ = sorted(cache_root.rglob("*.kv"))
    head = bytearray(damaged.read_bytes())
    head[40] ^= 1
    damaged.write_bytes(head)
    cut.write_bytes(cut.read_bytes()[:-1])
    (cache_root / "quarantine").mkdir()
    (cache_root / "quarantine" / f"{7:016x}.bad").write_bytes(b"words of somebody")
    assert tiers.forget(ANNS).entries == 3
    assert suffixes(cache_root) == [".kv"]


def test_what_is_not_ours_and_what_another_process_writes_is_left_alone(
    open_tiers: OpenTiers, cache_root: Path
) -> None:
    tiers = open_tiers()
    write(tiers, [1], ANN)
    folder = next(cache_root.rglob("*.kv")).parent
    (folder / "notes.kv").write_text("a person's own")
    (cache_root / "readme.bad").write_text("too")
    assert tiers.forget(ALL).entries == 1
    assert suffixes(cache_root) == [".bad", ".kv"]


def test_nothing_is_there_to_forget(open_tiers: OpenTiers) -> None:
    assert open_tiers(ram=MIB).forget(ALL) == Forgotten()


def test_what_cannot_be_removed_is_told(
    open_tiers: OpenTiers, cache_root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tiers = open_tiers()
    write(tiers, [1], ANN)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", _refuse)
        assert tiers.forget(ANNS) == Forgotten(0, 0, 1)
    assert "could not be removed" in capsys.readouterr().err
    assert tiers.forget(ANNS).entries == 1


def _refuse(_path: Path, *, missing_ok: bool = False) -> None:
    raise PermissionError(13, "Permission denied")


def test_a_name_says_nothing_of_itself_on_the_disk(open_tiers: OpenTiers, cache_root: Path) -> None:
    write(open_tiers(), [1], conversation_key("my secret plan"))
    assert b"secret" not in b"".join(file.read_bytes() for file in cache_root.rglob("*.kv"))
    assert conversation_key("x" * 100_000 + "\ud800") != conversation_key("x" * 100_000)
    assert conversation_key("") == ""


# --- on its way to the disk -------------------------------------------------------------------------------------------


class Gate:
    """Holds the writer in the middle of a file until it is opened."""

    def __init__(self) -> None:
        self.reached, self.opened = threading.Event(), threading.Event()

    def create(self, path: Path, size: int) -> object:
        stream = _create(path, size)
        self.reached.set()
        assert self.opened.wait(60)
        return stream


_create = entry_file.create


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    gate = Gate()
    monkeypatch.setattr(entry_file, "create", gate.create)
    yield gate
    gate.opened.set()


def test_what_is_being_written_is_given_up(
    open_tiers: OpenTiers, cache_root: Path, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("desktop.runtime.cache.disk.FORGET_WITHIN", 60.0)
    tiers = open_tiers()
    for tokens, conversation in (([1], ANN), ([2], ANN)):
        assert tiers.persist(tokens, "", state_of(tokens), conversation=conversation)
    assert gate.reached.wait(60)
    threading.Timer(0.1, gate.opened.set).start()
    assert tiers.forget(ANNS) == Forgotten(2, 2 * 2004)
    assert suffixes(cache_root) == []
    write(tiers, [3], BOB)
    assert suffixes(cache_root) == [".kv"]
    assert tiers.figures.dropped == 0


def test_a_disk_that_hangs_is_told_of_and_keeps_nothing_when_it_goes_on(
    open_tiers: OpenTiers, cache_root: Path, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("desktop.runtime.cache.disk.FORGET_WITHIN", 0.05)
    tiers = open_tiers()
    assert tiers.persist([1], "", state_of([1]), conversation=ANN)
    assert gate.reached.wait(60)
    assert tiers.forget(ANNS).left == 1
    gate.opened.set()
    assert tiers.flush(60)
    assert suffixes(cache_root) == []
    assert not finds(tiers, [1])


def test_what_others_write_meanwhile_is_written(open_tiers: OpenTiers, cache_root: Path, gate: Gate) -> None:
    tiers = open_tiers()
    assert tiers.persist([1], "", state_of([1]), conversation=BOB)
    assert gate.reached.wait(60)
    assert tiers.persist([2], "", state_of([2]), conversation=ANN)
    assert tiers.forget(ANNS) == Forgotten(1, 2004)
    gate.opened.set()
    assert tiers.flush(60)
    assert finds(open_tiers(), [1])
    assert len(suffixes(cache_root)) == 1
