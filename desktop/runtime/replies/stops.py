"""Stop strings, found in a stream that may cut them anywhere."""

import functools


@functools.lru_cache(maxsize=256)
def _beginnings(words: tuple[str, ...]) -> tuple[frozenset[str], int]:
    """Every proper beginning of the words, and the length of the longest."""
    beginnings = frozenset(word[:length] for word in words for length in range(1, len(word)))
    return beginnings, max(map(len, beginnings), default=0)


def held_back(text: str, words: tuple[str, ...]) -> int:
    """How many characters at the end of `text` may be the beginning of one of `words`."""
    beginnings, longest = _beginnings(words)
    for length in range(min(longest, len(text)), 0, -1):
        if text[-length:] in beginnings:
            return length
    return 0


class StopFilter:
    """Ends a reply at the first stop string and never lets a part of one through."""

    def __init__(self, stops: tuple[str, ...]) -> None:
        self._stops = tuple(stop for stop in stops if stop)
        self._pending = ""
        self.stopped = False

    def feed(self, text: str) -> str:
        """Return what may be shown by now; nothing more after a stop string was found."""
        if self.stopped:
            return ""
        if not self._stops:
            return text
        self._pending += text
        places = [place for stop in self._stops if (place := self._pending.find(stop)) >= 0]
        if places:
            self.stopped = True
            return self._pending[: min(places)]
        return self._release(len(self._pending) - held_back(self._pending, self._stops))

    def finish(self) -> str:
        """Return what was held back and turned out to be no stop string."""
        return "" if self.stopped else self._release(len(self._pending))

    def _release(self, end: int) -> str:
        out, self._pending = self._pending[:end], self._pending[end:]
        return out
