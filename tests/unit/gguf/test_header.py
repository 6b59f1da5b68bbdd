"""What a model file says about itself, and how a bad one is refused."""

import io
import os
import random
import struct
import sys
import time
import tracemalloc
from pathlib import Path

import pytest

from desktop.errors import FileUnreadable
from desktop.gguf.errors import CorruptGguf, GgufError, NotAGguf, TruncatedGguf, UnsupportedGguf
from desktop.gguf.header import GgufHeader, HeaderParser, LazyArray, parse_header, read_header, read_texts
from tests.support.gguf_writer import Metadata, Tensor, dense_model, header_bytes, text_bytes, write_gguf

U64_MAX = (1 << 64) - 1


def _raw(tensors: int, keys: int, rest: bytes = b"", version: int = 3) -> bytes:
    return b"GGUF" + struct.pack("<IQQ", version, tensors, keys) + rest


def _key(name: str, kind: int, value: bytes) -> bytes:
    return text_bytes(name) + struct.pack("<I", kind) + value


def _info(name: str, shape: tuple[int, ...], code: int = 0, offset: int = 0) -> bytes:
    return text_bytes(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, code, offset)


CRAFTED: dict[str, tuple[bytes, type[GgufError]]] = {
    "empty": (b"", NotAGguf),
    "three bytes": (b"GGU", NotAGguf),
    "text": (b"not a model, just some words" * 10, NotAGguf),
    "only the magic": (b"GGUF", TruncatedGguf),
    "big-endian": (b"GGUF" + struct.pack(">IQQ", 3, 0, 0), UnsupportedGguf),
    "version 1": (_raw(0, 0, version=1), UnsupportedGguf),
    "version 99": (_raw(0, 0, version=99), UnsupportedGguf),
    "2^63 tensors": (_raw(1 << 63, 0), CorruptGguf),
    "2^63 entries": (_raw(0, 1 << 63), CorruptGguf),
    "2^64 - 1 of both": (_raw(U64_MAX, U64_MAX), CorruptGguf),
    "more entries than bytes": (_raw(0, 6_000), TruncatedGguf),
    "more tensors than bytes": (_raw(10_000, 0), TruncatedGguf),
    "key of 2^63 bytes": (_raw(0, 1, struct.pack("<Q", 1 << 63) + b"x" * 64), TruncatedGguf),
    "text of 2^63 bytes": (_raw(0, 1, _key("a", 8, struct.pack("<Q", 1 << 63))), TruncatedGguf),
    "array of 2^63 texts": (_raw(0, 1, _key("a", 9, struct.pack("<IQ", 8, 1 << 63))), CorruptGguf),
    "array of 2^63 numbers": (_raw(0, 1, _key("a", 9, struct.pack("<IQ", 5, 1 << 63))), CorruptGguf),
    "array that is too long": (_raw(0, 1, _key("a", 9, struct.pack("<IQ", 5, 1000))), TruncatedGguf),
    "array with a text of 2^63 bytes": (
        _raw(0, 1, _key("a", 9, struct.pack("<IQQ", 8, 1, 1 << 63))),
        TruncatedGguf,
    ),
    "array of arrays": (_raw(0, 1, _key("a", 9, struct.pack("<IQ", 9, 1) + bytes(32))), CorruptGguf),
    "unknown value type": (_raw(0, 1, _key("a", 77, bytes(8))), CorruptGguf),
    "the same key twice": (_raw(0, 2, _key("a", 4, bytes(4)) * 2), CorruptGguf),
    "no dimensions": (_raw(1, 0, text_bytes("t") + bytes(64)), CorruptGguf),
    "2^32 - 1 dimensions": (_raw(1, 0, text_bytes("t") + b"\xff" * 64), CorruptGguf),
    "shape that overflows": (_raw(1, 0, _info("t", (1 << 62, 1 << 62))), CorruptGguf),
    "shape with a zero": (_raw(1, 0, _info("t", (32, 0)) + bytes(32)), CorruptGguf),
    "row that is no whole number of blocks": (_raw(1, 0, _info("t", (33,), 2) + bytes(64)), CorruptGguf),
    "removed tensor type": (_raw(1, 0, _info("t", (32,), 4) + bytes(64)), UnsupportedGguf),
    "unknown tensor type": (_raw(1, 0, _info("t", (32,), 4_000_000_000) + bytes(64)), UnsupportedGguf),
    "offset beyond everything": (_raw(1, 0, _info("t", (32,), 0, 1 << 63) + bytes(512)), CorruptGguf),
    "overlapping tensors": (_raw(2, 0, _info("a", (32,)) + _info("b", (32,)) + bytes(512)), CorruptGguf),
    "the same tensor twice": (
        _raw(2, 0, _info("a", (32,)) + _info("a", (32,), 0, 128) + bytes(512)),
        CorruptGguf,
    ),
    "tensor larger than the file": (_raw(1, 0, _info("t", (1 << 40,))), TruncatedGguf),
    "alignment 3": (_raw(0, 1, _key("general.alignment", 4, struct.pack("<I", 3))), CorruptGguf),
    "alignment 0": (_raw(0, 1, _key("general.alignment", 4, struct.pack("<I", 0))), CorruptGguf),
    "alignment that is a text": (_raw(0, 1, _key("general.alignment", 8, text_bytes("x"))), CorruptGguf),
}


