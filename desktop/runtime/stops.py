"""Stop strings and reasoning blocks, found in a stream that may cut them anywhere."""

from typing import Literal, NamedTuple


def held_back(text: str, words: tuple[str, ...]) -> int:
    """How many characters at the end of `text` may be the beginning of one of `words`."""
    longest = max((len(word) for word in words), default=1) - 1
    for length in range(min(longest, len(text)), 0, -1):
        tail = text[-length:]
        if any(word.startswith(tail) for word in words):
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
            return self._release(min(places), keep=0)
        return self._release(len(self._pending) - held_back(self._pending, self._stops))

    def finish(self) -> str:
        """Return what was held back and turned out to be no stop string."""
        return "" if self.stopped else self._release(len(self._pending))

    def _release(self, end: int, keep: int | None = None) -> str:
        out, self._pending = self._pending[:end], self._pending[end:] if keep is None else ""
        return out


class Part(NamedTuple):
    """A stretch of a reply: its answer, or the reasoning before it."""

    kind: Literal["text", "reasoning"]
    text: str


class ReasoningFilter:
    """Takes <think> ... </think> blocks out of a reply.

    `open_at_start`: the prompt already ended with the opening mark, as some templates have it.
    """

    OPEN, CLOSE = "<think>", "</think>"

    def __init__(self, *, open_at_start: bool = False) -> None:
        self._inside = open_at_start
        self._pending = ""
        self._swallow_blank = open_at_start

    def feed(self, text: str) -> list[Part]:
        """Return the stretches that are certain by now."""
        self._pending += text
        parts: list[Part] = []
        while self._take_until_mark(parts):
            pass
        mark = self.CLOSE if self._inside else self.OPEN
        self._emit(parts, len(self._pending) - held_back(self._pending, (mark,)))
        return parts

    def finish(self) -> list[Part]:
        """Return what was held back for a mark that never came."""
        parts: list[Part] = []
        self._emit(parts, len(self._pending))
        return parts

    def _take_until_mark(self, parts: list[Part]) -> bool:
        mark = self.CLOSE if self._inside else self.OPEN
        place = self._pending.find(mark)
        if place < 0:
            return False
        self._emit(parts, place)
        self._pending = self._pending[len(mark) :]
        self._inside = not self._inside
        self._swallow_blank = True  # the line breaks around the marks belong to neither part
        return True

    def _emit(self, parts: list[Part], end: int) -> None:
        text, self._pending = self._pending[:end], self._pending[end:]
        if self._swallow_blank:
            text = text.lstrip("\r\n")
            self._swallow_blank = not text
        if text:
            parts.append(Part("reasoning" if self._inside else "text", text))
