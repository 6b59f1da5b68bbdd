"""Model files that lie: each is a good file with one thing changed, or something else altogether."""

import io
import math
import random
import struct
import zipfile
from collections.abc import Callable

from tests.support.gguf_parts import Gguf, array_header, f32, i32, nested_arrays, numbers, packed, text, texts, u32

HUGE = 2**63

Craft = Callable[[Gguf], bytes]
CRAFTED: dict[str, Craft] = {}
"""What is wrong with the file -> makes it of a good one. Each must end in an error that is explained."""
TOLERABLE: dict[str, Craft] = {}
"""The same, where the engine may find nothing wrong: then the model must answer."""


def key(name: str, value: bytes) -> Craft:
    """Another value of one metadata entry."""

    def craft(model: Gguf) -> bytes:
        model.keys[name.encode()] = value
        return model.to_bytes()

    return craft


def without(name: str) -> Craft:
    """No such metadata entry."""

    def craft(model: Gguf) -> bytes:
        del model.keys[name.encode()]
        return model.to_bytes()

    return craft


def counts(tensors: int | None = None, keys: int | None = None) -> Craft:
    """Counts that are not those of the entries."""

    def craft(model: Gguf) -> bytes:
        model.counts = (
            len(model.tensors) if tensors is None else tensors,
            len(model.keys) if keys is None else keys,
        )
        return model.to_bytes()

    return craft


def tensor(name: str, **changes: object) -> Craft:
    """Another header entry of one tensor."""

    def craft(model: Gguf) -> bytes:
        index = model.index(name.encode())
        model.tensors[index] = model.tensors[index]._replace(**changes)  # type: ignore[arg-type]
        return model.to_bytes()

    return craft


def missing(*names: str) -> Craft:
    """Tensors that are not there."""

    def craft(model: Gguf) -> bytes:
        model.drop(*(name.encode() for name in names))
        return model.to_bytes()

    return craft


def file(data: bytes) -> Craft:
    """Another file altogether."""
    return lambda _model: data


def _zip() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("model.gguf", b"GGUF" + bytes(1000))
    return out.getvalue()


def _overlapping(model: Gguf) -> bytes:
    model.tensors[2] = model.tensors[2]._replace(offset=model.tensors[1].offset)
    return model.to_bytes()


def _twice(model: Gguf) -> bytes:
    model.tensors[1] = model.tensors[1]._replace(name=model.tensors[0].name)
    return model.to_bytes()


def _key_twice(model: Gguf) -> bytes:
    data = model.to_bytes()
    return data.replace(packed(b"llama.vocab_size"), packed(b"llama.block_coun"), 1).replace(
        packed(b"llama.block_count"), packed(b"llama.block_coun"), 1
    )


def _version(number: int) -> Craft:
    def craft(model: Gguf) -> bytes:
        model.version = number
        return model.to_bytes()

    return craft


def _fewer_tokens(model: Gguf) -> bytes:
    model.keys[b"tokenizer.ggml.tokens"] = texts(b"t%d" % index for index in range(100))
    return model.to_bytes()


def _more_tokens(model: Gguf) -> bytes:
    model.keys[b"tokenizer.ggml.tokens"] = texts(b"t%d" % index for index in range(5000))
    return model.to_bytes()


def _nan_weights(model: Gguf) -> bytes:
    model.weights = b"\xff" * len(model.weights)
    return model.to_bytes()


