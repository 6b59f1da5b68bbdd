"""Text that a person sees can be translated, and text from outside is shown as plain text."""

import ast

import pytest

from tests.support.sources import Source, calls, dotted_name, python_sources

LITERAL_ARGUMENTS = {"tr": (0,), "QT_TRANSLATE_NOOP": (0, 1)}
"""Function -> which of its arguments the translators' tool must be able to read from the source."""


def untranslatable(source: Source) -> list[str]:
    """Marked texts that are put together at run time: the tool that collects them would not see them."""
    return [
        f"{source.path}:{call.lineno} {name}"
        for name, call in calls(source.tree)
        for index in LITERAL_ARGUMENTS.get(name.split(".")[-1], ())
        if len(call.args) > index and not _is_readable(name, call.args[index])
    ] + [
        f"{source.path}:{call.lineno} {name}"
        for name, call in calls(source.tree)
        if name.endswith("translate") and any(isinstance(part, ast.JoinedStr) for part in call.args)
    ]


def _is_readable(function: str, node: ast.expr) -> bool:
    """A literal; for `tr` also a look-up of a text that was marked elsewhere."""
    if isinstance(node, ast.Constant):
        return isinstance(node.value, str)
    return function.endswith("tr") and isinstance(node, ast.Subscript | ast.Attribute)


def guessing_labels(source: Source) -> list[str]:
    """Labels that are left to guess whether their text is HTML; one that only shows a picture has no text."""
    names = {name for name, _ in calls(source.tree)}
    guilty = []
    for node in ast.walk(source.tree):
        if not (isinstance(node, ast.Call) and dotted_name(node.func).split(".")[-1] == "QLabel"):
            continue
        label = _assigned_to(source.tree, node)
        has_text = label is None or f"{label}.setText" in names or any(map(_may_be_text, node.args))
        if has_text and f"{label}.setTextFormat" not in names:
            guilty.append(f"{source.path}:{node.lineno}")
    return guilty


def _assigned_to(tree: ast.Module, call: ast.Call) -> str | None:
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and node.value is call:
            return dotted_name(node.targets[0])
    return None


def _may_be_text(argument: ast.expr) -> bool:
    return not (isinstance(argument, ast.Name) and argument.id in {"self", "parent"})


def guessing_tooltips(source: Source) -> list[str]:
    """Tooltips whose text is neither empty nor made plain: Qt takes what looks like HTML for HTML."""
    return [
        f"{source.path}:{call.lineno}"
        for name, call in calls(source.tree)
        if name.endswith("setToolTip") and not all(map(_is_plain, _alternatives(call.args[0])))
    ]


def _alternatives(node: ast.expr) -> list[ast.expr]:
    return [node.body, node.orelse] if isinstance(node, ast.IfExp) else [node]


def _is_plain(node: ast.expr) -> bool:
    if isinstance(node, ast.Constant):
        return True
    called = dotted_name(node.func).split(".")[-1] if isinstance(node, ast.Call) else ""
    return called in {"plain_tooltip", "tr"}


def _parsed(text: str) -> Source:
    return Source("example.py", text, ast.parse(text))


def test_every_marked_text_can_be_collected_for_translation() -> None:
    assert [line for source in python_sources("desktop") for line in untranslatable(source)] == []


def test_no_label_guesses_whether_its_text_is_html() -> None:
    assert [line for source in python_sources("desktop/ui") for line in guessing_labels(source)] == []


@pytest.mark.parametrize(
    "guilty",
    [
        "self.tr(f'{n} layers')",
        "self.tr(name)",
        "self.tr('a' + b)",
        "QT_TRANSLATE_NOOP('errors', 'a' + b)",
        "translate('errors', f'{x}')",
    ],
)
def test_a_text_put_together_at_run_time_is_found(guilty: str) -> None:
    assert untranslatable(_parsed(guilty)) != []


@pytest.mark.parametrize(
    "innocent",
    ["self.tr('{n} layers').format(n=n)", "self.tr('%n models', '', 3)", "x.tr('a' 'b')", "self.tr(WORDS[quality])"],
)
def test_a_literal_text_is_not_reported(innocent: str) -> None:
    assert untranslatable(_parsed(innocent)) == []


@pytest.mark.parametrize(
    "guilty",
    ["row.addWidget(QLabel(model.name))", "name = QLabel(text)", "self._name = QLabel(self)\nself._name.setText(name)"],
)
def test_a_label_without_a_format_is_found(guilty: str) -> None:
    assert guessing_labels(_parsed(guilty)) != []


@pytest.mark.parametrize(
    "innocent",
    [
        "picture = QLabel(self)\npicture.setPixmap(p)",
        "name = QLabel(text)\nname.setTextFormat(Qt.TextFormat.PlainText)",
    ],
)
def test_a_picture_and_a_plain_label_are_not_reported(innocent: str) -> None:
    assert guessing_labels(_parsed(innocent)) == []
