"""What a grammar consists of. A sequence is known by its number, so that places in it are small and comparable."""

import msgspec

from desktop.engine.protocol import FailureKind
from desktop.runtime.failures import EngineError

UNBOUNDED = -1


def refused(reason: str) -> EngineError:
    """The failure of a grammar that cannot be used."""
    return EngineError(FailureKind.BAD_GRAMMAR, reason)


class Letters(msgspec.Struct, frozen=True):
    """One character: of these code points (inclusive ranges), or, where `other`, any but these."""

    ranges: tuple[tuple[int, int], ...]
    other: bool = False

    def matches(self, letter: int) -> bool:
        """Whether a code point is one of them."""
        for low, high in self.ranges:
            if low <= letter <= high:
                return not self.other
        return self.other

    def meets(self, first: int, last: int) -> bool:
        """Whether one of the code points from first to last is one of them."""
        if self.other:
            return not any(low <= first and last <= high for low, high in self.ranges)
        return any(low <= last and first <= high for low, high in self.ranges)


class TokenIs(msgspec.Struct, frozen=True):
    """One whole token; or, where `other`, any token but this."""

    token: int
    other: bool = False


class Reference(msgspec.Struct, frozen=True):
    """Another rule, by its number."""

    rule: int


class Repeat(msgspec.Struct, frozen=True):
    """What sequence number `body` says, at least `least` times and at most `most` (UNBOUNDED: any number)."""

    body: int
    least: int
    most: int


Element = Letters | TokenIs | Reference | Repeat


class Grammar(msgspec.Struct, frozen=True):
    """rules: the sequences each may become; sequences: their elements, by number; root: the rule of a whole reply."""

    rules: tuple[tuple[int, ...], ...]
    sequences: tuple[tuple[Element, ...], ...]
    root: int
