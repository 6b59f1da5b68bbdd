"""The JSON schema of models.json, made from the types that read it.

`python -m desktop.catalog.schema` writes resources/models.schema.json; a test fails while that file is not current.
"""

import inspect
import json
import sys
from pathlib import Path
from typing import Any, Literal

import msgspec

from desktop.catalog.types import CatalogModel


class CatalogFile(msgspec.Struct, forbid_unknown_fields=True):
    """The curated catalog of Snug, models.json: see docs/catalog.md.

    format: 1.
    models: the entries, in the order in which they are listed.
    """

    format: Literal[1]
    models: tuple[CatalogModel, ...]


def catalog_schema() -> dict[str, Any]:
    """Return the schema (JSON Schema 2020-12), with the descriptions of the types."""
    schema = msgspec.json.schema(CatalogFile)
    for definition in schema["$defs"].values():
        # Python 3.13 takes the indentation out of docstrings, older ones do not.
        definition["description"] = inspect.cleandoc(definition["description"])
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "models.json", **schema}


def schema_text() -> str:
    """Return the schema as it stands in resources/models.schema.json."""
    return json.dumps(catalog_schema(), indent=2, ensure_ascii=False, sort_keys=True) + "\n"


def write_schema(path: Path) -> None:
    """Write the schema to `path`. Raises OSError."""
    path.write_text(schema_text(), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    checkout = Path(__file__).resolve().parent.parent.parent
    write_schema(checkout / "resources" / "models.schema.json")
    sys.exit(0)
