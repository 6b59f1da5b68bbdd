"""What stands inside a tool call, in the many ways that model families write it; nothing here keeps a state.

The shapes are those of llama.cpp's common/chat*.cpp and common/parsers, at the version of the engine.
"""

import ast
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, NoReturn

import msgspec

from desktop.engine.protocol import Tool


class Call(NamedTuple):
    """A call of a tool; `arguments` is the text of a JSON object."""

    name: str
    arguments: str


class Signatures:
    """What is known of the tools: their names and the types of their parameters. Empty: nothing is known."""

    def __init__(self, tools: Sequence[Tool] = ()) -> None:
        self._properties = {tool.name: _properties(tool.parameters) for tool in tools}

    def may_be(self, name: str) -> bool:
        """Whether `name` can be a tool."""
        return not self._properties or name in self._properties

    def types(self, name: str, parameter: str) -> frozenset[str]:
        """The JSON types that a parameter may have; empty where nothing is known."""
        return _types(self._properties.get(name, {}).get(parameter))


def _properties(parameters: str) -> Mapping[str, Any]:
    try:
        schema = json.loads(parameters or "{}")
    except (ValueError, RecursionError):
        return {}  # rendering the prompt has refused it already
    found = schema.get("properties") if isinstance(schema, dict) else None
    return found if isinstance(found, dict) else {}


def _types(schema: Any) -> frozenset[str]:
    if not isinstance(schema, dict):
        return frozenset()
    told = schema.get("type", ())
    types = {told} if isinstance(told, str) else {kind for kind in told if isinstance(kind, str)}
    for branch in (*schema.get("anyOf", ()), *schema.get("oneOf", ())):
        types |= _types(branch)
    if not types and isinstance(schema.get("enum"), list):
        types = {_type_of(value) for value in schema["enum"]}
    return frozenset(types)


