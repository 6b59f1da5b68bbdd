"""Which tokens are chosen: the samplers keep the sets and the probabilities that their definitions give."""

import math
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from desktop.library import starter
from tests.support.native_sampling import Samplers, SamplingFailed, samplers

Floats = npt.NDArray[np.float64]

OFF = {"temperature": 1.0, "top_k": 0, "top_p": 1.0, "min_p": 0.0, "seed": 1}
PROMPT = "Once upon a time there was a"
SIZE = 300


@pytest.fixture(scope="module")
def child() -> Iterator[Samplers]:
    with samplers(Path(starter.starter_model().path)) as started:
        yield started


@pytest.fixture(scope="module")
def logits(child: Samplers) -> Floats:
    """What the model really says, cut to a size that is quick to send."""
    values: Floats = np.array(child.ask("logits", prompt=PROMPT))
    return values


def probabilities(logits: Floats) -> Floats:
    powers = np.exp(logits - logits.max())
    shares: Floats = powers / powers.sum()
    return shares


def kept(child: Samplers, logits: Floats, **sampling: Any) -> set[int]:
    answer = child.ask("kept", sampling={**OFF, **sampling}, logits=logits.tolist())
    return {token for token, logit in answer if math.isfinite(logit)}


# --- cuts ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
def test_top_p_keeps_the_likeliest_tokens_that_make_up_its_share(child: Samplers, logits: Floats, share: float) -> None:
    shares = probabilities(logits)
    order = np.argsort(-shares)
    count = int(np.searchsorted(np.cumsum(shares[order]), share)) + 1
    answer = kept(child, logits, top_p=share)
    assert len(answer ^ set(order[:count].tolist())) <= 1 + count // 100  # 32-bit sums: the last few may differ


@pytest.mark.parametrize("share", [0.01, 0.05, 0.3, 1.0])
def test_min_p_keeps_what_is_at_least_that_part_of_the_best(child: Samplers, logits: Floats, share: float) -> None:
    shares = probabilities(logits)
    assert kept(child, logits, min_p=share) == set(np.flatnonzero(shares >= share * shares.max() * (1 - 1e-6)).tolist())


@pytest.mark.parametrize("count", [1, 2, 40, 500])
def test_top_k_keeps_the_likeliest(child: Samplers, logits: Floats, count: int) -> None:
    assert kept(child, logits, top_k=count) == set(np.argsort(-logits, kind="stable")[:count].tolist())


@pytest.mark.parametrize("sigmas", [0.5, 1.0, 3.0])
def test_top_n_sigma_keeps_what_is_near_the_best(child: Samplers, logits: Floats, sigmas: float) -> None:
    border = logits.max() - sigmas * logits.std()
    near = np.abs(logits - border) < 1e-3  # 32-bit sums: on the border both are right
    answer = kept(child, logits, top_n_sigma=sigmas)
    assert answer ^ set(np.flatnonzero(logits >= border).tolist()) <= set(np.flatnonzero(near).tolist())


@pytest.mark.parametrize("share", [0.2, 0.6, 0.95])
def test_typical_keeps_the_tokens_whose_surprise_is_nearest_to_the_entropy(
    child: Samplers, logits: Floats, share: float
) -> None:
    shares = probabilities(logits)
    surprise = -np.log(shares)
    order = np.argsort(np.abs(surprise - (shares * surprise).sum()))
    count = int(np.searchsorted(np.cumsum(shares[order]), share)) + 1
    answer = kept(child, logits, typical_p=share)
    assert len(answer ^ set(order[:count].tolist())) <= 1 + count // 100  # 32-bit sums: the last few may differ


def test_typical_is_not_spoilt_by_tokens_that_cannot_come(child: Samplers, logits: Floats) -> None:
    """The engine's own takes the logarithm of 0 there, and then keeps tokens in no order."""
    best = np.sort(logits)[-60:]
    answer = kept(child, np.concatenate([best, np.full(40, -500.0)]), typical_p=0.5)
    shares = probabilities(best)
    surprise = -np.log(shares)
    order = np.argsort(np.abs(surprise - (shares * surprise).sum()))
    count = int(np.searchsorted(np.cumsum(shares[order]), 0.5)) + 1
    assert len(answer ^ set(order[:count].tolist())) <= 1


