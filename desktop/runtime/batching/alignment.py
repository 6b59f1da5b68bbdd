"""Token sequences compared: common prefixes, and the same text written in other tokens.

A reply is generated token by token, and the next turn's prompt holds its text tokenized anew. The two often differ
("ing" may have been made of "in" + "g"), and every cached token behind the first difference would be lost. Any
tokens that spell the same text are a valid prompt, so those of the cache are kept.
"""

from collections.abc import Callable, Sequence


def common_prefix(left: Sequence[int], right: Sequence[int]) -> int:
    """Length of the longest common prefix; by bisection over slices, which compare in native code."""
    low, high = 0, min(len(left), len(right))
    step = 64
    while low < high:  # gallop: most sequences differ early or not at all
        end = min(low + step, high)
        if left[low:end] != right[low:end]:
            high = end
            break
        low, step = end, step * 4
    while low < high:
        middle = (low + high + 1) // 2
        if left[low:middle] == right[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def align(
    cached: Sequence[int], prompt: list[int], *, spelling: Callable[[int], bytes | None], start: int
) -> tuple[list[int], int]:
    """Write the text of `prompt` with the tokens of `cached` as far as both spell the same.

    spelling: the bytes of a token, None for one that is no text (a control token), which must be the same in both.
    start: tokens that are equal already. Returns the new prompt and how many of its tokens are those of `cached`.
    """
    i = j = kept = end = start
    ahead = behind = b""  # what one side has spelt beyond the other
    while True:
        if not ahead and not behind:
            kept, end = i, j
        if len(ahead) >= len(behind):
            if j == len(prompt):
                break
            piece = spelling(prompt[j])
            if piece is None:
                if ahead or i == len(cached) or cached[i] != prompt[j]:
                    break
                i, j = i + 1, j + 1
                continue
            j, behind = j + 1, behind + piece
        else:
            piece = spelling(cached[i]) if i < len(cached) else None
            if piece is None:
                break
            i, ahead = i + 1, ahead + piece
        shared = min(len(ahead), len(behind))
        if ahead[:shared] != behind[:shared]:
            break
        ahead, behind = ahead[shared:], behind[shared:]
    return list(cached[:kept]) + prompt[end:], kept
