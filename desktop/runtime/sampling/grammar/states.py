"""Where a reply stands in its grammar: states that are made when they are needed, and remembered.

A state is the set of stacks in which the grammar may be after some text; a stack is a number, its frame tells what
comes next and which stack is left afterwards, so that equal stacks are one. Steps from state to state are remembered:
inside a string, say, a letter costs one look-up. What a grammar may cost is bounded: one that is too ambiguous is
refused while it runs, where the engine's own would double its work with every letter and stop everybody.
"""

from typing import NamedTuple, cast

from desktop.runtime.sampling.grammar.elements import (
    UNBOUNDED,
    Element,
    Grammar,
    Letters,
    Reference,
    Repeat,
    TokenIs,
    refused,
)

DEAD = -1
"""The state after a text that the grammar refuses."""
_END = 0  # the stack with nothing left
MAX_FRAMES = 500_000  # about 100 MB
MAX_WORK = 200_000
"""Stacks that may be looked at for one token, about half a second."""
_REMEMBERED_STEPS = 200_000


class _Frame(NamedTuple):
    """A place in a sequence; or, where `sequence` is negative, a repetition of body ~sequence.

    at: of the element; or how often it must come at least. most: repetitions left. below: the stack afterwards.
    """

    sequence: int
    at: int
    most: int
    below: int


class GrammarStates:
    """The states of one grammar, numbered.

    known_steps: by state, the next state by letter, as far as `step` was asked; for loops that cannot afford the call.
    Raises EngineError(BAD_GRAMMAR) where the work since the last `refresh` goes beyond its bound.
    """

    def __init__(self, grammar: Grammar) -> None:
        self._grammar = grammar
        self._frames: list[_Frame] = [_Frame(0, 0, 0, _END)]
        self._stacks: dict[_Frame, int] = {}
        self._expanded: dict[int, frozenset[int]] = {}
        self._states: list[tuple[int, ...]] = []
        self._numbers: dict[tuple[int, ...], int] = {}
        self.known_steps: list[dict[str, int]] = []
        self._steps = 0
        self._work = 0
        stacks: set[int] = set()
        for sequence in grammar.rules[grammar.root]:
            stacks |= self._expand(self._enter(sequence, _END))
        self.start = self._state(stacks)

    def refresh(self) -> None:
        """A new token may cost as much again."""
        self._work = 0

    def may_end(self, state: int) -> bool:
        """Whether the text so far is whole."""
        return _END in self._states[state]

    def must_end(self, state: int) -> bool:
        """Whether nothing can follow."""
        return self._states[state] == (_END,)

    def step(self, state: int, letter: str) -> int:
        """Return the state after one more letter; DEAD where it does not fit."""
        known = self.known_steps[state].get(letter)
        return self._step(state, letter) if known is None else known

    def _step(self, state: int, letter: str) -> int:
        after: set[int] = set()
        self._spend(len(self._states[state]))
        code = ord(letter)
        for stack in self._states[state]:
            element = self._next(stack)
            if isinstance(element, Letters) and element.matches(code):
                after |= self._expand(self._advance(stack))
        self._forget_steps()
        found = self.known_steps[state][letter] = self._state(after)
        return found

    def _forget_steps(self) -> None:
        self._steps += 1
        if self._steps > _REMEMBERED_STEPS:
            self._steps = 0
            for steps in self.known_steps:
                steps.clear()

    def step_token(self, state: int, token: int) -> frozenset[int]:
        """The stacks after a token that the grammar names as a whole."""
        after: set[int] = set()
        for stack in self._states[state]:
            element = self._next(stack)
            if isinstance(element, TokenIs) and (element.token == token) != element.other:
                after |= self._expand(self._advance(stack))
        return frozenset(after)

    def union(self, state: int, stacks: frozenset[int]) -> int:
        """The state that is in both."""
        return self._state(stacks if state == DEAD else stacks.union(self._states[state]))

    def could_follow(self, state: int, first: int, last: int) -> bool:
        """Whether one of the code points from first to last fits: what an unfinished UTF-8 sequence may become."""
        tops = map(self._next, self._states[state])
        return any(isinstance(element, Letters) and element.meets(first, last) for element in tops)

    def names_tokens(self, state: int) -> bool:
        """Whether a whole token may be asked for here."""
        return any(isinstance(self._next(stack), TokenIs) for stack in self._states[state])

    # --- stacks ----------------------------------------------------------------------------------------------------

    def _state(self, stacks: set[int] | frozenset[int]) -> int:
        if not stacks:
            return DEAD
        key = tuple(sorted(stacks))
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = len(self._states)
            self._states.append(key)
            self.known_steps.append({})
            self._spend(len(key))
        return number

    def _stack(self, frame: _Frame) -> int:
        number = self._stacks.get(frame)
        if number is None:
            number = self._stacks[frame] = len(self._frames)
            self._frames.append(frame)
            if number > MAX_FRAMES:
                raise refused("the grammar needs too much memory")
        return number

    def _enter(self, sequence: int, below: int) -> int:
        return self._stack(_Frame(sequence, 0, 0, below)) if self._grammar.sequences[sequence] else below

    def _next(self, stack: int) -> Element | None:
        frame = self._frames[stack]
        return None if stack == _END or frame.sequence < 0 else self._grammar.sequences[frame.sequence][frame.at]

    def _advance(self, stack: int) -> int:
        """The stack after the element on top."""
        frame = self._frames[stack]
        if frame.at + 1 == len(self._grammar.sequences[frame.sequence]):
            return frame.below
        return self._stack(frame._replace(at=frame.at + 1))

    def _expand(self, stack: int) -> frozenset[int]:
        """The stacks that `stack` stands for, each with a letter or a token on top, or with nothing left."""
        known = self._expanded.get(stack)
        if known is not None:
            return known
        found, seen, waiting = set(), {stack}, [stack]
        while waiting:
            current = waiting.pop()
            self._spend(1)
            if current == _END or isinstance(self._next(current), Letters | TokenIs):
                found.add(current)
                continue
            for other in self._open(current):
                if other not in seen:
                    seen.add(other)
                    waiting.append(other)
        result = self._expanded[stack] = frozenset(found)
        return result

    def _open(self, stack: int) -> list[int]:
        """One level of a rule or of a repetition."""
        frame = self._frames[stack]
        if frame.sequence < 0:
            return self._again(frame)
        element = self._grammar.sequences[frame.sequence][frame.at]
        below = self._advance(stack)
        if isinstance(element, Repeat):
            return self._again(_Frame(~element.body, element.least, element.most, below))
        rule = self._grammar.rules[cast(Reference, element).rule]  # letters and tokens are not opened
        return [self._enter(sequence, below) for sequence in rule]

    def _again(self, frame: _Frame) -> list[int]:
        """Stop repeating, where that is allowed, and repeat once more, where that is."""
        ways = [frame.below] if frame.at == 0 else []
        if frame.most != 0:
            most = UNBOUNDED if frame.most == UNBOUNDED else frame.most - 1
            rest = (
                frame.below
                if most == 0
                else self._stack(_Frame(frame.sequence, max(frame.at - 1, 0), most, frame.below))
            )
            ways.append(self._enter(~frame.sequence, rest))
        return ways

    def _spend(self, work: int) -> None:
        self._work += work
        if self._work > MAX_WORK:
            raise refused("the grammar is too ambiguous: too many ways to read the same text")