def test_xtc_takes_away_all_but_the_last_of_the_likely_tokens(child: Samplers) -> None:
    shares = np.array([0.4, 0.3, 0.2, 0.05, 0.05])
    answer = kept(child, np.log(shares), xtc_probability=1.0, xtc_threshold=0.15)
    assert answer == {2, 3, 4}


def test_without_samplers_every_token_is_left(child: Samplers, logits: Floats) -> None:
    assert len(kept(child, logits)) == len(logits)


def test_a_choice_of_one_is_the_likeliest_token(child: Samplers) -> None:
    greedy = child.generate(temperature=0)["text"]
    assert child.generate(top_k=1, seed=7)["text"] == greedy
    assert child.generate(top_p=0, seed=7)["text"] == greedy
    assert len(greedy) > 50


def test_temperature_changes_how_often_tokens_are_drawn(child: Samplers, logits: Floats) -> None:
    """A thousand draws among the fifty likeliest; five standard deviations are allowed."""
    top = np.sort(logits)[-50:]
    for temperature in (0.5, 1.0):
        share = probabilities(top / temperature).max()
        sampling = {**OFF, "top_k": 50, "temperature": temperature}
        drawn = child.ask("draw", sampling=sampling, prompt=PROMPT, times=1000)
        deviation = math.sqrt(1000 * share * (1 - share))
        assert abs(Counter(drawn)[int(logits.argmax())] - 1000 * share) < 5 * deviation


def test_dynamic_temperature_stays_within_its_range(child: Samplers, logits: Floats) -> None:
    few = np.sort(logits)[-50:]
    wide = few - few.max()
    for entry in (wide, np.zeros(50), wide * 50):
        answer = child.ask(
            "kept", sampling={**OFF, "temperature": 1.0, "dynamic_temperature": 0.5}, logits=entry.tolist()
        )
        scaled = dict(answer)
        token = max(range(50), key=lambda place: entry.max() - entry[place])
        if entry.max() > entry[token]:
            ratio = (entry.max() - entry[token]) / (max(scaled.values()) - scaled[token])
            assert 0.49 < ratio < 1.51


@pytest.mark.parametrize("version", [1, 2])
def test_mirostat_talks_and_takes_the_place_of_the_cuts(child: Samplers, version: int) -> None:
    reply = child.generate(mirostat=version, seed=3, top_k=1)
    assert len(reply["text"]) > 50
    assert reply["text"] != child.generate(temperature=0)["text"]
    assert reply["text"] == child.generate(mirostat=version, seed=3)["text"]


# --- penalties and bias ----------------------------------------------------------------------------------------------


def test_penalties_follow_their_formula(child: Samplers) -> None:
    values = np.array([2.0, -2.0, 1.0, 0.5, 0.0])
    sampling = {**OFF, "repeat_penalty": 1.5, "frequency_penalty": 0.1, "presence_penalty": 0.2}
    answer = child.ask("adjusted", sampling=sampling, logits=values.tolist(), seen=[0, 1, 1, 2, 2, 2])
    expected = [2 / 1.5 - 0.1 - 0.2, -2 * 1.5 - 0.2 - 0.2, 1 / 1.5 - 0.3 - 0.2, 0.5, 0.0]
    assert answer == pytest.approx(expected, abs=1e-5)


def test_penalties_look_back_as_far_as_they_are_told(child: Samplers) -> None:
    sampling = {**OFF, "presence_penalty": 1.0, "repeat_window": 2}
    assert child.ask("adjusted", sampling=sampling, logits=[0.0] * 4, seen=[0, 1, 2]) == [0, -1, -1, 0]
    sampling["repeat_window"] = -1
    assert child.ask("adjusted", sampling=sampling, logits=[0.0] * 4, seen=[0, 1, 2]) == [-1, -1, -1, 0]
    sampling["repeat_window"] = 0
    assert child.ask("adjusted", sampling=sampling, logits=[0.0] * 4, seen=[0, 1, 2]) == [0, 0, 0, 0]


