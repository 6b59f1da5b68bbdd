"""Names that come from outside (the Hub, a catalog, a person): what they tell, and that they stay in the models folder.

Refused on every system, so that a folder can be moved from one to another: `..`, absolute paths, drive letters, UNC,
device names of Windows (with or without an extension), control characters, also those that turn the direction of
writing, and names that Windows changes silently.
"""

import re

from desktop.errors import QT_TRANSLATE_NOOP, AppError
from desktop.gguf.shards import parse_shard_name

SHA256 = re.compile(r"[0-9a-f]{64}")
"""As Git LFS writes the checksum of a content."""

COMMIT = re.compile(r"[0-9a-f]{40}")
"""A commit of a repository."""

LONGEST_PART = 200
"""Bytes of one part of a path: 255 on every common file system, less what a download appends."""

_REPO = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", re.ASCII)
_REVISION = re.compile(r"[A-Za-z0-9][\w./-]*", re.ASCII)
# Microsoft, "Naming Files, Paths, and Namespaces": reserved also with an extension.
_PORTS = tuple(f"{port}{digit}" for port in ("COM", "LPT") for digit in "0123456789¹²³")
_DEVICES = frozenset(["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$", *_PORTS])
# The last ones turn the direction of writing, so that a name is read as another.
_FORBIDDEN = re.compile(r'[\x00-\x1f\x7f-\x9f<>:"\\|?*\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]')

_REPO_ENDING = re.compile(r"(?<=.)[-_.]gguf$", re.IGNORECASE)
_FILE_ENDING = re.compile(r"(?:-\d{5}-of-\d{5})?\.gguf$|-\d{5}-of-\d{5}$", re.IGNORECASE)
# The name of a quantization at the end of a file's name: model-Q4_K_M.gguf, model.IQ2_XXS.gguf, model-UD-Q4_K_XL.gguf.
_FILE_QUANTIZATION = re.compile(
    r"(?:^|[-._])(?P<name>(?:IQ|Q|TQ)\d(?:_[A-Z0-9]+)*|BF16|F16|F32|MXFP4(?:_MOE)?)$", re.IGNORECASE
)


class UnsafeName(AppError):
    """A name from outside could lead to another place than the models folder."""

    message = QT_TRANSLATE_NOOP("core", 'The name "{name}" is not safe to use as a file name.')
    hint = QT_TRANSLATE_NOOP("core", "Choose another file or another source. Nothing was written.")


def check_repo(repo: str) -> str:
    """Return `repo` ("owner/name"); raises UnsafeName."""
    if not _REPO.fullmatch(repo) or ".." in repo or "--" in repo or not all(map(_is_safe_part, repo.split("/"))):
        raise UnsafeName(name=printable(repo))
    return repo


def check_file(file: str) -> str:
    """Return `file`, a relative path with forward slashes; raises UnsafeName."""
    if not file or not all(map(_is_safe_part, file.split("/"))):
        raise UnsafeName(name=printable(file))
    return file


def check_revision(revision: str) -> str:
    """Return `revision`, a branch, tag or commit; raises UnsafeName."""
    if not _REVISION.fullmatch(revision) or ".." in revision:
        raise UnsafeName(name=printable(revision))
    return revision


def quantization_of(file_name: str) -> str:
    """Return the quantization a file's name ends with, "" when it names none."""
    stem = _FILE_ENDING.sub("", file_name.rsplit("/", 1)[-1])
    match = _FILE_QUANTIZATION.search(stem)
    return match["name"].upper() if match else ""


def model_name_of(repo: str) -> str:
    """Return what people call the model of `repo` ("owner/Qwen3-8B-GGUF" has "Qwen3-8B")."""
    return _REPO_ENDING.sub("", repo.rsplit("/", 1)[-1])


def own_name(file: str) -> str:
    """Return the name of a model's file without folder, ending and number of a shard."""
    return own_path(file).rpartition("/")[2]


def own_path(file: str) -> str:
    """Return the path of a model's file without ending and number of a shard."""
    folder, slash, name = file.rpartition("/")
    shard = parse_shard_name(name)
    return folder + slash + (name[: -len(".gguf")] if shard is None else shard.stem)


def is_projector(file_name: str) -> bool:
    """Tell whether a file's name is that of a projector, the eyes or ears of a model."""
    return "mmproj" in file_name.rsplit("/", 1)[-1].lower()


def printable(text: str) -> str:
    """Return `text` short enough and clean enough to be shown and logged."""
    text = text[:200]
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)


def _is_safe_part(part: str) -> bool:
    if part in ("", ".", "..") or part[-1] in ". " or part[0] == " " or _FORBIDDEN.search(part):
        return False
    if part.split(".", maxsplit=1)[0].rstrip().upper() in _DEVICES:
        return False
    try:
        return len(part.encode()) <= LONGEST_PART
    except UnicodeEncodeError:  # a lone surrogate
        return False
