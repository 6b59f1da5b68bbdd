"""The synthetic models are real: libllama loads each, and each writes words, the same ones every time."""

import math
import operator
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.models import decoders, encoders, native, projectors, scripted
from tests.support.models.adapters import write_lora

PROMPT = "<|im_start|>user\nWhat can you say about the time?<|im_end|>\n<|im_start|>assistant\n"
BIGGEST = 10 * 1024 * 1024

Write = Callable[[Path], Path]

DECODERS: dict[str, Write] = {
    "dense": decoders.write_dense,
    "draft": decoders.write_draft,
    "sliding window": decoders.write_sliding_window,
    "recurrent": decoders.write_recurrent,
    "hybrid": decoders.write_hybrid,
    "mixture of experts": decoders.write_moe,
}


@pytest.mark.parametrize("kind", DECODERS)
def test_a_model_of_each_kind_writes_the_same_words_twice(kind: str, tmp_path: Path) -> None:
    path = DECODERS[kind](tmp_path)
    first, again = native.decode(path, PROMPT), native.decode(path, PROMPT)

    assert path.stat().st_size < BIGGEST
    assert first["finite"]
    assert first["spread"] > 5  # logits that hardly differ would be decided by rounding
    assert len(set(first["tokens"])) >= 5, first["text"]
    assert first["text"].isprintable() or "\n" in first["text"]
    assert first["tokens"] == again["tokens"]


@pytest.mark.parametrize("kind", DECODERS)
def test_a_file_is_the_same_for_a_seed_and_another_for_another(kind: str, tmp_path: Path) -> None:
    write: Callable[..., Path] = DECODERS[kind]
    first, again = write(tmp_path, name="a").read_bytes(), write(tmp_path, name="b").read_bytes()

    assert first == again
    assert write(tmp_path, name="c", seed=1).read_bytes() != first


def test_the_engine_sees_each_kind_of_memory(tmp_path: Path) -> None:
    window = native.decode(decoders.write_sliding_window(tmp_path, window=64), PROMPT, tokens=1)
    recurrent = native.decode(decoders.write_recurrent(tmp_path), PROMPT, tokens=1)
    hybrid = native.decode(decoders.write_hybrid(tmp_path), PROMPT, tokens=1)
    both = native.decode(decoders.write_hybrid(tmp_path, window=32), PROMPT, tokens=1)

    assert (window["n_swa"], recurrent["n_swa"]) == (64, 0)
    assert (recurrent["recurrent"], recurrent["hybrid"]) == (True, False)
    assert (hybrid["recurrent"], hybrid["hybrid"], hybrid["n_swa"]) == (False, True, 0)
    assert (both["hybrid"], both["n_swa"]) == (True, 32)


def test_a_long_prompt_leaves_the_sliding_window(tmp_path: Path) -> None:
    path = decoders.write_sliding_window(tmp_path, window=64)
    long = native.decode(path, "a b c " * 100, tokens=1, n_ubatch=64)

    assert len(long["prompt_tokens"]) > 256
    assert 0 < long["oldest"] <= len(long["prompt_tokens"]) - 64
    assert native.decode(path, PROMPT, tokens=1, n_ubatch=64)["oldest"] == 0


def test_control_texts_are_one_token_each_and_the_reply_ends_at_its_mark(tmp_path: Path) -> None:
    path = decoders.write_dense(tmp_path)
    plain = native.decode(path, "abc", tokens=1)
    marked = native.decode(path, "<|im_start|>abc<think></tool_call>", tokens=1)

    assert len(marked["prompt_tokens"]) == len(plain["prompt_tokens"]) + 3
    assert plain["eos"] == "<|im_end|>"


def test_a_model_that_likes_to_end_its_reply_does(tmp_path: Path) -> None:
    path = decoders.write_dense(tmp_path, ending=2.0)

    assert "<|im_end|>" in native.decode(path, PROMPT, tokens=200)["text"]


@pytest.mark.parametrize("kind", ["q8_0", "q4_0", "f16", "f32"])
def test_the_dense_model_comes_in_each_type_of_weights(kind: str, tmp_path: Path) -> None:
    answer = native.decode(decoders.write_dense(tmp_path, kind=kind, layers=2), PROMPT)

    assert answer["finite"]
    assert len(set(answer["tokens"])) >= 5


