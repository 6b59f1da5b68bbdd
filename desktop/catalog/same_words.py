"""Headers of files that have their words in common: the quantizations of one model.

Nearly all of a header is the vocabulary, which such files share to the byte, at the same place. So of a second file
only what lies before and behind the words is fetched. A stretch of the words at both edges is fetched too: where it is
not the same, or lies elsewhere, the file is read whole. All that is said of a file but its words is its own.
"""

from collections import OrderedDict
from typing import NamedTuple

from desktop.gguf.errors import GgufError
from desktop.gguf.header import GgufHeader, HeaderParser, LazyArray

EDGE = 4 << 10
"""Bytes of the words that are compared at either end."""

SPARE = 64 << 10
"""Bytes behind the end of the known header: metadata may be longer, such as the name of an imatrix file."""

MOST_KEPT = 4
"""Headers kept, of all repositories; each has up to 16 MB."""

_WORTH_IT = 512 << 10  # fewer words than this are read as quickly as left out


class Layout(NamedTuple):
    """A header that was read whole. words: where its vocabulary begins and ends, in bytes."""

    head: bytes
    words: tuple[int, int]

    @property
    def front(self) -> int:
        """Bytes to fetch from the beginning of another file."""
        return self.words[0] + EDGE

    @property
    def back(self) -> tuple[int, int]:
        """What to fetch behind the words of another file: the first byte, and the end."""
        return self.words[1] - EDGE, len(self.head) + SPARE

    def begins_like(self, front: bytes) -> bool:
        """Whether the words of another file begin as they do here, at the same place."""
        begin = self.words[0]
        return front[:4] == self.head[:4] and front[begin : self.front] == self.head[begin : self.front]

    def completed(self, front: bytes, back: bytes, *, size: int, name: str) -> tuple[GgufHeader, bytes] | None:
        """The header of another file of `size` bytes, and its bytes, from what was fetched of it.

        None where it does not go with the words here, or is longer than what was fetched.
        """
        start, end = self.back[0], self.words[1]
        if back[:EDGE] != self.head[start:end]:
            return None
        head = front[: self.front] + self.head[self.front : start] + back
        try:
            header = HeaderParser(size=size, name=name).feed(head)
        except GgufError:  # read whole, it says itself what is wrong with it
            return None
        return None if header is None else (header, head[: header.data_offset])


def layout_of(header: GgufHeader, head: bytes) -> Layout | None:
    """What others may be compared with; None where there are few words."""
    large = [
        header.entries[key]
        for key, value in header.metadata.items()
        if isinstance(value, LazyArray) and key.startswith("tokenizer.")
    ]
    if not large:
        return None
    begin, end = min(first for first, _ in large), max(last for _, last in large)
    return Layout(head[: header.data_offset], (begin, end)) if end - begin >= _WORTH_IT else None


class Layouts:
    """The headers of repositories that were read whole, newest kept."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, int], Layout] = OrderedDict()
        self._count = 0

    def of(self, repo: str) -> list[Layout]:
        """Those of one repository, newest first."""
        return [layout for (name, _), layout in reversed(self._kept.items()) if name == repo]

    def keep(self, repo: str, layout: Layout) -> None:
        """Keep one more; the oldest goes."""
        self._count += 1
        self._kept[repo, self._count] = layout
        while len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)