_HYPER = "llama."
CRAFTED |= {
    "tensor count of 2^63": counts(tensors=HUGE),
    "key count of 2^63": counts(keys=HUGE),
    "both counts of 2^64 - 1": counts(2**64 - 1, 2**64 - 1),
    "one tensor more than there is": counts(tensors=1000),
    "one key more than there is": counts(keys=1000),
    "no keys": counts(keys=0),
    "no tensors": counts(tensors=0),
    "a tensor's offset beyond the file": tensor("output_norm.weight", offset=2**40),
    "a tensor's offset of 2^63": tensor("output_norm.weight", offset=HUGE),
    "a tensor's offset of 2^64 - 32": tensor("output_norm.weight", offset=2**64 - 32),
    "an offset that is not aligned": tensor("output_norm.weight", offset=7),
    "overlapping tensors": _overlapping,
    "a tensor twice": _twice,
    "a key twice": _key_twice,
    "a dimension of 0": tensor("output_norm.weight", shape=(0,)),
    "a dimension of 2^63": tensor("output_norm.weight", shape=(HUGE,)),
    "dimensions whose product overflows": tensor("output_norm.weight", shape=(2**32, 2**32, 2)),
    "no dimensions": tensor("output_norm.weight", shape=()),
    "five dimensions": tensor("output_norm.weight", shape=(2, 2, 2, 2, 16)),
    "two billion dimensions": lambda model: model.to_bytes().replace(
        packed(b"output_norm.weight") + struct.pack("<I", 1), packed(b"output_norm.weight") + struct.pack("<I", 2**31)
    ),
    "wrong dimensions of the same size": tensor("blk.0.attn_q.weight", shape=(512, 128)),
    "transposed feed-forward": tensor("blk.0.ffn_up.weight", shape=(512, 256)),
    "embedding narrower than stated": tensor("token_embd.weight", shape=(128, 1024)),
    "an unknown tensor type": tensor("blk.0.attn_q.weight", kind=250),
    "a removed tensor type": tensor("blk.0.attn_q.weight", kind=4),
    "a tensor type of 2^32 - 1": tensor("blk.0.attn_q.weight", kind=2**32 - 1),
    "integers for a norm": tensor("output_norm.weight", kind=26),
    "no embedding": missing("token_embd.weight"),
    "no output norm": missing("output_norm.weight"),
    "no attention in a layer": missing("blk.2.attn_q.weight", "blk.2.attn_k.weight"),
    "no tensors of the last layer's feed-forward": missing("blk.3.ffn_down.weight"),
    "zero layers": key(f"{_HYPER}block_count", u32(0)),
    "more layers than there are": key(f"{_HYPER}block_count", u32(300)),
    "two billion layers": key(f"{_HYPER}block_count", u32(2**31)),
    "fewer layers than there are": key(f"{_HYPER}block_count", u32(2)),
    "no heads": key(f"{_HYPER}attention.head_count", u32(0)),
    "2^31 heads": key(f"{_HYPER}attention.head_count", u32(2**31)),
    "2^32 - 1 heads": key(f"{_HYPER}attention.head_count", u32(2**32 - 1)),
    "more key heads than heads": key(f"{_HYPER}attention.head_count_kv", u32(1000)),
    "no key heads": key(f"{_HYPER}attention.head_count_kv", u32(0)),
    "heads per layer for too few layers": key(f"{_HYPER}attention.head_count", numbers([4])),
    "negative heads per layer": key(f"{_HYPER}attention.head_count", numbers([-4] * 4)),
    "n_embd 0": key(f"{_HYPER}embedding_length", u32(0)),
    "n_embd of 2^32 - 1": key(f"{_HYPER}embedding_length", u32(2**32 - 1)),
    "n_embd as text": key(f"{_HYPER}embedding_length", text(b"256")),
    "no n_embd": without(f"{_HYPER}embedding_length"),
    "n_ff 0": key(f"{_HYPER}feed_forward_length", u32(0)),
    "n_ff of 2^32 - 1": key(f"{_HYPER}feed_forward_length", u32(2**32 - 1)),
    "no norm epsilon": without(f"{_HYPER}attention.layer_norm_rms_epsilon"),
    "rope of more dimensions than a head has": key(f"{_HYPER}rope.dimension_count", u32(4096)),
    "rope of an odd number of dimensions": key(f"{_HYPER}rope.dimension_count", u32(63)),
    "more experts used than there are": key(f"{_HYPER}expert_used_count", u32(9)),
    "experts that are not there": key(f"{_HYPER}expert_count", u32(8)),
    "2^32 - 1 experts": key(f"{_HYPER}expert_count", u32(2**32 - 1)),
    "no architecture": without("general.architecture"),
    "an unknown architecture": key("general.architecture", text(b"warp9")),
    "an empty architecture": key("general.architecture", text(b"")),
    "an architecture that is no text": key("general.architecture", text(b"\xff\xfe\x80")),
    "an architecture that is a number": key("general.architecture", u32(1)),
    "an architecture of 1 MB": key("general.architecture", text(b"a" * 1_000_000)),
    "the keys of another architecture": key("general.architecture", text(b"gemma3")),
    "alignment 0": key("general.alignment", u32(0)),
    "alignment 3": key("general.alignment", u32(3)),
    "alignment of 2^31": key("general.alignment", u32(2**31)),
    "alignment as text": key("general.alignment", text(b"32")),
    "alignment as a signed number": key("general.alignment", i32(-32)),
    "a split of two without the other": key("split.count", struct.pack("<IH", 2, 2)),
    "a split of 65535": key("split.count", struct.pack("<IH", 2, 65535)),
    "fewer tokens than rows": _fewer_tokens,
    "more tokens than rows": _more_tokens,
    "no tokens": without("tokenizer.ggml.tokens"),
    "an empty list of tokens": key("tokenizer.ggml.tokens", texts([])),
    "tokens that are numbers": key("tokenizer.ggml.tokens", numbers(range(512))),
    "no tokenizer": without("tokenizer.ggml.model"),
    "an unknown tokenizer": key("tokenizer.ggml.model", text(b"runes")),
    "an unknown pre-tokenizer": key("tokenizer.ggml.pre", text(b"runes")),
    "no merges": without("tokenizer.ggml.merges"),
    "token types for too few tokens": key("tokenizer.ggml.token_type", numbers([1])),
    "an array of 2^63 numbers": key("general.tags", array_header(4, HUGE)),
    "an array of 2^61 texts": key("general.tags", array_header(8, 2**61)),
    "an array of arrays": key("general.tags", nested_arrays(1)),
    "arrays 10,000 deep": key("general.tags", nested_arrays(10_000)),
    "an array of an unknown type": key("general.tags", array_header(77, 1)),
    "a value of an unknown type": key("general.tags", struct.pack("<II", 77, 0)),
    "a text of 2^63 bytes": key("general.tags", struct.pack("<IQ", 8, HUGE)),
    "a text of 2^64 - 1 bytes": key("general.tags", struct.pack("<IQ", 8, 2**64 - 1)),
    "a key of 2^64 - 1 bytes": lambda model: b"GGUF" + struct.pack("<IQQQ", 3, 0, 1, 2**64 - 1) + b"x" * 100,
    "a template of 50 MB": key("tokenizer.chat_template", text(b"{{ 'x' }}" * 5_600_000)),
    "a template without an end": key("tokenizer.chat_template", text(b"{% for m in messages %}")),
    "a template that loops for ever": key(
        "tokenizer.chat_template",
        text(
            b"{% for a in range(99999) %}{% for b in range(99999) %}{% for c in range(99999) %}{% endfor %}"
            b"{% endfor %}{% endfor %}"
        ),
    ),
    "a template that calls itself": key(
        "tokenizer.chat_template", text(b"{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}")
    ),
    "a template that writes without end": key(
        "tokenizer.chat_template", text(b"{% for a in range(99999) %}{{ 'x' * 9999 }}{% endfor %}")
    ),
    "a template that leaves the sandbox": key(
        "tokenizer.chat_template", text(b"{{ ''.__class__.__mro__[1].__subclasses__() }}")
    ),
    "a template that is no text": key("tokenizer.chat_template", text(b"{{ \xff\xfe }}")),
    "version 1": _version(1),
    "version 4": _version(4),
    "version of 2^32 - 1": _version(2**32 - 1),
    "big-endian": _version(3 << 24),
    "an empty file": file(b""),
    "four bytes": file(b"GGUF"),
    "43 bytes with huge counts": file(b"GGUF" + struct.pack("<IQQ", 3, 2**62, 2**62) + bytes(19)),
    "a text file": file(b"I am a model, believe me.\n" * 100),
    "a ZIP": file(_zip()),
    "a page from a web server": file(b"<!DOCTYPE html><title>404</title>" * 50),
    "a pointer of Git LFS": file(b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"),
    "a Safetensors file": file(struct.pack("<Q", 2) + b"{}" + bytes(100)),
    "zeros": file(bytes(100_000)),
    "noise": file(random.Random(1).randbytes(100_000)),
    "a magic with noise": file(b"GGUF" + random.Random(2).randbytes(100_000)),
}
TOLERABLE |= {
    "merges without a space": key("tokenizer.ggml.merges", texts([b"ab", b"", b"cd"])),
    "epsilon NaN": key(f"{_HYPER}attention.layer_norm_rms_epsilon", f32(math.nan)),
    "epsilon -1": key(f"{_HYPER}attention.layer_norm_rms_epsilon", f32(-1.0)),
    "rope base NaN": key(f"{_HYPER}rope.freq_base", f32(math.nan)),
    "rope base 0": key(f"{_HYPER}rope.freq_base", f32(0.0)),
    "rope scale infinite": key(f"{_HYPER}rope.scale_linear", f32(math.inf)),
    "context length 0": key(f"{_HYPER}context_length", u32(0)),
    "context length of 2^32 - 1": key(f"{_HYPER}context_length", u32(2**32 - 1)),
    "vocab size that lies": key(f"{_HYPER}vocab_size", u32(7)),
    "vocab size of 2^32 - 1": key(f"{_HYPER}vocab_size", u32(2**32 - 1)),
    "negative token types": key("tokenizer.ggml.token_type", numbers([-7] * 512)),
    "unknown token types": key("tokenizer.ggml.token_type", numbers([77] * 512)),
    "tokens that are no UTF-8": key("tokenizer.ggml.tokens", texts(b"\xff%d" % index for index in range(512))),
    "512 times the same token": key("tokenizer.ggml.tokens", texts([b"x"] * 512)),
    "an end token beyond the vocabulary": key("tokenizer.ggml.eos_token_id", u32(2**31)),
    "a begin token of 2^32 - 1": key("tokenizer.ggml.bos_token_id", u32(2**32 - 1)),
    "a name that is no UTF-8": key("general.name", text(b"\xff\xfe" * 100)),
    "a name of 10 MB": key("general.name", text(b"n" * 10_000_000)),
    "a split number without a count": key("split.no", struct.pack("<IH", 2, 5)),
    "a sliding window of 2^32 - 1": key(f"{_HYPER}attention.sliding_window", u32(2**32 - 1)),
    "weights that are not there, read as NaN": _nan_weights,
}


def truncations(data: bytes, places: int, seed: int) -> dict[str, bytes]:
    """The file cut at random places, half of them in its header."""
    chance, header = random.Random(seed), Gguf(data).header_size
    ends = {chance.randrange(5, header if index % 2 else len(data)) for index in range(places)}
    return {f"cut at {end}": data[:end] for end in sorted(ends)}


def flips(data: bytes, count: int, seed: int) -> dict[str, bytes]:
    """The file with some bytes of its header changed."""
    chance, header = random.Random(seed), Gguf(data).header_size
    made: dict[str, bytes] = {}
    for number in range(count):
        spoiled = bytearray(data)
        for _ in range(chance.choice((1, 2, 8))):
            spoiled[chance.randrange(4, header)] ^= 1 << chance.randrange(8)
        made[f"flipped bits {number}"] = bytes(spoiled)
    return made