def test_a_lora_adapter_changes_what_the_dense_model_says(tmp_path: Path) -> None:
    model, adapter = decoders.write_dense(tmp_path), write_lora(tmp_path)
    plain = native.decode(model, PROMPT)["tokens"]

    assert native.decode(model, PROMPT, lora=adapter, scale=1.0)["tokens"] != plain
    assert native.decode(model, PROMPT, lora=adapter, scale=0.0)["tokens"] == plain


def test_a_draft_model_is_right_now_and_then_but_not_always(tmp_path: Path) -> None:
    said = native.decode(decoders.write_dense(tmp_path), PROMPT, tokens=40)["tokens"]
    drafted = native.predict(decoders.write_draft(tmp_path), PROMPT, said)
    right = sum(map(operator.eq, drafted, said))

    assert len(said) / 10 < right < len(said) * 0.9


def test_a_scripted_model_says_exactly_its_script(tmp_path: Path) -> None:
    script: list[str | bytes] = [
        "<think>",
        "Let me see.",
        "</think>",
        "Voil\u00e0",
        b" \xf0\x9f",
        b"\x98\x80",
        "<tool_call>",
        '{"name": "f"}',
    ]
    path = scripted.write_scripted(tmp_path, script)
    answer = native.decode(path, PROMPT, tokens=len(script) + 1)

    assert answer["text"] == '<think>Let me see.</think>Voil\u00e0 \U0001f600<tool_call>{"name": "f"}<|im_end|>'
    assert len(answer["tokens"]) == len(script) + 1


def test_an_endless_script_begins_again(tmp_path: Path) -> None:
    path = scripted.write_scripted(tmp_path, ["one ", "two "], endless=True)

    assert native.decode(path, PROMPT, tokens=5)["text"] == "one two one two one "


EMBEDDINGS: dict[str, Write] = {"bert": encoders.write_embedding, "decoder": encoders.write_decoder_embedding}
RERANKERS: dict[str, Write] = {"bert": encoders.write_reranker, "decoder": encoders.write_decoder_reranker}
TEXTS = ["the time has come", "the time has come to look", "zebra quartz & jelly"]


@pytest.mark.parametrize("form", EMBEDDINGS)
def test_an_embedding_model_puts_texts_that_share_words_closer(form: str, tmp_path: Path) -> None:
    path = EMBEDDINGS[form](tmp_path)
    answer = native.embed(path, TEXTS)
    first, near, far = answer["vectors"]

    assert path.stat().st_size < BIGGEST
    assert [len(vector) for vector in answer["vectors"]] == [256] * 3
    assert _cosine(first, near) > _cosine(first, far)
    assert answer["vectors"] == native.embed(path, TEXTS)["vectors"]


@pytest.mark.parametrize("form", RERANKERS)
def test_a_reranker_scores_every_text_differently(form: str, tmp_path: Path) -> None:
    path = RERANKERS[form](tmp_path)
    answer = native.embed(path, TEXTS)
    scores = [score for [score] in answer["vectors"]]

    assert answer["pooling"] == encoders.RANK
    assert all(map(math.isfinite, scores))
    assert len({round(score, 3) for score in scores}) == len(TEXTS)
    assert answer["vectors"] == native.embed(path, TEXTS)["vectors"]


MEDIUM_PROMPT = "<|im_start|>user\n<__media__>What is this?<|im_end|>\n<|im_start|>assistant\n"


def test_what_the_model_says_depends_on_the_image(tmp_path: Path) -> None:
    model, projector = decoders.write_dense(tmp_path), projectors.write_vision_projector(tmp_path)
    dark = native.perceive(model, projector, MEDIUM_PROMPT, shade=0)
    light = native.perceive(model, projector, MEDIUM_PROMPT, shade=120)

    assert (dark["vision"], dark["audio"]) == (True, False)
    assert dark["chunk_tokens"][1] == projectors.IMAGE_TOKENS
    assert dark["finite"]
    assert dark["tokens"] != light["tokens"]


def test_what_the_model_says_depends_on_the_sound(tmp_path: Path) -> None:
    model, projector = decoders.write_dense(tmp_path), projectors.write_audio_projector(tmp_path)
    low = native.perceive(model, projector, MEDIUM_PROMPT, pitch=220)
    high = native.perceive(model, projector, MEDIUM_PROMPT, pitch=3000)

    assert (low["vision"], low["audio"]) == (False, True)
    assert low["chunk_tokens"][1] == projectors.SOUND_TOKENS
    assert low["finite"]
    assert low["tokens"] != high["tokens"]


def _cosine(left: list[float], right: list[float]) -> float:
    product: float = sum(map(operator.mul, left, right))
    return product / math.hypot(*left) / math.hypot(*right)
