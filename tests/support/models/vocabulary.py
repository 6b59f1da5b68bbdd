"""Tokenizers of the synthetic models.

`BPE` has 512 tokens and can write any text. It is byte-level like GPT-2's: all 256 bytes, some English words that
merges build up, and the control tokens of ChatML. Random weights choose only among printable texts, because rows of
the output for the other tokens are zero.

`WPM` is BERT's kind: words, else their letters; capitals are lost.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from tests.support.gguf_writer import Scalar, Signed

SIZE = 512
CHATML = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
CONTROL_TEXTS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
MARK_TEXTS = ("<think>", "</think>", "<tool_call>", "</tool_call>")
INFILL_TEXTS = ("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>")
WPM_CONTROL_TEXTS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
TEXT = (
    "the and you that was for are with his they this have from one had word but not what all were when your can said "
    "there use each which she how their will other about out many then them these some her would make like him into "
    "time has look two more write see number way could people"
)

# enum llama_token_type in llama.h.
_NORMAL, _UNKNOWN, _CONTROL, _USER_DEFINED, _UNUSED = 1, 2, 3, 4, 5
_SPACE = "Ġ"


class Vocabulary(NamedTuple):
    """Tokens by id, and which of them random weights may choose."""

    model: str
    texts: tuple[str, ...]
    types: tuple[int, ...]
    merges: tuple[str, ...] = ()
    printable: tuple[bool, ...] = ()

    def id(self, text: str) -> int:
        """The token that is written so."""
        return self.texts.index(text)

    def output_rows(self, *, ending: float) -> list[float]:
        """A factor for each row of the output: 1 for printable tokens, `ending` for <|im_end|>, 0 for the rest."""
        rows = [float(printable) for printable in self.printable]
        rows[self.id("<|im_end|>")] = ending
        return rows


def _byte_texts() -> list[str]:
    """How GPT-2's tokenizer writes each byte (bytes_to_unicode in its encoder.py)."""
    plain = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = iter(range(256, 512))
    return [chr(byte if byte in plain else next(others)) for byte in range(256)]


def _merges() -> Iterator[tuple[str, str]]:
    """Merges that build " the" out of " t", " th", " the"; words share their beginnings."""
    seen = set()
    for word in TEXT.split():
        for end in range(1, len(word) + 1):
            left, right = _SPACE + word[: end - 1], word[end - 1]
            if left + right not in seen:
                seen.add(left + right)
                yield left, right


def _bpe() -> Vocabulary:
    merges = tuple(_merges())
    texts = [*_byte_texts(), *("".join(pair) for pair in merges)]
    texts = texts[: SIZE - len(CONTROL_TEXTS) - len(MARK_TEXTS)]
    printable = [byte == 0x0A or 0x20 <= byte < 0x7F for byte in range(256)] + [True] * (len(texts) - 256)
    types = [_NORMAL] * len(texts) + [_CONTROL] * len(CONTROL_TEXTS) + [_USER_DEFINED] * len(MARK_TEXTS)
    texts += [*CONTROL_TEXTS, *MARK_TEXTS]
    unused = [f"<|unused_{number}|>" for number in range(SIZE - len(texts))]
    return Vocabulary(
        "gpt2",
        (*texts, *unused),
        (*types, *[_UNUSED] * len(unused)),
        tuple(map(" ".join, merges)),
        (*printable, *[False] * (SIZE - len(printable))),
    )


BPE = _bpe()


def byte_level(text: str | bytes) -> str:
    """Write a text as the tokenizer's list of tokens has it; control tokens and marks stay as they are."""
    if text in CONTROL_TEXTS or text in MARK_TEXTS:
        return str(text)
    texts = _byte_texts()
    return "".join(texts[byte] for byte in (text.encode() if isinstance(text, str) else text))


def with_tokens(vocabulary: Vocabulary, texts: Sequence[str]) -> Vocabulary:
    """Return the vocabulary with those of the texts that it does not have yet."""
    new = [text for text in texts if text not in vocabulary.texts]
    return vocabulary._replace(texts=(*vocabulary.texts, *new), types=(*vocabulary.types, *[_NORMAL] * len(new)))


def with_controls(vocabulary: Vocabulary, texts: Sequence[str]) -> Vocabulary:
    """Return the vocabulary with these control tokens instead of its last unused ones; it has the same size."""
    kept = len(vocabulary.texts) - len(texts)
    assert all(kind == _UNUSED for kind in vocabulary.types[kept:])
    return vocabulary._replace(
        texts=(*vocabulary.texts[:kept], *texts), types=(*vocabulary.types[:kept], *[_CONTROL] * len(texts))
    )


def bpe_metadata(*, template: str = CHATML, vocabulary: Vocabulary = BPE) -> dict[str, Scalar | Sequence[Scalar]]:
    """Return the tokenizer's part of a GGUF; the reply ends at <|im_end|>."""
    return {
        "tokenizer.ggml.model": vocabulary.model,
        "tokenizer.ggml.pre": "qwen2",
        "tokenizer.ggml.tokens": vocabulary.texts,
        "tokenizer.ggml.token_type": Signed(vocabulary.types),
        "tokenizer.ggml.merges": vocabulary.merges,
        "tokenizer.ggml.bos_token_id": vocabulary.id("<|endoftext|>"),
        "tokenizer.ggml.eos_token_id": vocabulary.id("<|im_end|>"),
        "tokenizer.ggml.padding_token_id": vocabulary.id("<|endoftext|>"),
        "tokenizer.ggml.add_bos_token": False,
        "tokenizer.chat_template": template,
    }


def _wpm() -> Vocabulary:
    letters = [chr(code) for code in range(0x21, 0x7F) if not chr(code).isupper()]
    # llama.cpp marks the beginning of a word, where BERT's own files mark the continuation with "##".
    words = [f"▁{word}" for word in TEXT.split()]
    texts = (*WPM_CONTROL_TEXTS, *(f"▁{letter}" for letter in letters), *letters, *words)
    controls = len(WPM_CONTROL_TEXTS)
    return Vocabulary("bert", texts, (*[_CONTROL] * controls, *[_NORMAL] * (len(texts) - controls)))


WPM = _wpm()


def wpm_metadata() -> dict[str, Scalar | Sequence[Scalar]]:
    """Return the tokenizer's part of a GGUF: [CLS] before a text, [SEP] after it."""
    return {
        "tokenizer.ggml.model": WPM.model,
        "tokenizer.ggml.pre": "default",
        "tokenizer.ggml.tokens": WPM.texts,
        "tokenizer.ggml.token_type": Signed(WPM.types),
        "tokenizer.ggml.token_type_count": 2,
        "tokenizer.ggml.padding_token_id": WPM.id("[PAD]"),
        "tokenizer.ggml.unknown_token_id": WPM.id("[UNK]"),
        "tokenizer.ggml.bos_token_id": WPM.id("[CLS]"),
        "tokenizer.ggml.cls_token_id": WPM.id("[CLS]"),
        "tokenizer.ggml.eos_token_id": WPM.id("[SEP]"),
        "tokenizer.ggml.seperator_token_id": WPM.id("[SEP]"),  # llama.cpp spells it so
        "tokenizer.ggml.mask_token_id": WPM.id("[MASK]"),
    }
