"""When several tokens at once are worth it."""

import random

from desktop.runtime.batching.speculation import PromptLookup, Speculator, choose_speculation


def cheap(rows: int) -> float:
    """A machine on which eight rows cost as much as two tokens."""
    return 0.010 + 0.00143 * (rows - 1)


def dear(rows: int) -> float:
    """A machine on which each row costs as much as a token."""
    return 0.010 * rows


def speed(text: list[int], prompt: list[int], step_seconds: object) -> tuple[float, Speculator]:
    """Decode `text` as a model would that says exactly it; speed against one token per step."""
    assert callable(step_seconds)
    speculator = Speculator(PromptLookup(prompt), step_seconds)
    taken, place = 0.0, 0
    while place < len(text):
        draft = speculator.draft(15) if place else []
        right = 0
        while right < len(draft) and place + right < len(text) and draft[right] == text[place + right]:
            right += 1
        chosen = text[place : place + right + 1]
        taken += step_seconds(1 + len(draft))
        speculator.learn(chosen, len(draft))
        place += len(chosen)
    return len(text) * step_seconds(1) / taken, speculator


def test_a_text_that_repeats_the_prompt_is_much_faster() -> None:
    prompt = random.Random(1).choices(range(1000), k=300)
    ratio, speculator = speed(prompt[:200], prompt, cheap)
    assert ratio > 2.5
    assert speculator.accepted > 150


def test_a_text_that_repeats_nothing_costs_nothing() -> None:
    chance = random.Random(2)
    ratio, speculator = speed(chance.choices(range(1000), k=300), chance.choices(range(1000), k=300), cheap)
    assert abs(ratio - 1) < 1e-9
    assert speculator.drafted == 0


def test_misleading_repetition_costs_little() -> None:
    # The same three tokens come again and again, and each time something else follows.
    chance = random.Random(3)
    text = [token for _ in range(100) for token in (1, 2, 3, chance.randrange(10, 1000))]
    ratio, _ = speed(text, text[:40], cheap)
    assert ratio > 0.98


def test_nothing_is_guessed_where_rows_cost_as_much_as_tokens() -> None:
    prompt = random.Random(1).choices(range(1000), k=300)
    ratio, speculator = speed(prompt[:200], prompt, dear)
    assert abs(ratio - 1) < 1e-9
    assert speculator.drafted == 0


def test_nothing_is_guessed_before_a_step_was_timed() -> None:
    speculator = Speculator(PromptLookup([1, 2, 3, 4, 1, 2, 3]), lambda _rows: 0.0)
    assert speculator.draft(5) == []


def test_lookup_takes_the_latest_place() -> None:
    lookup = PromptLookup([1, 2, 3, 7, 1, 2, 3, 8, 9])
    for token in (1, 2, 3):
        lookup.append(token)
    assert lookup.propose(2) == [8, 9]


def test_the_mode_comes_with_its_reason() -> None:
    assert choose_speculation("auto", rows=16, can_go_back=True) == ("prompt_lookup", "when_faster")
    assert choose_speculation("auto", rows=16, can_go_back=True, has_draft=True) == ("draft", "when_faster")
    assert choose_speculation("off", rows=16, can_go_back=True) == ("off", "switched_off")
    assert choose_speculation("auto", rows=1, can_go_back=True) == ("off", "one_row")
    assert choose_speculation("auto", rows=16, can_go_back=False) == ("off", "cannot_go_back")
    assert choose_speculation("draft", rows=16, can_go_back=True) == ("off", "no_draft")
