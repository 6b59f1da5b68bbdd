"""Counts the cells of the KV cache: a token that several sequences share occupies one cell.

libllama does not tell how many cells are in use, and admission must know before it decodes.
"""

from collections.abc import Iterable
from typing import Self

import numpy as np


class CellLedger:
    """Which of `total` cells are in use, and by how many strands each."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.users = np.zeros(total, np.int32)
        self._free = list(range(total - 1, -1, -1))

    @property
    def free(self) -> int:
        """Cells nobody uses."""
        return len(self._free)

    @property
    def used(self) -> int:
        """Cells in use, shared ones counted once."""
        return self.total - len(self._free)

    def take(self, count: int) -> list[int]:
        """Hand out `count` cells; there must be as many."""
        if count > len(self._free):
            raise ValueError(f"{count} cells wanted, {len(self._free)} free")
        if count == 1:  # the step of a reply: numpy's way would take twenty times as long
            cell = self._free.pop()
            self.users[cell] = 1
            return [cell]
        cells = self._free[len(self._free) - count :]
        del self._free[len(self._free) - count :]
        self.users[cells] = 1
        return cells

    def share(self, cells: list[int]) -> None:
        """Count one more user of each."""
        self.users[cells] += 1

    def give_back(self, cells: list[int]) -> None:
        """Count one user less of each; what nobody uses is free again."""
        self.users[cells] -= 1
        self._free += [cell for cell, users in zip(cells, self.users[cells].tolist(), strict=True) if not users]


class Strand:
    """The cells of one sequence, in order of its tokens; and those that an image takes beyond its places (M-RoPE)."""

    def __init__(self, ledger: CellLedger) -> None:
        self._ledger = ledger
        self._cells: list[int] = []
        self._hidden: dict[int, list[int]] = {}

    def __len__(self) -> int:
        return len(self._cells)

    @property
    def size(self) -> int:
        """How many cells there are in all."""
        return len(self._cells) + sum(map(len, self._hidden.values()))

    @property
    def is_shared(self) -> bool:
        """Whether another strand holds some of the cells too."""
        return bool(self._cells) and bool((self._ledger.users[self._cells] > 1).any())

    def extend(self, count: int) -> None:
        """Take `count` new cells."""
        self._cells += self._ledger.take(count)

    def hide(self, place: int, count: int) -> None:
        """Take `count` cells more for what begins at `place`, as far as there are any: llama_decode found room."""
        self._hidden[place] = self._ledger.take(min(count, self._ledger.free))

    def truncate(self, length: int) -> None:
        """Keep the first `length` cells."""
        self.drop(length, len(self._cells) - length)

    def drop(self, start: int, count: int) -> None:
        """Give up `count` cells from `start` on; what follows moves up."""
        if count > 0:
            self._ledger.give_back(self._cells[start : start + count])
            del self._cells[start : start + count]
            hidden, self._hidden = self._hidden, {}
            for place, more in hidden.items():
                if start <= place < start + count:
                    self._ledger.give_back(more)
                else:
                    self._hidden[place - count * (place > start)] = more

    @property
    def cells(self) -> list[int]:
        """All cells, those of the tokens first and in order."""
        return self._cells + [cell for more in self._hidden.values() for cell in more]

    def share(self, other: Self, length: int) -> None:
        """Hold the first `length` cells of `other` as well; this strand must be empty."""
        self._cells = other._cells[:length]
        self._hidden = {place: more for place, more in other._hidden.items() if place < length}
        self._ledger.share(self.cells)


def count_cells(strands: Iterable[Strand]) -> int:
    """How many cells strands hold together, shared ones counted once."""
    return len({cell for strand in strands for cell in strand.cells})
