"""A stub says what the model says, but for its words, and takes no room."""

from pathlib import Path

import pytest

from desktop.gguf.errors import CorruptGguf
from desktop.gguf.header import read_header
from desktop.gguf.stub import stub_of_file
from tests.support.gguf_writer import dense_model, write_gguf
from tests.support.models.projectors import write_vision_projector


def test_the_starters_stub_is_small_and_says_the_same(starter_model: Path, tmp_path: Path) -> None:
    header = read_header(starter_model)
    stub = stub_of_file(starter_model, header)
    stub.write(tmp_path / "stub.gguf")
    again = read_header(tmp_path / "stub.gguf")
    assert again.tensors == header.tensors
    assert again.vocab_size == header.vocab_size > 0
    own = {key: value for key, value in header.metadata.items() if not key.startswith("tokenizer.")}
    added = {"tokenizer.ggml.model": "no_vocab", "llama.vocab_size": header.vocab_size}
    assert again.metadata == own | added
    assert len(stub.head) < 32_000
    assert (tmp_path / "stub.gguf").stat().st_blocks * 512 < 100_000
    assert stub.size - len(stub.head) == header.file_size - header.data_offset


def test_a_size_of_the_vocabulary_that_the_file_states_gives_way_to_the_words_it_has(tmp_path: Path) -> None:
    metadata, tensors = dense_model(vocab=300)
    metadata |= {"llama.vocab_size": 5, "tokenizer.ggml.tokens": [f"w{number}" for number in range(300)]}
    path = write_gguf(tmp_path / "m.gguf", metadata, tensors)
    header = read_header(path)
    stub_of_file(path, header).write(tmp_path / "stub.gguf")
    assert read_header(tmp_path / "stub.gguf").number("vocab_size") == 300


def test_the_parts_of_a_model_become_one(tmp_path: Path) -> None:
    metadata, tensors = dense_model(n_layer=4)
    half = len(tensors) // 2
    split = {"split.count": 2, "split.tensors.count": len(tensors)}
    first = write_gguf(tmp_path / "m-00001-of-00002.gguf", {**metadata, **split, "split.no": 0}, tensors[:half])
    second = write_gguf(tmp_path / "m-00002-of-00002.gguf", {"split.no": 1, "split.count": 2}, tensors[half:])
    header, other = read_header(first), read_header(second)
    stub_of_file(first, header, shards=(other,)).write(tmp_path / "stub.gguf")
    whole = read_header(tmp_path / "stub.gguf")
    assert [tensor.name for tensor in whole.tensors] == [tensor.name for tensor in tensors]
    assert not any(key.startswith("split.") for key in whole.metadata)


def test_a_projectors_stub_has_no_words_to_lose(tmp_path: Path) -> None:
    path = write_vision_projector(tmp_path)
    header = read_header(path)
    stub = stub_of_file(path, header)
    stub.write(tmp_path / "stub.gguf")
    again = read_header(tmp_path / "stub.gguf")
    assert (again.metadata, again.tensors) == (header.metadata, header.tensors)
    assert len(stub.head) == header.data_offset


@pytest.mark.parametrize("content", [b"", b"GGUF" + bytes(196), bytes(5_000)], ids=["empty", "cut", "overwritten"])
def test_a_file_that_changed_after_its_header_was_read_is_refused(tmp_path: Path, content: bytes) -> None:
    path = write_gguf(tmp_path / "m.gguf", *dense_model())
    header = read_header(path)
    path.write_bytes(content)
    with pytest.raises(CorruptGguf, match=r"m\.gguf is damaged: it was changed"):
        stub_of_file(path, header)
