"""Whether a model's file is still what the library knows: told without reading it, noted by whoever has read it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from desktop.database import Database
from desktop.errors import AppError
from desktop.library.errors import (
    ModelFileChanged,
    ModelFileDamaged,
    ModelFileGone,
    ModelFileIsFolder,
    ModelFileTruncated,
)
from desktop.library.facts import FileProblem
from desktop.library.types import Condition, InstalledModel
from desktop.library.walk import FileStamp, absent_file, stamp_of

_ERRORS: Final[dict[Condition, type[AppError]]] = {
    "gone": ModelFileGone,
    "folder": ModelFileIsFolder,
    "changed": ModelFileChanged,
    "truncated": ModelFileTruncated,
    "damaged": ModelFileDamaged,
}


def condition_of(path: Path, known: FileStamp, problem: FileProblem = "") -> Condition:
    """Compare the files with what was known of them; `known.times` of 0 says nothing of when they changed.

    problem: what was wrong with them when they were read.
    """
    try:
        now = stamp_of(path)
    except IsADirectoryError:
        return "folder"
    except OSError:
        return "gone"
    if now.size == known.size and known.times in (0, now.times):
        return problem or "ready"
    return "truncated" if now.size < known.size else "changed"


def model_of(row: Mapping[str, Any]) -> InstalledModel:
    """Return the model that a row of `models` or `found` describes, in the condition in which its file is now."""
    values = {name: row[name] for name in InstalledModel.__struct_fields__ if name in row}
    path, known = Path(row["path"]), FileStamp(row["size"], row["stamp"])
    condition = condition_of(path, known, row["problem"])
    absent = absent_file(path) if condition == "gone" else None
    return InstalledModel(**values, condition=condition, absent=str(absent or ""))


def judge(database: Database, path: str, stamp: FileStamp, problem: FileProblem) -> None:
    """Note in each row of a file what somebody found who has read all of it when it looked like `stamp`."""
    with database.transaction():
        for table in ("models", "found"):
            sql = f"UPDATE {table} SET size = ?, stamp = ?, problem = ? WHERE path = ?"  # noqa: S608 - constants
            database.execute(sql, (stamp.size, stamp.times, problem, path))


def check_ready(model: InstalledModel) -> InstalledModel:
    """Return a model that can be loaded.

    Raises ModelFileGone (and ModelFileIsFolder), ModelFileChanged, ModelFileTruncated and ModelFileDamaged.
    """
    if not model.is_ready:
        raise _ERRORS[model.condition](model=model.name, path=model.absent or model.path)
    return model


def check_there(model: InstalledModel) -> Path:
    """Return the path of a model whose files are there, whatever is in them.

    Raises ModelFileGone and ModelFileIsFolder.
    """
    path = Path(model.path)
    try:
        stamp_of(path)
    except IsADirectoryError as error:
        raise ModelFileIsFolder(model=model.name, path=model.path, detail=error) from error
    except OSError as error:
        raise ModelFileGone(model=model.name, path=str(absent_file(path) or path), detail=error) from error
    return path
