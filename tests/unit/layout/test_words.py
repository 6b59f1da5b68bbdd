"""Text that a person sees can be translated, and text from outside is shown as plain text."""

import ast

import pytest

from tests.support.sources import Source, calls, python_sources

LITERAL_ARGUMENTS = {"tr": (0,), "QT_TRANSLATE_NOOP": (0, 1)}
"""Function -> which of its arguments the translators' tool must be able to read from the source."""


def untranslatable(source: Source) -> list[str]:
    """Marked texts that are put together at run time: the tool that collects them would not see them."""
    return [
        f"{source.path}:{call.lineno} {name}"
        for name, call in calls(source.tree)
        for index in LITERAL_ARGUMENTS.get(name.split(".")[-1], ())
        if len(call.args) > index and not _is_literal(call.args[index])
    ] + [
        f"{source.path}:{call.lineno} {name}"
        for name, call in calls(source.tree)
        if name.endswith("translate") and any(isinstance(part, ast.JoinedStr) for part in call.args)
    ]


def _is_literal(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def guessing_labels(source: Source) -> list[str]:
    """Labels that are left to guess whether their text is HTML."""
    if "setTextFormat" in source.text:
        return []
    return [f"{source.path}:{call.lineno}" for name, call in calls(source.tree) if name.split(".")[-1] == "QLabel"]


def _parsed(text: str) -> Source:
    return Source("example.py", text, ast.parse(text))


def test_every_marked_text_can_be_collected_for_translation() -> None:
    assert [line for source in python_sources("desktop") for line in untranslatable(source)] == []


def test_no_label_guesses_whether_its_text_is_html() -> None:
    assert [line for source in python_sources("desktop/ui") for line in guessing_labels(source)] == []


@pytest.mark.parametrize(
    "guilty",
    ["self.tr(f'{n} layers')", "self.tr(name)", "QT_TRANSLATE_NOOP('errors', 'a' + b)", "translate('errors', f'{x}')"],
)
def test_a_text_put_together_at_run_time_is_found(guilty: str) -> None:
    assert untranslatable(_parsed(guilty)) != []


@pytest.mark.parametrize(
    "innocent", ["self.tr('{n} layers').format(n=n)", "self.tr('%n models', '', 3)", "x.tr('a' 'b')"]
)
def test_a_literal_text_is_not_reported(innocent: str) -> None:
    assert untranslatable(_parsed(innocent)) == []


def test_a_label_without_a_format_is_found() -> None:
    assert guessing_labels(_parsed("QLabel(model.name)")) != []
