"""Text to tokens and back, over the vocabulary of a loaded model."""

import codecs
import ctypes
import functools
from collections.abc import Iterator
from typing import Any

import llama_cpp.llama_cpp as llama

# enum llama_token_attr: what the tokenizer recognises in text only when special tokens are parsed.
_UNKNOWN, _CONTROL = 1 << 0, 1 << 3
_STRIPS = 1 << 7 | 1 << 8
_SPELL_EVERYTHING = (1, 2)  # enum llama_vocab_type: SPM and BPE, both of bytes
_LONGEST_CHARACTER = 4  # one that is in no vocabulary may become one unknown token


class Vocabulary:
    """The tokenizer of one model. Not for use after the model is freed."""

    def __init__(self, model: Any) -> None:
        self._vocab = llama.llama_model_get_vocab(model)
        self._pieces: dict[int, bytes] = {}
        self._written: dict[int, bytes] = {}
        self._ends: dict[int, bool] = {}
        self._spellings: dict[int, bytes | None] = {}
        self.size: int = llama.llama_vocab_n_tokens(self._vocab)
        self.adds_bos: bool = llama.llama_vocab_get_add_bos(self._vocab)
        self.adds_eos: bool = llama.llama_vocab_get_add_eos(self._vocab)
        self.adds_sep: bool = llama.llama_vocab_get_add_sep(self._vocab)
        # Tokens of their own; -1 where the vocabulary has none.
        self.bos: int = llama.llama_vocab_bos(self._vocab)
        self.eos: int = llama.llama_vocab_eos(self._vocab)
        self.sep: int = llama.llama_vocab_sep(self._vocab)
        # What stands before a text with a gap, before what follows the gap, and where the reply that fills it begins.
        self.infill_marks: tuple[int, int, int] = (
            llama.llama_vocab_fim_pre(self._vocab),
            llama.llama_vocab_fim_suf(self._vocab),
            llama.llama_vocab_fim_mid(self._vocab),
        )
        self.kind: int = llama.llama_vocab_type(self._vocab)  # enum llama_vocab_type of llama.h

    @functools.cached_property
    def special_texts(self) -> tuple[str, ...]:
        """The texts that are control tokens when special tokens are parsed ("<|im_end|>"), longest first."""
        special = (
            self.text(token)
            for token in range(self.size)
            if llama.llama_vocab_get_attr(self._vocab, token) & (_CONTROL | _UNKNOWN)
        )
        return tuple(sorted(filter(None, special), key=len, reverse=True))

    @functools.cached_property
    def bos_text(self) -> str:
        """The begin-of-sequence token as templates write it; empty where there is none."""
        return self.text(self.bos)

    @functools.cached_property
    def eos_text(self) -> str:
        """The end-of-sequence token as templates write it; empty where there is none."""
        return self.text(self.eos)

    @property
    def handle(self) -> Any:
        """The engine's own vocabulary, for its samplers."""
        return self._vocab

    @functools.cached_property
    def end_tokens(self) -> tuple[int, ...]:
        """The tokens with which the model says that it has finished."""
        return tuple(filter(self.ends_generation, range(self.size)))

    @functools.cached_property
    def suppressed_tokens(self) -> tuple[int, ...]:
        """The tokens that the model's file says it must never choose."""
        count = ctypes.c_int32(0)
        tokens = llama.llama_vocab_get_suppress_tokens(self._vocab, ctypes.byref(count))
        return tuple(tokens[: count.value]) if count.value else ()

    @functools.cached_property
    def longest_token(self) -> int:
        """Bytes of text that one token stands for at most; 0 where that cannot be said.

        Only vocabularies of these kinds spell every byte of a text; others normalise it first. A token that strips the
        white space around it stands for any length of it. Read without keeping anything: 50 ms for 50,000 tokens.
        """
        attributes = (llama.llama_vocab_get_attr(self._vocab, token) for token in range(self.size))
        if self.kind not in _SPELL_EVERYTHING or any(attribute & _STRIPS for attribute in attributes):
            return 0
        special = max((len(text.encode()) for text in self.special_texts), default=0)
        return max(_LONGEST_CHARACTER, special, *map(len, self.all_pieces()))

    def token_named(self, text: str) -> int | None:
        """The one token that `text` is, control tokens included ("<|im_end|>"); None where it is not one."""
        tokens = self.tokenize(text, parse_special=True)
        return tokens[0] if len(tokens) == 1 else None

    def text(self, token: int) -> str:
        """A token as the vocabulary lists it; "" for none."""
        if token < 0:
            return ""
        text: bytes = llama.llama_vocab_get_text(self._vocab, token) or b""
        return text.decode("utf-8", "replace")

    def tokenize(self, text: str, *, add_bos: bool = False, parse_special: bool = False) -> list[int]:
        """Return the tokens of `text`; control tokens in it are recognised only with `parse_special`."""
        raw = text.encode("utf-8", "replace")
        room = len(raw) + 8
        while True:
            tokens = (ctypes.c_int32 * room)()
            count = llama.llama_tokenize(self._vocab, raw, len(raw), tokens, room, add_bos, parse_special)
            if count >= 0:
                return list(tokens[:count])
            room = -count

    def piece(self, token: int) -> bytes:
        """The bytes a token adds to the text; nothing for control tokens."""
        piece = self._pieces.get(token)
        if piece is None:
            piece = self._pieces[token] = self._read_piece(token)
        return piece

    def written(self, token: int) -> bytes:
        """The bytes of a token where control tokens are written out ("<|im_end|>"). Not for what is no token."""
        written = self._written.get(token)
        if written is None:
            written = self._written[token] = self._read_piece(token, special=True)
        return written

    def all_pieces(self) -> Iterator[bytes]:
        """The bytes of each token in order, read without keeping them: 50 ms for 50,000."""
        room = 256
        buffer = ctypes.create_string_buffer(room)
        for token in range(self.size):
            count = llama.llama_token_to_piece(self._vocab, token, buffer, room, 0, False)
            yield self._read_piece(token) if count < 0 else ctypes.string_at(buffer, count)

    def _read_piece(self, token: int, *, special: bool = False) -> bytes:
        room = 64
        while True:
            buffer = ctypes.create_string_buffer(room)
            count: int = llama.llama_token_to_piece(self._vocab, token, buffer, room, 0, special)
            if count >= 0:
                return buffer.raw[:count]
            room = -count

    def spelling(self, token: int) -> bytes | None:
        """The bytes a token stands for in a prompt; None for one that is no text (a control token, or not one)."""
        if token not in self._spellings:
            control = token < 0 or llama.llama_vocab_is_control(self._vocab, token) or self.ends_generation(token)
            self._spellings[token] = None if control else self.piece(token)
        return self._spellings[token]

    def ends_generation(self, token: int) -> bool:
        """Whether the model says with this token that it has finished."""
        ends = self._ends.get(token)
        if ends is None:
            ends = self._ends[token] = bool(llama.llama_vocab_is_eog(self._vocab, token))
        return ends


class TextDecoder:
    """Bytes of tokens to text: holds back an unfinished UTF-8 sequence until the token that ends it."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def feed(self, piece: bytes) -> str:
        """Return the text that is whole by now."""
        return self._decoder.decode(piece)

    def finish(self) -> str:
        """Return what is left; a sequence that never ended becomes a replacement character."""
        return self._decoder.decode(b"", final=True)
