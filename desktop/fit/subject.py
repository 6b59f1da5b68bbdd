"""The model that is asked about: its header, and where its file is."""

from pathlib import Path

import msgspec

from desktop.errors import Phrase
from desktop.gguf.header import GgufHeader
from desktop.gguf.stub import Stub


class FitSubject(msgspec.Struct, frozen=True, kw_only=True):
    """The model that is asked about.

    path: of its file, or its name on the Hub. shards: headers of its other parts. stub: where its file is not on this
    disk. fetched: bytes that came over the network for this. remarks: what a person should know of where this is from.
    """

    path: Path
    name: str
    quantization: str
    header: GgufHeader
    shards: tuple[GgufHeader, ...] = ()
    stub: Stub | None = None
    repo: str = ""
    file: str = ""
    revision: str = ""
    fetched: int = 0
    remarks: tuple[Phrase, ...] = ()
