"""`snug doctor`: checks of the environment, each with a remedy."""

import argparse
import shutil
import textwrap
from typing import TYPE_CHECKING, Any

from desktop.cli.output import display_width, print_json, visible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from desktop.doctor.check import Check
    from desktop.services import Services

_WORDS = {"pass": "ok", "warn": "warning", "fail": "FAILED", "skip": "-"}
_STATUS_WIDTH = 9
_NARROWEST = 24
"""Columns that text has beside its indent, however narrow the terminal is."""


def add_parser(subparsers: Any) -> None:
    """Declare the verb."""
    parser = subparsers.add_parser("doctor", help="check the environment, with a remedy for each finding")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=run)


async def run(arguments: argparse.Namespace, services: "Services") -> int:
    """Print every check. The exit code is 0 whatever they found: looking succeeded; scripts read `status`."""
    from desktop.actions.survey import survey
    from desktop.doctor.run import run_checks

    found = await survey(services)
    checks = await run_checks(
        profile=found.profile,
        engine=found.engine,
        models_folder=services.models_folder,
        engine_failure=found.failure,
    )
    if arguments.json:
        print_json({"checks": [as_json(check) for check in checks]})
    else:
        print("\n".join(_lines(checks, shutil.get_terminal_size().columns)))
    return 0


def as_json(check: "Check") -> dict[str, str | None]:
    """Return the check with its sentences rendered."""
    return {
        "id": check.id,
        "status": check.status,
        "title": check.title.render(),
        "found": check.found.render(),
        "wanted": check.wanted.render(),
        "remedy": check.remedy.render() if check.remedy else None,
    }


def _lines(checks: "Sequence[Check]", columns: int) -> list[str]:
    judged = [check for check in checks if check.status != "skip"]
    width = max((display_width(check.title.render()) for check in judged), default=0)
    indent = " " * (_STATUS_WIDTH + width + 2)
    lines: list[str] = []
    for check in judged:
        head = f"{_WORDS[check.status]:<{_STATUS_WIDTH}}{check.title.render():<{width}}  "
        lines += _wrapped(check.found.render(), columns, first=head, rest=indent)
        if check.status in {"warn", "fail"}:
            lines += _under(columns, "wanted: ", check.wanted.render())
            lines += _under(columns, "remedy: ", check.remedy.render()) if check.remedy is not None else []
    return [*lines, *_not_judged(checks, columns), "", _summary(checks)]


def _under(columns: int, label: str, text: str) -> list[str]:
    """A line below a check, where there is more room than beside its title."""
    indent = " " * _STATUS_WIDTH
    return _wrapped(text, columns, first=indent + label, rest=indent + " " * len(label))


def _not_judged(checks: "Sequence[Check]", columns: int) -> list[str]:
    """What does not apply here, or could not be known: by its reason, because one reason often serves for many."""
    reasons: dict[str, list[str]] = {}
    for check in checks:
        if check.status == "skip":
            reasons.setdefault(check.found.render(), []).append(check.title.render())
    lines = ["", "Not judged:"] if reasons else []
    for reason, titles in reasons.items():
        lines += _wrapped(f"{', '.join(titles)}: {reason}", columns, first="- ", rest="  ")
    return lines


def _wrapped(text: str, columns: int, *, first: str, rest: str) -> list[str]:
    """`text` in lines of at most `columns`; folders and addresses are not broken."""
    return textwrap.wrap(
        visible(text),
        width=max(columns, len(rest) + _NARROWEST),
        initial_indent=first,
        subsequent_indent=rest,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _summary(checks: "Sequence[Check]") -> str:
    counts = {status: sum(check.status == status for check in checks) for status in _WORDS}
    warnings = "1 warning" if counts["warn"] == 1 else f"{counts['warn']} warnings"
    return f"{counts['pass']} ok, {warnings}, {counts['fail']} failed, {counts['skip']} not judged"
