"""Turns a JSON schema into a grammar, so that a reply can be nothing but JSON that the schema accepts.

What a grammar can keep is kept; what it cannot ("uniqueItems", "not", ...) is refused with its name, never dropped in
silence. Where a schema leaves things open, the grammar may be narrower: required properties come first, objects that
declare properties get no others unless the schema asks for them, "oneOf" is read as "anyOf". References outside the
schema are refused: nothing is fetched.
"""

import json
from typing import Any

from desktop.runtime.sampling.grammar.elements import refused
from desktop.runtime.sampling.schema.converter import Converter

MAX_TEXT = 256 * 1024
"""Characters of a schema."""


def schema_to_grammar(text: str) -> str:
    """Return the GBNF grammar of a JSON schema. Raises EngineError(BAD_GRAMMAR)."""
    if len(text) > MAX_TEXT:
        raise refused(f"the JSON schema has {len(text)} characters, {MAX_TEXT} are the most")
    try:
        schema: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise refused(f"the JSON schema is not JSON: {error}") from error
    return Converter(schema).grammar()
