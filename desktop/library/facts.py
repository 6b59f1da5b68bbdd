"""What the header of a file on this disk says about the model in it. Everything here blocks."""

import logging
from pathlib import Path
from typing import Literal

import msgspec

from desktop.catalog.file_names import is_projector, quantization_of
from desktop.database import clean_text
from desktop.gguf.errors import CorruptGguf, GgufError, NotAGguf, TruncatedGguf, UnsupportedGguf
from desktop.gguf.header import GgufHeader, read_header
from desktop.gguf.shards import all_shards

FileKind = Literal["model", "projector", "other"]
"""A model to chat with or to embed with; the eyes or ears of one (mmproj); adapters, bare vocabularies and the like."""

FileProblem = Literal["", "truncated", "damaged"]

_LONGEST_NAME = 200
_PROJECTORS = ("clip",)  # general.architecture of what convert_hf_to_gguf.py --mmproj writes
_OTHERS = ("adapter", "vocab", "imatrix", "mmproj")  # general.type, docs/gguf.md of ggml
# general.file_type, enum llama_ftype of llama.h: for names that do not tell, such as Ollama's.
_FILE_TYPES = {
    0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 7: "Q8_0", 8: "Q5_0", 9: "Q5_1", 10: "Q2_K", 11: "Q3_K_S", 12: "Q3_K_M",
    13: "Q3_K_L", 14: "Q4_K_S", 15: "Q4_K_M", 16: "Q5_K_S", 17: "Q5_K_M", 18: "Q6_K", 19: "IQ2_XXS", 20: "IQ2_XS",
    21: "Q2_K_S", 22: "IQ3_XS", 23: "IQ3_XXS", 24: "IQ1_S", 25: "IQ4_NL", 26: "IQ3_S", 27: "IQ3_M", 28: "IQ2_S",
    29: "IQ2_M", 30: "IQ4_XS", 31: "IQ1_M", 32: "BF16", 36: "TQ1_0", 37: "TQ2_0", 38: "MXFP4_MOE",
}  # fmt: skip
_log = logging.getLogger(__name__)


class FileFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What a header says. name: "" where it has none. context: tokens, 0 likewise. problem: why it cannot be used."""

    kind: FileKind = "model"
    name: str = ""
    quantization: str = ""
    architecture: str = ""
    context: int = 0
    licence: str = ""
    problem: FileProblem = ""


def read_facts(path: Path, *, file_name: str = "") -> FileFacts | None:
    """Read what `path` says of itself; None when it is no GGUF at all.

    file_name: what the file is called where its own name is a checksum. Raises FileUnreadable.
    """
    file_name = file_name or path.name
    try:
        header = read_whole_header(path)
    except NotAGguf:
        return None
    except TruncatedGguf as error:
        return _broken(file_name, "truncated", error)
    except (CorruptGguf, UnsupportedGguf) as error:
        return _broken(file_name, "damaged", error)
    return FileFacts(
        kind=kind_of(header, file_name),
        name=line_of(header.text("general.name")),
        quantization=quantization_of(file_name) or _stated(header),
        architecture=line_of(header.architecture),
        context=max(0, min(header.context_length, 2**53)),
        licence=line_of(header.text("general.license")),
    )


def read_whole_header(path: Path) -> GgufHeader:
    """Read the header of a model whose first file is `path`, with the tensors of all its files.

    Raises as read_header; CorruptGguf also where a file of several is the part of another, as its own header says.
    """
    shards = all_shards(path)
    headers = [read_header(shard) for shard in shards]
    tensors = tuple(tensor for header in headers for tensor in header.tensors)
    # Written by llama-gguf-split; llama.cpp loads nothing that differs.
    for index, (shard, header) in enumerate(zip(shards, headers, strict=True) if len(shards) > 1 else ()):
        for key, found in (("split.no", index), ("split.count", len(shards)), ("split.tensors.count", len(tensors))):
            if (stated := header.metadata.get(key, found)) != found:
                raise CorruptGguf(path=str(shard), reason=f"its {key} is {stated}, beside its other files {found}")
    return msgspec.structs.replace(headers[0], tensors=tensors)


def kind_of(header: GgufHeader, file_name: str) -> FileKind:
    """Say what the file is for. The header decides; the name only where it is that of a projector."""
    stated = header.text("general.type")
    if header.architecture in _PROJECTORS or stated == "mmproj" or is_projector(file_name):
        return "projector"
    if stated in _OTHERS or not header.tensors:
        return "other"
    return "model"


def _stated(header: GgufHeader) -> str:
    value = header.metadata.get("general.file_type")
    return _FILE_TYPES.get(value, "") if isinstance(value, int) else ""


def _broken(file_name: str, problem: FileProblem, error: GgufError) -> FileFacts:
    _log.info("%s", error)
    kind: FileKind = "projector" if is_projector(file_name) else "model"
    return FileFacts(kind=kind, quantization=quantization_of(file_name), problem=problem)


def line_of(text: str) -> str:
    """Return one line that a database and a list can hold; what is in a file, or its name, comes from anybody."""
    printed = "".join(sign if sign.isprintable() else " " for sign in clean_text(text))
    return " ".join(printed.split())[:_LONGEST_NAME]
