"""Texts to measure with: English prose that every Python carries, cut to a number of tokens."""

import pydoc_data.topics

from benchmarks.sides import Bare

_WORDS = " ".join(pydoc_data.topics.topics[name] for name in sorted(pydoc_data.topics.topics)).split()


async def prose(loop: Bare, tokens: int, *, start: int = 0) -> str:
    """The longest text of whole words, from word `start` on, that has at most `tokens` tokens."""
    few, many = 1, tokens  # a word has at least one token
    while few < many:
        half = (few + many + 1) // 2
        if await loop.count(words(half, start=start)) <= tokens:
            few = half
        else:
            many = half - 1
    return words(few, start=start)


def words(count: int, *, start: int = 0) -> str:
    """So many words of the prose."""
    return " ".join(_WORDS[start : start + count])


def numbered(number: int, text: str) -> str:
    """A text that shares no beginning with that of another number, and has as many tokens: digits are tokens."""
    return f"{number % 10000:04d}"[::-1] + f" is the number of this case. {text}"