@pytest.mark.parametrize("name", CRAFTED)
def test_a_crafted_file_is_refused_at_once_and_without_memory(name: str, tmp_path: Path) -> None:
    content, expected = CRAFTED[name]
    path = tmp_path / "crafted.gguf"
    path.write_bytes(content)
    tracemalloc.start()
    begin = time.thread_time()  # what others have of the processor is not counted
    with pytest.raises(expected) as caught:
        read_header(path)
    seconds = time.thread_time() - begin
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert seconds < 1
    assert peak < 50 << 20
    assert str(path) in caught.value.explain().message
    assert caught.value.explain().hint


def test_two_thousand_million_layers_are_not_believed(tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "m.gguf", {"general.architecture": "llama", "llama.block_count": 2_000_000_000})
    with pytest.raises(CorruptGguf, match="2000000000 layers"):
        read_header(path)


def test_a_missing_file_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(FileUnreadable, match=r"nothing\.gguf"):
        read_header(tmp_path / "nothing.gguf")


@pytest.mark.skipif(sys.platform == "win32", reason="named pipes are files here only")
def test_a_pipe_that_nobody_writes_to_is_refused_instead_of_waited_for(tmp_path: Path) -> None:
    pipe = tmp_path / "model.gguf"
    os.mkfifo(pipe)
    with pytest.raises(FileUnreadable, match="pipe or a device"):
        read_header(pipe)


def test_a_name_in_the_file_neither_steers_the_terminal_nor_fills_it(tmp_path: Path) -> None:
    name = "\x1b[2J\u202e" + "x" * 60_000
    path = tmp_path / "model.gguf"
    path.write_bytes(_raw(0, 1, _key(name, 99, bytes(64))))
    with pytest.raises(CorruptGguf, match=r"x{200}") as caught:
        read_header(path)
    reason = str(caught.value.arguments["reason"])
    assert reason.isprintable()
    assert len(reason) < 400


def test_a_file_that_was_cut_off_names_the_tensor_that_is_incomplete(tmp_path: Path) -> None:
    metadata, tensors = dense_model()
    path = write_gguf(tmp_path / "m.gguf", metadata, tensors, missing=1000)
    with pytest.raises(TruncatedGguf, match=r"blk\.3\.ffn_down\.weight.* ends 1000 bytes beyond"):
        read_header(path)


def test_every_cut_of_a_header_is_refused() -> None:
    metadata, tensors = dense_model(n_layer=1)
    metadata["tokenizer.ggml.tokens"] = ["one", "two", "three"]
    whole = header_bytes(metadata, tensors)
    for length in range(len(whole)):
        with pytest.raises(GgufError):
            parse_header(io.BytesIO(whole[:length]), size=length, name="cut")


def _in_pieces(whole: bytes, length: int, *, size: int) -> GgufHeader | None:
    parser = HeaderParser(size=size, name="pieces")
    for begin in range(0, len(whole), length):
        if (header := parser.feed(whole[begin : begin + length])) is not None:
            return header
    return None


@pytest.mark.parametrize("length", [1, 7, 100, 4096])
def test_a_header_that_arrives_in_pieces_is_the_same(length: int) -> None:
    metadata, tensors = dense_model(n_layer=2)
    metadata["tokenizer.ggml.tokens"] = [f"word {index}" * (index % 5) for index in range(3000)]
    metadata["tokenizer.ggml.scores"] = [0.5] * 5000
    metadata["tokenizer.chat_template"] = "x" * 20_000
    whole = header_bytes(metadata, tensors)
    header = parse_header(io.BytesIO(whole), size=10**9, name="pieces")
    assert _in_pieces(whole, length, size=10**9) == header
    assert header.entries["tokenizer.ggml.tokens"][1] == header.entries["tokenizer.ggml.scores"][0]


def test_a_header_is_not_whole_before_its_last_byte_came() -> None:
    whole = header_bytes({"general.architecture": "llama", "tokenizer.ggml.scores": [0.5] * 5000})
    whole = whole[: struct.calcsize("<IQ") + whole.index(struct.pack("<IQ", 6, 5000)) + 4 * 5000]
    assert _in_pieces(whole[:-1], 1000, size=10**9) is None
    assert _in_pieces(whole, 1000, size=10**9) is not None


