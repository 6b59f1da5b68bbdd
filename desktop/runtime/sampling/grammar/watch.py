"""Keeps one reply inside its grammar, token by token."""

import numpy as np
import numpy.typing as npt

from desktop.runtime.sampling.grammar.elements import refused
from desktop.runtime.sampling.grammar.reader import read_grammar
from desktop.runtime.sampling.grammar.states import DEAD, GrammarStates
from desktop.runtime.sampling.grammar.token_texts import texts_of
from desktop.runtime.vocabulary import Vocabulary

Tokens = npt.NDArray[np.int32]

_REMEMBERED_SETS = 32


class GrammarWatch:
    """A reply's place in a GBNF grammar. Raises EngineError(BAD_GRAMMAR), also later: when it becomes too costly.

    Tokens that end a reply fit where the grammar may end. Control tokens have no text: they fit only where the
    grammar names them.
    """

    def __init__(self, text: str, *, vocabulary: Vocabulary) -> None:
        self._texts = texts_of(vocabulary)
        self._ends = frozenset(vocabulary.end_tokens)
        self._states = GrammarStates(read_grammar(text, token_of=vocabulary.token_named))
        self._size = vocabulary.size
        self._state, self._pending = self._states.start, b""
        self._fitting: dict[int, Tokens] = {}
        if self._state == DEAD:
            raise refused("no text fits the grammar")

    @property
    def may_end(self) -> bool:
        """Whether the reply is whole."""
        return not self._pending and self._states.may_end(self._state)

    @property
    def ended(self) -> bool:
        """Whether nothing but an end can follow."""
        return not self._pending and self._states.must_end(self._state)

    def begin_token(self) -> None:
        """The next token may cost as much work as the one before."""
        self._states.refresh()

    def allows(self, token: int) -> bool:
        """Whether the token can be next."""
        if token in self._ends:
            return self.may_end
        return self._after(token)[0] != DEAD

    def accept(self, token: int) -> None:
        """Go on behind a token that is allowed. Raises EngineError(BAD_GRAMMAR) for one that is not."""
        if token in self._ends and self.may_end:
            return
        after, pending = self._after(token)
        if after == DEAD or token in self._ends:
            raise refused("a token was chosen that the grammar does not allow")
        self._state, self._pending = after, pending

    def allowed(self) -> Tokens:
        """All tokens that can be next, in order."""
        known = self._fitting.get(self._state) if not self._pending else None
        if known is not None:
            return known
        found = set(self._texts.fitting(self._states, self._state, self._pending))
        if self.may_end:
            found |= self._ends
        if not self._pending and self._states.names_tokens(self._state):
            others = set(range(self._size)) - self._ends - found
            found.update(token for token in others if self._states.step_token(self._state, token))
        tokens = np.array(sorted(found), dtype=np.int32)
        if not self._pending:
            self._remember(tokens)
        return tokens

    def _remember(self, tokens: Tokens) -> None:
        if len(self._fitting) >= _REMEMBERED_SETS:
            del self._fitting[next(iter(self._fitting))]
        self._fitting[self._state] = tokens

    def _after(self, token: int) -> tuple[int, bytes]:
        state, pending = self._texts.read(self._states, self._state, self._pending, token)
        if self._pending or not self._states.names_tokens(self._state):
            return state, pending
        named = self._states.step_token(self._state, token)
        # A token may fit by name and by its letters; then both ways stay open, unless a letter is unfinished.
        return (self._states.union(state, named), b"") if named and not pending else (state, pending)
