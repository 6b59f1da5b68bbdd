"""How many cells of the KV cache are in use."""

import random

import pytest

from desktop.runtime.batching.cells import CellLedger, Strand, count_cells


def test_a_shared_token_occupies_one_cell() -> None:
    ledger = CellLedger(100)
    first, second = Strand(ledger), Strand(ledger)
    first.extend(40)
    second.share(first, 30)
    assert (ledger.used, ledger.free, len(second)) == (40, 60, 30)
    assert first.is_shared
    first.truncate(0)
    assert ledger.used == 30
    assert not second.is_shared
    second.truncate(10)
    assert ledger.used == 10


def test_what_is_dropped_from_the_middle_moves_the_rest_up() -> None:
    ledger = CellLedger(10)
    strand = Strand(ledger)
    strand.extend(8)
    strand.drop(1, 4)
    assert (len(strand), ledger.used) == (4, 4)


def test_no_cell_is_handed_out_twice() -> None:
    ledger = CellLedger(4)
    strand = Strand(ledger)
    strand.extend(4)
    with pytest.raises(ValueError, match="1 cells wanted, 0 free"):
        Strand(ledger).extend(1)


@pytest.mark.parametrize("seed", range(20))
def test_the_count_is_that_of_the_distinct_cells(seed: int) -> None:
    chance = random.Random(seed)
    ledger = CellLedger(500)
    strands = [Strand(ledger) for _ in range(6)]
    for _ in range(300):
        strand = chance.choice(strands)
        what = chance.random()
        if what < 0.4 and ledger.free > 20:
            strand.extend(chance.randint(0, 20))
        elif what < 0.6:
            strand.truncate(chance.randint(0, len(strand) + 2))
        elif what < 0.7:
            strand.drop(chance.randint(0, len(strand)), chance.randint(0, 5))
        else:
            strand.truncate(0)
            strand.share(chance.choice([other for other in strands if other is not strand]), chance.randint(0, 30))
        cells = {cell for one in strands for cell in one._cells}
        assert ledger.used == len(cells)
        assert ledger.free + ledger.used == 500


def test_an_image_with_more_cells_than_places_gives_all_of_them_back() -> None:
    ledger = CellLedger(100)
    first, second, third = Strand(ledger), Strand(ledger), Strand(ledger)
    first.extend(10)
    first.hide(4, 30)
    second.share(first, 4)
    third.share(first, 5)
    assert (first.size, second.size, third.size, ledger.used) == (40, 4, 35, 40)
    assert len(first) == 10
    assert count_cells([first, third]) == 40
    first.drop(0, 2)
    first.truncate(3)
    assert (first.size, ledger.used) == (33, 35)  # third holds the first two
    first.truncate(2)
    assert (first.size, ledger.used) == (2, 35)
    third.truncate(4)
    assert ledger.used == 4
    second.truncate(0)
    assert ledger.used == 4
    third.truncate(0)
    first.truncate(0)
    assert ledger.free == 100
