"""The texts of a vocabulary's tokens, in an order in which a grammar can be tried on all of them at once."""

import codecs
import itertools
import weakref
from collections.abc import Iterator

from desktop.runtime.grammar.states import DEAD, GrammarStates
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
        self._texts: list[str | bytes] = []
        for token in range(vocabulary.size):
            piece = b"" if token in ends else vocabulary.piece(token)
            try:
                self._texts.append(piece.decode())
            except UnicodeDecodeError:
                self._texts.append(piece)
        whole = sorted((text, token) for token, text in enumerate(self._texts) if isinstance(text, str) and text)
        self._order = [token for _, token in whole]
        self._shared = [0, *(_shared_length(a[0], b[0]) for a, b in itertools.pairwise(whole))]
        self._groups = _groups([text for text, _ in whole])
        self._broken = [token for token, text in enumerate(self._texts) if isinstance(text, bytes)]

    def read(self, states: GrammarStates, state: int, pending: bytes, token: int) -> tuple[int, bytes]:
        """Return the state after a token's text, and the bytes of a letter that is not whole yet."""
        text = self._texts[token]
        if not text:
            return DEAD, b""
        if pending or isinstance(text, bytes):
            return _read_bytes(states, state, pending + (text if isinstance(text, bytes) else text.encode()))
        for letter in text:
            state = states.step(state, ord(letter))
            if state == DEAD:
                break
        return state, b""

    def fitting(self, states: GrammarStates, state: int, pending: bytes) -> Iterator[int]:
        """The tokens whose text can follow, in no order."""
        if not pending:
            for first, start, end in self._groups:
                after = states.step(state, first)
                if after != DEAD:
                    yield from self._fitting_group(states, after, start, end)
        for token in self._broken:
            if self.read(states, state, pending, token)[0] != DEAD:
                yield token

    def _fitting_group(self, states: GrammarStates, after: int, start: int, end: int) -> Iterator[int]:
        """Walk texts with the same first letter in order: what a text shares with the one before is not read again."""
        path = [after]  # the states after 1, 2 ... letters, as far as they fit
        for index in range(start, end):
            shared = max(self._shared[index], 1) if index > start else 1
            if shared > len(path):
                continue  # it begins with what did not fit before
            del path[shared:]
            state, token = path[-1], self._order[index]
            for letter in self._texts[token][shared:]:
                state = states.step(state, ord(letter))  # type: ignore[arg-type]  # bytes are not in this order
                if state == DEAD:
                    break
                path.append(state)
            else:
                yield token


def _shared_length(one: str, other: str) -> int:
    length = 0
    for a, b in zip(one, other, strict=False):
        if a != b:
            break
        length += 1
    return length


def _groups(texts: list[str]) -> list[tuple[int, int, int]]:
    """Code point, start and end of each stretch of texts with the same first letter."""
    groups, start = [], 0
    for first, members in itertools.groupby(texts, key=lambda text: text[0]):
        end = start + len(list(members))
        groups.append((ord(first), start, end))
        start = end
    return groups


def _read_bytes(states: GrammarStates, state: int, data: bytes) -> tuple[int, bytes]:
    try:
        text, used = codecs.utf_8_decode(data, "strict", False)
    except UnicodeDecodeError:
        return DEAD, b""
    for letter in text:
        state = states.step(state, ord(letter))
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
