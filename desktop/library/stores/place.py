"""What the stores need to know of the machine, and how they read other programs' settings."""

import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple, Self

import msgspec

from desktop.files import read_bounded
from desktop.library.types import Source
from desktop.library.walk import Walk

_MOST_SETTINGS = 4 << 20  # bytes of another program's settings


class Place(NamedTuple):
    """The person's home and environment. system: as sys.platform names it."""

    home: Path
    environment: Mapping[str, str]
    system: str = sys.platform

    @classmethod
    def here(cls) -> Self:
        """The person who runs this process."""
        return cls(Path(os.path.expanduser("~")), os.environ)  # noqa: PTH111 - Path.home raises where nobody knows

    def folder(self, variable: str) -> Path | None:
        """Return the folder a variable names; None where it is unset, or means no one place."""
        path = Path(os.path.expandvars(self.environment.get(variable, "").strip("\"' ")))
        if path.parts[:1] == ("~",):
            path = self.home.joinpath(*path.parts[1:])
        return path if path.is_absolute() else None

    @property
    def application_data(self) -> Path:
        """Where programs keep the data that follows the person (dirs::data_dir of Rust's `dirs`)."""
        if self.system == "win32":
            return self.folder("APPDATA") or self.home / "AppData" / "Roaming"
        if self.system == "darwin":
            return self.home / "Library" / "Application Support"
        return self.folder("XDG_DATA_HOME") or self.home / ".local" / "share"

    @property
    def local_data(self) -> Path:
        """Where programs keep the data of this machine (AppLocalDataLocation of Qt, without the program)."""
        if self.system == "win32":
            return self.folder("LOCALAPPDATA") or self.home / "AppData" / "Local"
        return self.application_data


class Origin(NamedTuple):
    """What the place of a file tells. short: a name nobody else has, as its program calls it; "" where it does not.

    name: for people. model_id: owner/repo where it is known. repo, file, revision: where on the Hub it comes from, as
    far as the place tells. sha256: what the store says of the content, "" if nothing. file_name: what the file is
    called where its own name says nothing, such as a checksum.
    """

    short: str = ""
    name: str = ""
    model_id: str = ""
    repo: str = ""
    file: str = ""
    revision: str = ""
    sha256: str = ""
    file_name: str = ""


class Candidate(NamedTuple):
    """A file that may be a model, and what its place says of it."""

    path: Path
    origin: Origin


class Store:
    """Models of a program, or of the person's folders (scan.py). A subclass says where, and what a path there means."""

    source: Source

    def roots(self, place: Place) -> tuple[Path, ...]:
        """Return the folders where another program's models may be, there or not."""
        raise NotImplementedError

    def candidates(self, root: Path, walk: Walk) -> Iterator[Candidate]:
        """Yield what is below `root`. Raises OSError when that cannot be read, and Stopped."""
        for path in walk.files(root):
            yield Candidate(path, self.origin(root, path))

    def origin(self, root: Path, path: Path) -> Origin:
        """Say what the place of a file tells."""
        return Origin()


def read_json(path: Path) -> dict[str, object]:
    """Return another program's JSON object; empty where there is none, or it is none."""
    try:
        value = msgspec.json.decode(read_bounded(path, most=_MOST_SETTINGS))
    except (OSError, ValueError, RecursionError):  # not installed, or no JSON: then its usual folders are looked at
        return {}
    return value if isinstance(value, dict) else {}


def read_text(path: Path) -> str:
    """Return another program's short text file; empty where there is none."""
    try:
        return read_bounded(path, most=_MOST_SETTINGS).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError):
        return ""


def folder_named(text: object) -> Path | None:
    """Return the folder that another program's settings name; None where that is no full path."""
    if not isinstance(text, str) or "\0" in text or not text.strip():
        return None
    path = Path(text.strip())
    return path if path.is_absolute() else None


def distinct(*folders: Path | None) -> tuple[Path, ...]:
    """Return the folders that are known, each once, in their order."""
    return tuple(dict.fromkeys(folder for folder in folders if folder is not None))
