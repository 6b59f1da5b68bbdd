"""What a reader of replies needs of a vocabulary, for texts that no model wrote."""


class Characters:
    """A vocabulary of one text: its tokens are the places in it."""

    def __init__(self, text: str) -> None:
        self._text = text

    def piece(self, token: int) -> bytes:
        return self._text[token].encode()

    def tokenize(self, text: str, *, add_bos: bool = False, parse_special: bool = False) -> list[int]:
        return [0, 0]
