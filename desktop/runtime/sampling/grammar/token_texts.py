"""The texts of a vocabulary's tokens, in an order in which a grammar can be tried on all of them at once."""

import codecs
import functools
import itertools
import weakref
from collections.abc import Iterable, Iterator

from desktop.runtime.sampling.grammar.states import DEAD, GrammarStates
from desktop.runtime.vocabulary import Vocabulary

_known: "weakref.WeakKeyDictionary[Vocabulary, TokenTexts]" = weakref.WeakKeyDictionary()


def texts_of(vocabulary: Vocabulary) -> "TokenTexts":
    """The texts of a vocabulary's tokens, read once: that takes 0.1 s for 50,000."""
    texts = _known.get(vocabulary)
    if texts is None:
        texts = _known[vocabulary] = TokenTexts(vocabulary)
    return texts


class TokenTexts:
    """Each token's text; bytes where it is not whole UTF-8."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        ends = set(vocabulary.end_tokens)
        # A NUL is no text for the engine's own grammar either.
        self._texts: list[str | bytes] = []
        for token, piece in enumerate(vocabulary.all_pieces()):
            try:
                self._texts.append("" if token in ends or b"\0" in piece else piece.decode())
            except UnicodeDecodeError:
                self._texts.append(piece)
        self._broken = [token for token, text in enumerate(self._texts) if isinstance(text, bytes)]

    @functools.cached_property
    def _order(self) -> "_Order":
        return _Order((text, token) for token, text in enumerate(self._texts) if isinstance(text, str) and text)

    def read(self, states: GrammarStates, state: int, pending: bytes, token: int) -> tuple[int, bytes]:
        """Return the state after a token's text, and the bytes of a letter that is not whole yet."""
        text = self._texts[token]
        if not text:
            return DEAD, b""
        if pending or isinstance(text, bytes):
            return _read_bytes(states, state, pending + (text if isinstance(text, bytes) else text.encode()))
        for letter in text:
            state = states.step(state, letter)
            if state == DEAD:
                break
        return state, b""

    def fitting(self, states: GrammarStates, state: int, pending: bytes) -> Iterator[int]:
        """The tokens whose text can follow, in no order."""
        if not pending:
            for first, start, end in self._order.groups:
                after = states.step(state, first)
                if after != DEAD:
                    yield from self._order.fitting(states, after, start, end)
        for token in self._broken:
            if self.read(states, state, pending, token)[0] != DEAD:
                yield token


class _Order:
    """Tokens with a text, sorted by it, so that what a text shares with the one before is not read again."""

    def __init__(self, texts: Iterable[tuple[str, int]]) -> None:
        whole = sorted(texts)
        shared = [0, *(_shared_length(a[0], b[0]) for a, b in itertools.pairwise(whole))]
        self._tokens = [token for _, token in whole]
        # How much is shared, and what is not.
        self._tails = [
            (max(length, 1), text[max(length, 1) :]) for (text, _), length in zip(whole, shared, strict=True)
        ]
        self.groups = _groups([text for text, _ in whole])

    def fitting(self, states: GrammarStates, after: int, start: int, end: int) -> Iterator[int]:
        """The tokens of a group (texts with the same first letter, behind which the state is `after`) that fit."""
        known, step = states.known_steps, states.step
        path = [after]  # the states after 1, 2 ... letters, as far as they fit
        for index in range(start, end):
            shared, tail = self._tails[index]
            if shared > len(path):
                continue  # it begins with what did not fit before
            del path[shared:]
            state = path[-1]
            for letter in tail:
                following = known[state].get(letter)
                state = step(state, letter) if following is None else following
                if state == DEAD:
                    break
                path.append(state)
            else:
                yield self._tokens[index]


def _shared_length(one: str, other: str) -> int:
    if other.startswith(one):
        return len(one)
    return next(length for length, (a, b) in enumerate(zip(one, other, strict=False)) if a != b)


def _groups(texts: list[str]) -> list[tuple[str, int, int]]:
    """Letter, start and end of each stretch of texts with the same first letter."""
    groups, start = [], 0
    for first, members in itertools.groupby(texts, key=lambda text: text[0]):
        end = start + len(list(members))
        groups.append((first, start, end))
        start = end
    return groups


def _read_bytes(states: GrammarStates, state: int, data: bytes) -> tuple[int, bytes]:
    try:
        text, used = codecs.utf_8_decode(data, "strict", False)
    except UnicodeDecodeError:
        return DEAD, b""
    for letter in text:
        state = states.step(state, letter)
        if state == DEAD:
            return DEAD, b""
    rest = data[used:]
    if rest and not states.could_follow(state, *_possible_letters(rest)):
        return DEAD, b""
    return state, rest


def _possible_letters(begun: bytes) -> tuple[int, int]:
    """The first and the last code point that an unfinished UTF-8 sequence may become (RFC 3629)."""
    length = 2 if begun[0] < 0xE0 else 3 if begun[0] < 0xF0 else 4
    value = begun[0] & (0xFF >> (length + 1))
    for byte in begun[1:]:
        value = value << 6 | byte & 0x3F
    missing = 6 * (length - len(begun))
    smallest = (0x80, 0x800, 0x10000)[length - 2]
    return max(value << missing, smallest), min(value << missing | (1 << missing) - 1, 0x10FFFF)