def test_dry_penalizes_what_would_make_a_repetition_longer(child: Samplers) -> None:
    """multiplier * base ** (length of the repetition - allowed length), on the token that would go on."""
    sampling = {**OFF, "dry_multiplier": 0.8, "dry_base": 1.75, "dry_allowed_length": 2, "dry_breakers": []}
    seen = [110, 111, 112, 113, 120, 110, 111, 112]
    answer = child.ask("adjusted", sampling=sampling, logits=[0.0] * 200, seen=seen)
    assert answer[113] == pytest.approx(-0.8 * 1.75 ** (3 - 2), abs=1e-4)
    assert sum(value != 0 for value in answer) == 1


def test_a_forbidden_token_never_comes(child: Samplers) -> None:
    greedy = child.generate(temperature=0)
    word = greedy["tokens"][3]
    for temperature in (0, 1.5):
        reply = child.generate(temperature=temperature, seed=5, logit_bias=[{"token": word, "bias": -1000000}])
        assert word not in reply["tokens"]


def test_a_bias_by_text_reaches_every_token_of_it(child: Samplers) -> None:
    tokens = child.ask("tokenize", text=" elephantine")
    assert len(tokens) > 1
    sampling = {**OFF, "logit_bias": [{"text": " elephantine", "bias": 5}, {"token": tokens[0], "bias": 1}]}
    answer = child.ask("adjusted", sampling=sampling, logits=[0.0] * (max(tokens) + 1))
    assert {token: value for token, value in enumerate(answer) if value} == dict.fromkeys(tokens, 5) | {tokens[0]: 6}


def test_a_reply_does_not_end_before_its_shortest_length(child: Samplers) -> None:
    prompt = "<|im_start|>user\nSay yes.<|im_end|>\n<|im_start|>assistant\nYes.<|im_end|>\n"
    ends = child.ask("ends")
    usual = child.ask(
        "generate", sampling={"temperature": 0, "logit_bias": [{"token": ends[0], "bias": 30}]}, prompt=prompt
    )
    assert len(usual["tokens"]) < 5
    bias = [{"token": end, "bias": 30} for end in ends]
    longer = child.ask("generate", sampling={"temperature": 0, "min_length": 10, "logit_bias": bias}, prompt=prompt)
    assert len(longer["tokens"]) == 11  # ten, and then the end at once
    assert longer["tokens"][-1] in ends
    never = child.ask("generate", sampling={"temperature": 0, "ignore_end": True, "logit_bias": bias}, prompt=prompt)
    assert len(never["tokens"]) == 48


# --- seeds -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("more", [{}, {"xtc_probability": 0.5}, {"mirostat": 2}, {"json_schema": '{"type": "array"}'}])
def test_the_same_seed_makes_the_same_text_and_another_makes_another(child: Samplers, more: dict[str, Any]) -> None:
    sampling = {"temperature": 1.2, **more}
    first = child.generate(seed=11, **sampling)
    assert first == {
        **child.generate(seed=11, **sampling),
        "milliseconds": first["milliseconds"],
        "ready": first["ready"],
    }
    assert first["seed"] == 11
    assert len({child.generate(seed=seed, **sampling)["text"] for seed in (11, 12, 13)}) > 1


def test_a_seed_that_was_drawn_is_told_and_makes_the_reply_again(child: Samplers) -> None:
    drawn = child.generate(temperature=1.2)
    assert child.generate(temperature=1.2, seed=drawn["seed"])["text"] == drawn["text"]
    assert child.generate(temperature=1.2)["seed"] != drawn["seed"]


# --- what must not harm ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("temperature", -0.1),
        ("temperature", "nan"),
        ("top_p", 1.1),
        ("top_p", "nan"),
        ("min_p", -1),
        ("typical_p", 2),
        ("top_k", -1),
        ("repeat_penalty", 0),
        ("repeat_penalty", "inf"),
        ("presence_penalty", "inf"),
        ("dry_base", 0.5),
        ("xtc_threshold", -0.5),
        ("mirostat_tau", "nan"),
        ("logprobs", -2),
        ("beams", 5),
        ("beams", 0),
        ("dynamic_exponent", "nan"),
        ("min_length", -1),
    ],
)
def test_a_value_out_of_range_is_named_with_its_range(child: Samplers, field: str, value: Any) -> None:
    with pytest.raises(SamplingFailed, match="bad_request") as raised:
        child.generate(**{field: float(value) if isinstance(value, str) else value})
    assert raised.value.arguments == {"field": field}
    assert field in raised.value.detail
    assert "from" in raised.value.detail