def _type_of(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    names = ((str, "string"), (int, "integer"), (float, "number"), (list, "array"), (dict, "object"))
    return next((name for kind, name in names if isinstance(value, kind)), "null")


def read_json(text: str) -> Any:
    """Parse strict JSON. Raises ValueError."""
    try:
        return json.loads(text, parse_constant=_refuse)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def is_object(text: str) -> bool:
    """Whether a text is a JSON object, as the arguments of a call are."""
    try:
        return isinstance(read_json(text), dict)
    except ValueError:
        return False


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")


def write_json(value: Any) -> str:
    """The text of a value, which UTF-8 can write: half a surrogate pair stays the escape that it was."""
    text = json.dumps(value, ensure_ascii=False)
    return text if _is_writable(text) else json.dumps(value)


def read_name(raw: str) -> str:
    """The name in a JSON string, without its quotation marks; "" where it is none."""
    try:
        name = str(read_json(f'"{raw}"'))
    except ValueError:
        return ""
    return name if _is_writable(name) else ""


def same_arguments(told: str, read: str) -> bool:
    """Whether two texts are the same arguments but for the way they are written."""
    if told == read:
        return True
    try:
        return write_json(read_json(told)) == write_json(read_json(read))
    except ValueError:
        return False


def _is_writable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


# ---- calls written as JSON


def calls_of(values: Sequence[Any], signatures: Signatures, *, strict: bool) -> list[Call] | None:
    """The calls in JSON values or lists of them; None where one is no call. strict: of a known tool, with arguments."""
    calls: list[Call] = []
    for value in values:
        for item in value if isinstance(value, list) else [value]:
            call = _call_of(item)
            if call is None or (strict and not (signatures.may_be(call.name) and _has_arguments(item))):
                return None
            calls.append(call)
    return calls


NAMES = ("name", "tool_name", "function")
ARGUMENTS = ("arguments", "parameters", "args")


def _has_arguments(item: Any) -> bool:
    inner = item.get("function")
    return any(key in item or (isinstance(inner, dict) and key in inner) for key in ARGUMENTS)


def _call_of(item: Any) -> Call | None:
    arguments: Any
    if not isinstance(item, dict):
        return None
    if isinstance(item.get("function"), dict):
        item = item["function"]
    name = next((item[key] for key in NAMES if isinstance(item.get(key), str)), None)
    if name:
        arguments = next((item[key] for key in ARGUMENTS if key in item), {})
    elif len(item) == 1:  # {"name": {arguments}}, as Apertus has it
        name, arguments = next(iter(item.items()))
    else:
        return None
    return _with_object(name, arguments)


def _with_object(name: str, arguments: Any) -> Call | None:
    if isinstance(arguments, str):  # some models encode it twice
        try:
            arguments = read_json(arguments or "{}")
        except ValueError:
            return None
    if arguments is None:
        arguments = {}
    return Call(name, write_json(arguments)) if name and _is_writable(name) and isinstance(arguments, dict) else None


# ---- calls written as tags

# <function=f>, <function name="f">, <invoke name="f">, also with DeepSeek's and Muse's prefixes
_TAGGED_CALL = re.compile(
    r"\s*<(?P<prefix>｜DSML｜|atem:)?(?P<tag>function|invoke)(?:=| name=)\"?(?P<name>[^\">\s]+)\"?\s*>"
    r"(?P<body>.*?)</(?P=prefix)?(?P=tag)>\s*".replace("(?P=prefix)?", "(?:｜DSML｜|atem:)?"),
    re.DOTALL,
)
_TAGGED_ARGUMENT = re.compile(
    r"<(?:｜DSML｜|atem:)?(?P<tag>param(?:eter)?)(?:=| name=)\"?(?P<key>[^\">]+?)\"?"
    r"(?: string=\"(?P<string>true|false)\")?\s*>(?P<value>.*?)</(?:｜DSML｜|atem:)?(?P=tag)>",
    re.DOTALL,
)
_NAMED_BY_KEYS = re.compile(
    r"\s*(?P<name>[^\s<{]+)\s*(?:<tool_sep(?::\w+)?>)?\s*(?P<body>(?:<arg_key.*)?)\Z", re.DOTALL
)
_KEYED_ARGUMENT = re.compile(
    r"\s*<arg_key(?::\w+)?>(?P<key>.*?)</arg_key(?::\w+)?>\s*<arg_value(?::\w+)?>(?P<value>.*?)</arg_value(?::\w+)?>\s*",
    re.DOTALL,
)


def read_tagged(body: str, signatures: Signatures) -> list[Call] | None:
    """<function=f><parameter=a>1</parameter></function> and its relatives; None where something else is between."""
    calls: list[Call] = []
    place = 0
    while match := _TAGGED_CALL.match(body, place):
        arguments: dict[str, Any] = {}
        for argument in _TAGGED_ARGUMENT.finditer(match["body"]):
            types = {"true": frozenset({"string"}), "false": frozenset[str]()}.get(
                argument["string"] or "", signatures.types(match["name"], argument["key"])
            )
            arguments[argument["key"]] = _value(argument["value"], types)
        if _TAGGED_ARGUMENT.sub("", match["body"]).strip():
            return None
        calls.append(Call(match["name"], write_json(arguments)))
        place = match.end()
    return calls if calls and not body[place:].strip() else None


def read_keyed(body: str, signatures: Signatures) -> list[Call] | None:
    """GLM's name<arg_key>a</arg_key><arg_value>1</arg_value>."""
    match = _NAMED_BY_KEYS.match(body)
    if match is None:
        return None
    pairs = list(_KEYED_ARGUMENT.finditer(match["body"]))
    if "".join(pair[0] for pair in pairs) != match["body"]:
        return None
    name = match["name"]
    return [Call(name, write_json({p["key"]: _value(p["value"], signatures.types(name, p["key"])) for p in pairs}))]


def _value(text: str, types: frozenset[str]) -> Any:
    """A value that was written without quotes: what its type says, else JSON where it is some, else text."""
    text = text.removeprefix("\n").removesuffix("\n")
    if types == {"string"}:
        return text
    try:
        value = read_json(text)
    except ValueError:
        return text
    if "string" in types and _type_of(value) not in types:
        return text
    return value


# ---- calls written as in Python, and Gemma 4's own notation


def read_python(body: str, _signatures: Signatures) -> list[Call] | None:
    """[f(a=1), g(b="x")], as LFM2 and Llama write it."""
    try:
        tree = ast.parse(body.strip(), mode="eval").body
        return [_python_call(node) for node in (tree.elts if isinstance(tree, ast.List) else [tree])]
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


_CONSTANTS = {"true": True, "false": False, "null": None}


class _Constants(ast.NodeTransformer):
    """JSON's true, false and null, as models mix them in."""

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return ast.Constant(_CONSTANTS[node.id]) if node.id in _CONSTANTS else node


def _python_call(node: ast.AST) -> Call:
    if not isinstance(node, ast.Call) or node.args:
        raise ValueError("not a call with named arguments")
    arguments = {keyword.arg: ast.literal_eval(_Constants().visit(keyword.value)) for keyword in node.keywords}
    name = ast.unparse(node.func)
    if None in arguments or not re.fullmatch(r"[\w.]+", name):
        raise ValueError("arguments or a function without a name")
    try:
        return Call(name, json.dumps(arguments, ensure_ascii=False, allow_nan=False))
    except TypeError as error:
        raise ValueError("a value that JSON does not have") from error


_GEMMA_TOKEN = re.compile(r'<\|"\|>(?P<text>.*?)<\|"\|>|(?P<mark>[{}\[\],:])|(?P<bare>[^{}\[\],:<]+)', re.DOTALL)
_GEMMA_CALL = re.compile(r"\s*call:(?P<name>[^{\s]+)(?P<body>\{.*\})\s*\Z", re.DOTALL)


def read_gemma(body: str, _signatures: Signatures) -> list[Call] | None:
    """Gemma 4's call:f{a:<|"|>text<|"|>,b:2}: JSON with another quotation mark and bare keys."""
    match = _GEMMA_CALL.match(body)
    if match is None:
        return None
    pieces = list(_gemma_pieces(match["body"]))
    try:
        value = read_json("".join(pieces))
    except ValueError:
        return None
    return [Call(match["name"], write_json(value))] if isinstance(value, dict) else None


def _gemma_pieces(body: str) -> Iterator[str]:
    tokens = list(_GEMMA_TOKEN.finditer(body))
    for token, following in zip(tokens, [*tokens[1:], None], strict=True):
        if token["mark"]:
            yield token["mark"]
        elif token["text"] is not None:
            yield write_json(token["text"])
        else:
            bare = token["bare"].strip()
            yield write_json(bare) if following is not None and following["mark"] == ":" else bare


Reader = Callable[[str, Signatures], list[Call] | None]


class CallSyntax(msgspec.Struct, frozen=True, kw_only=True):
    """How a family writes a call.

    opening, closing: the marks around it ("" where there is none; without an opening it can stand only where a reply
    or its next part begins). head: what stands between the opening and the JSON, as a pattern; with a group `name` the
    JSON is the arguments alone. several: more JSON values may follow. read: for what is not JSON, everything between
    the marks; `inside`: a pair of marks between which the closing one is only text. auto: JSON or something else
    (`head` and JSON, or tags), as it begins. whole: the marks are a part of what `read` takes.
    """

    opening: str
    closing: str = ""
    head: str = r"\s*"
    several: bool = False
    read: Reader | None = None
    inside: tuple[str, str] = ("", "")
    auto: bool = False
    whole: bool = False
