"""Finds rules that would never end, before any text is read with them. Walks on lists, not on Python's stack."""

from collections.abc import Iterable, Sequence

from desktop.runtime.sampling.grammar.elements import Element, Grammar, Reference, Repeat, refused


def refuse_left_recursion(grammar: Grammar, names: Sequence[str]) -> None:
    """Raise EngineError(BAD_GRAMMAR) where a rule can come back to itself before a letter was read.

    names: of the rules, for the words; empty for a group.
    """
    empty = _may_be_empty(grammar)
    leftmost = [sorted(_leftmost(grammar, alternatives, empty)) for alternatives in grammar.rules]
    done = [False] * len(grammar.rules)
    for start in range(len(grammar.rules)):
        path, on_path = [(start, iter(leftmost[start]))], {start}
        while path and not done[start]:
            rule, rest = path[-1]
            following = next((other for other in rest if not done[other]), None)
            if following is None:
                done[rule] = True
                on_path.discard(rule)
                path.pop()
            elif following in on_path:
                name = next((names[number] for number in (following, rule) if names[number]), "a group")
                raise refused(f"left recursion: '{name}' begins with itself")
            else:
                path.append((following, iter(leftmost[following])))
                on_path.add(following)


def _leftmost(grammar: Grammar, alternatives: Iterable[int], empty: "_Empty") -> set[int]:
    """The rules that may be entered before a letter was read."""
    found: set[int] = set()
    waiting = list(alternatives)
    while waiting:
        for element in grammar.sequences[waiting.pop()]:
            if isinstance(element, Reference):
                found.add(element.rule)
            elif isinstance(element, Repeat):
                waiting.append(element.body)
            if not empty.element(element):
                break
    return found


class _Empty:
    """Which rules and sequences may become nothing at all."""

    def __init__(self, grammar: Grammar) -> None:
        self.rules = [False] * len(grammar.rules)
        self.sequences = [False] * len(grammar.sequences)

    def element(self, element: Element) -> bool:
        if isinstance(element, Reference):
            return self.rules[element.rule]
        return isinstance(element, Repeat) and (element.least == 0 or self.sequences[element.body])


def _may_be_empty(grammar: Grammar) -> _Empty:
    """Each sequence is looked at again only when one of its rules or bodies turned out to be possibly empty."""
    empty, waiting = _Empty(grammar), list(range(len(grammar.sequences)))
    rule_of = {number: rule for rule, numbers in enumerate(grammar.rules) for number in numbers}
    users: dict[tuple[str, int], list[int]] = {}
    for number, sequence in enumerate(grammar.sequences):
        for element in sequence:
            if isinstance(element, Reference):
                users.setdefault(("rule", element.rule), []).append(number)
            elif isinstance(element, Repeat):
                users.setdefault(("sequence", element.body), []).append(number)
    while waiting:
        number = waiting.pop()
        if empty.sequences[number] or not all(map(empty.element, grammar.sequences[number])):
            continue
        empty.sequences[number] = True
        waiting += users.get(("sequence", number), ())
        rule = rule_of.get(number)
        if rule is not None and not empty.rules[rule]:
            empty.rules[rule] = True
            waiting += users.get(("rule", rule), ())
    return empty
