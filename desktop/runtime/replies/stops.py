"""Stop strings, found in a stream that may cut them anywhere."""

import bisect
import functools


class Beginnings:
    """Finds what may be the beginning of one of many words. Takes the room of the words, and no more."""

    def __init__(self, words: tuple[str, ...]) -> None:
        self._words = sorted(words)
        self._longest = max(map(len, words), default=0) - 1

    def held_back(self, text: str) -> int:
        """How many characters at the end of `text` may be the beginning of one of the words."""
        for length in range(min(self._longest, len(text)), 0, -1):
            end = text[-length:]
            # In order, the words that begin with it and have more follow it at once.
            place = bisect.bisect_right(self._words, end)
            if place < len(self._words) and self._words[place].startswith(end):
                return length
        return 0


_beginnings = functools.lru_cache(maxsize=64)(Beginnings)


def held_back(text: str, words: tuple[str, ...]) -> int:
    """The same for a few words that a format has."""
    return _beginnings(words).held_back(text)


class StopFilter:
    """Ends a reply at the first stop string and never lets a part of one through."""

    def __init__(self, stops: tuple[str, ...]) -> None:
        self._stops = tuple(stop for stop in stops if stop)
        self._beginnings = Beginnings(self._stops)
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
        return self._release(len(self._pending) - self._beginnings.held_back(self._pending))

    def finish(self) -> str:
        """Return what was held back and turned out to be no stop string."""
        return "" if self.stopped else self._release(len(self._pending))

    def _release(self, end: int) -> str:
        out, self._pending = self._pending[:end], self._pending[end:]
        return out
