"""Texts to embed or to rank, as the tokens an embedding model reads."""

import re
from collections.abc import Sequence
from typing import Any

import llama_cpp.llama_cpp as llama

from desktop.engine.protocol import FailureKind
from desktop.runtime.failures import EngineError
from desktop.runtime.vocabulary import Vocabulary


class TextReader:
    """Turns texts into tokens as llama.cpp's server does. longest: tokens a text may have."""

    def __init__(self, model: Any, vocabulary: Vocabulary, *, longest: int) -> None:
        self._words, self.longest = vocabulary, longest
        raw: bytes | None = llama.llama_model_chat_template(model, b"rerank")
        self._template = raw.decode("utf-8", "replace") if raw else ""

    def to_embed(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the tokens of each text. Raises EngineError(CONTEXT_FULL | BAD_REQUEST)."""
        return [self._checked(self._words.tokenize(text, add_bos=True), index) for index, text in enumerate(texts)]

    def to_rank(self, query: str, documents: Sequence[str]) -> list[list[int]]:
        """Return the tokens of each document after the query. Raises EngineError(CONTEXT_FULL | BAD_REQUEST)."""
        if self._template:
            rows = [self._fill(query, document) for document in documents]
        else:
            asked = self._words.tokenize(query)
            rows = [self._join(asked, self._words.tokenize(document)) for document in documents]
        return [self._checked(row, index) for index, row in enumerate(rows)]

    def _join(self, query: list[int], document: list[int]) -> list[int]:
        """As format_prompt_rerank of tools/server/server-common.cpp: [BOS] query [EOS] [SEP] document [EOS]."""
        words = self._words
        end = [words.eos if words.eos >= 0 else words.sep] if words.adds_eos else []
        begin = [words.bos] if words.adds_bos else []
        return [*begin, *query, *end, *([words.sep] if words.adds_sep else []), *document, *end]

    def _fill(self, query: str, document: str) -> list[int]:
        """Fill the file's own template; what looks like a control token in a text stays text."""
        texts = {"{query}": query, "{document}": document}
        stretches: list[str] = [""]  # in turn: of the template and literal
        for piece in re.split(r"(\{query\}|\{document\})", self._template):
            first, *rest = self._cut(texts[piece]) if piece in texts else [piece]
            stretches[-1] += first
            stretches += rest
        tokens: list[int] = []
        for index, stretch in enumerate(stretches):
            tokens += self._words.tokenize(stretch, parse_special=index % 2 == 0)
        return tokens

    def _cut(self, text: str) -> list[str]:
        """Cut a text at control tokens; every second piece is one."""
        special = [one for one in self._words.special_texts if one in text]
        return re.split(f"({'|'.join(map(re.escape, special))})", text) if special else [text]

    def _checked(self, tokens: list[int], index: int) -> list[int]:
        if not tokens:
            raise EngineError(FailureKind.BAD_REQUEST, f"text {index + 1} is empty")
        if len(tokens) > self.longest:
            detail = f"text {index + 1} has {len(tokens)} tokens, a text may have {self.longest}"
            raise EngineError(FailureKind.CONTEXT_FULL, detail, needed=str(len(tokens)), available=str(self.longest))
        return tokens