@pytest.mark.parametrize(
    ("came", "error"), [(b"", NotAGguf), (b"GG", NotAGguf), (b"GGUF", TruncatedGguf), (_raw(3, 3), TruncatedGguf)]
)
def test_pieces_that_end_too_early_are_refused(came: bytes, error: type[GgufError]) -> None:
    parser = HeaderParser(size=10**9, name="pieces")
    assert parser.feed(came) is None
    with pytest.raises(error):
        parser.end()


def test_random_damage_never_raises_anything_but_a_typed_error() -> None:
    metadata, tensors = dense_model(n_layer=1)
    whole = header_bytes(metadata, tensors)
    generator = random.Random(20)
    for _ in range(1500):
        damaged = bytearray(whole)
        for _ in range(generator.randint(1, 8)):
            damaged[generator.randrange(len(damaged))] = generator.randrange(256)
        try:
            header = parse_header(io.BytesIO(bytes(damaged)), size=10**9, name="damaged")
        except GgufError:
            continue
        assert 0 <= header.n_layer <= 512
        assert header.context_length >= 0
        assert len(header.per_layer("attention.head_count_kv")) == header.n_layer


def test_damage_is_refused_alike_whether_it_comes_at_once_or_in_pieces() -> None:
    metadata, tensors = dense_model(n_layer=1)
    metadata["tokenizer.ggml.tokens"] = [f"word {index}" for index in range(300)]
    whole = header_bytes(metadata, tensors)
    generator = random.Random(7)
    for _ in range(400):
        damaged = bytearray(whole)
        for _ in range(generator.randint(1, 4)):
            damaged[generator.randrange(len(damaged))] = generator.randrange(256)
        length = generator.randint(1, 600)
        outcomes = [_outcome(bytes(damaged), step) for step in (len(damaged), length)]
        assert outcomes[0] == outcomes[1], length


def _outcome(content: bytes, length: int) -> object:
    """The header that comes out, or the error in words."""
    parser = HeaderParser(size=10**9, name="damaged")
    try:
        for begin in range(0, len(content), length):
            if (header := parser.feed(content[begin : begin + length])) is not None:
                return repr(header)  # a figure may be NaN, which equals nothing
        parser.end()
    except GgufError as error:
        return type(error), str(error)


def test_what_was_written_is_read_back(tmp_path: Path) -> None:
    metadata, tensors = dense_model(n_layer=3)
    metadata["llama.attention.head_count_kv"] = [2, 0, 1]
    metadata["llama.scale"] = 0.5
    header = read_header(write_gguf(tmp_path / "m.gguf", metadata, tensors))
    assert header.architecture == "llama"
    assert header.n_layer == 3
    assert header.context_length == 4096
    assert header.vocab_size == 512
    assert header.per_layer("attention.head_count_kv") == (2, 0, 1)
    assert header.per_layer("attention.head_count") == (4, 4, 4)
    assert header.number("attention.head_count_kv") == 2
    assert header.value("scale") == 0.5
    assert [tensor.name for tensor in header.tensors] == [tensor.name for tensor in tensors]
    assert header.tensors[-1].layer == 2
    assert header.tensors[0].layer is None
    assert header.file_size == header.data_offset + sum(tensor.size for tensor in header.tensors)


def test_a_vocabulary_is_counted_and_read_only_when_asked_for(tmp_path: Path) -> None:
    words = [f"word {index}" * (index % 7) for index in range(30_000)] + ["x" * 3_000_000, "last"]
    metadata: Metadata = {"general.architecture": "llama", "tokenizer.ggml.tokens": words, "llama.after": 7}
    path = write_gguf(tmp_path / "m.gguf", metadata, [Tensor("t", (32,))])
    header = read_header(path)
    array = header.metadata["tokenizer.ggml.tokens"]
    assert isinstance(array, LazyArray)
    assert header.vocab_size == len(words)
    assert header.number("after") == 7
    assert read_texts(path, array, limit=10) == words[:10]
    assert read_texts(path, array, limit=10**9) == words


def test_a_count_that_is_not_a_number_is_nothing(tmp_path: Path) -> None:
    metadata: Metadata = {"general.architecture": "a", "a.context_length": float("nan"), "a.block_count": -5}
    header = read_header(write_gguf(tmp_path / "m.gguf", metadata))
    assert (header.context_length, header.n_layer) == (0, 0)


def test_the_starter_model_is_read_in_a_blink(starter_model: Path) -> None:
    header = read_header(starter_model)
    begin = time.thread_time()
    read_header(starter_model)
    assert time.thread_time() - begin < 0.25  # about 0.02 s
    assert (header.architecture, header.n_layer, header.vocab_size) == ("llama", 30, 49152)
    assert header.context_length == 8192
    assert header.weights == 134_515_008
    assert header.file_size == header.data_offset + sum(tensor.size for tensor in header.tensors)
