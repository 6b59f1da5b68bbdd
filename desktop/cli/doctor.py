"""`snug doctor`: checks of the environment, each with a remedy."""

import argparse
from typing import TYPE_CHECKING, Any

from desktop.cli.output import display_width, print_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from desktop.doctor.check import Check
    from desktop.services import Services

_WORDS = {"pass": "ok", "warn": "warning", "fail": "FAILED", "skip": "-"}


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
        print("\n".join(_lines(checks)))
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


def _lines(checks: "Sequence[Check]") -> list[str]:
    width = max(display_width(check.title.render()) for check in checks)
    lines: list[str] = []
    for check in checks:
        lines.append(f"{_WORDS[check.status]:<8} {check.title.render():<{width}}  {check.found.render()}")
        if check.status in {"warn", "fail"}:
            indent = " " * (8 + 1 + width + 2)
            lines.append(f"{indent}wanted: {check.wanted.render()}")
            lines += [f"{indent}remedy: {check.remedy.render()}"] if check.remedy else []
    return [*lines, "", _summary(checks)]


def _summary(checks: "Sequence[Check]") -> str:
    counts = {status: sum(check.status == status for check in checks) for status in _WORDS}
    return f"{counts['pass']} ok, {counts['warn']} warnings, {counts['fail']} failed, {counts['skip']} not applicable"