@pytest.mark.parametrize(
    "sampling",
    [
        {"logit_bias": [{"token": 10_000_000, "bias": 1}]},
        {"logit_bias": [{"token": -1, "bias": 1}]},
        {"logit_bias": [{"bias": 1}]},
        {"logit_bias": [{"token": 5, "bias": 1e9}]},
        {"grammar": 'root ::= "a"', "json_schema": "{}"},
        {"dry_breakers": ["x" * 100]},
        {"dry_breakers": ["x"] * 1000},
    ],
)
def test_a_contradictory_request_is_refused(child: Samplers, sampling: dict[str, Any]) -> None:
    with pytest.raises(SamplingFailed, match="bad_request"):
        child.generate(**sampling)


EVERY_KIND = [
    {"temperature": 0},
    {},
    {"temperature": 0, "repeat_penalty": 1.1},
    {"top_k": 0},
    {"typical_p": 0.5},
    {"top_n_sigma": 1},
    {"mirostat": 1},
    {"mirostat": 2},
    {"xtc_probability": 1},
    {"dynamic_temperature": 0.5},
    {"json_schema": "{}"},
]


@pytest.mark.parametrize("sampling", EVERY_KIND, ids=str)
@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
def test_logits_that_are_no_numbers_end_the_request_and_not_the_child(
    child: Samplers, sampling: dict[str, Any], value: str
) -> None:
    with pytest.raises(SamplingFailed, match=r"internal: .*not numbers"):
        child.ask("sample_strange", sampling=sampling, fill=value)
    if value == "nan":
        with pytest.raises(SamplingFailed, match=r"internal: .*not numbers"):
            child.ask("sample_strange", sampling=sampling, fill=value, share=0.001)


@pytest.mark.parametrize("sampling", EVERY_KIND, ids=str)
def test_logits_that_are_all_equal_are_as_good_as_any(child: Samplers, sampling: dict[str, Any]) -> None:
    assert child.ask("sample_strange", sampling=sampling, fill="0.0") >= 0
    if "json_schema" not in sampling:  # among a hundredth of the tokens, none may fit it
        assert child.ask("sample_strange", sampling=sampling, fill="-inf", share=0.99) >= 0


def test_a_tiny_temperature_is_no_temperature(child: Samplers) -> None:
    greedy = child.generate(temperature=0)["text"]
    assert child.generate(temperature=1e-40, seed=1)["text"] == greedy
    assert child.generate(temperature=1e-5, seed=1)["text"] == greedy


# --- log-probabilities -----------------------------------------------------------------------------------------------


def test_logprobs_are_those_of_the_model_before_any_sampler(child: Samplers, logits: Floats) -> None:
    answer = child.ask("generate", sampling={"temperature": 5, "seed": 2, "logprobs": 100}, prompt=PROMPT, limit=1)
    entry = answer["logprobs"][0]
    expected = np.log(probabilities(logits))
    assert [top["token"] for top in entry["top"]] == np.argsort(-logits, kind="stable")[:100].tolist()
    assert [top["logprob"] for top in entry["top"]] == pytest.approx(np.sort(expected)[::-1][:100].tolist(), abs=1e-9)
    assert entry["chosen"]["logprob"] == pytest.approx(expected[entry["chosen"]["token"]], abs=1e-9)
    assert entry["chosen"]["token"] == answer["tokens"][0]
    assert 0.5 < sum(math.exp(top["logprob"]) for top in entry["top"]) <= 1


def test_logprobs_are_told_as_far_as_they_are_asked_for(child: Samplers) -> None:
    assert child.generate(logprobs=-1)["logprobs"] == []
    only = child.generate(logprobs=0, seed=1)
    assert [entry["top"] for entry in only["logprobs"]] == [[]] * len(only["tokens"])
    some = child.generate(logprobs=3, temperature=0)["logprobs"]
    assert all(entry["top"][0] == entry["chosen"] for entry in some)
    assert all(len(entry["top"]) == 3 for entry in some)
