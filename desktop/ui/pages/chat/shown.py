"""A message as the page shows it: words and figures are finished, nothing is left to be looked up."""

from typing import Literal, NamedTuple

MarkKind = Literal["none", "quiet", "bad"]


class ShownMessage(NamedTuple):
    """mark: how a reply ended, in words, when it did not end well; hint: what to do about it.

    figures: "42.1 tok/s · first word 0.21 s · 148 tokens"; figures_hint: what there is to explain in them.
    version of versions: 1 of 1 shows no switch.
    """

    id: str
    is_own: bool
    text: str
    reasoning: str = ""
    thought_seconds: float = 0.0
    streaming: bool = False
    mark: str = ""
    mark_kind: MarkKind = "none"
    hint: str = ""
    can_continue: bool = False
    figures: str = ""
    figures_hint: str = ""
    version: int = 1
    versions: int = 1
