"""The command line: reads the arguments, runs one verb, turns its outcome into an exit code.

Exit codes: 0 done; 1 an error that was explained; 2 wrong usage; 130 interrupted.
"""

import argparse
import asyncio
import sys
import traceback
from typing import TYPE_CHECKING

from desktop import __version__
from desktop.cli import bench, chat, doctor, fit, import_, models, probe, pull, recommend, rm, verify
from desktop.cli.output import close_quietly, print_error, print_note, replace_closed_streams
from desktop.errors import QT_TRANSLATE_NOOP, AppError
from desktop.interrupt import INTERRUPTED, interrupt
from desktop.paths import user_paths

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class SystemRefused(AppError):
    """The operating system refused something that nothing below has explained, such as output to a full disk."""

    message = QT_TRANSLATE_NOOP("core", "The system refused it: {reason}")
    hint = QT_TRANSLATE_NOOP("core", "Check the disk, and where the output goes. --debug shows where it happened.")


_VERBS = (probe, doctor, recommend, fit, bench, models, pull, import_, rm, verify, chat)


def run_command_line(arguments: "Sequence[str]") -> int:
    """Run one verb and return the exit code; raises SystemExit for --help, --version and wrong usage."""
    replace_closed_streams()
    try:
        parsed = build_parser().parse_args(arguments)
    except SystemExit as end:
        raise SystemExit(_all_written(end.code if isinstance(end.code, int) else 0)) from None
    return _all_written(_outcome(parsed))


def _outcome(parsed: argparse.Namespace) -> int:
    """Run the verb, and explain what went wrong."""
    try:
        code = asyncio.run(_run_verb(parsed))
        return INTERRUPTED if interrupt.came else code
    except (KeyboardInterrupt, asyncio.CancelledError):
        return INTERRUPTED
    except BrokenPipeError:
        close_quietly(sys.stdout)
        return 0
    except AppError as error:
        print_error(error)
        _print_trace(parsed)
        return error.exit_code
    except OSError as error:
        print_error(SystemRefused(reason=str(error), detail=error))
        _print_trace(parsed)
        return 1
    except Exception as error:  # noqa: BLE001 - the outermost edge: a person gets words, --debug the rest
        print_error(AppError(reason=f"{type(error).__name__}: {error}"))
        _print_trace(parsed)
        return 1


def _all_written(code: int) -> int:
    """Write what is still in the buffer of stdout: at the interpreter's end nobody could explain a refusal."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        close_quietly(sys.stdout)
    except OSError as error:
        close_quietly(sys.stdout)
        if code == 0:  # else something was explained, often just this
            print_error(SystemRefused(reason=str(error), detail=error))
        return code or 1
    return code


def build_parser() -> argparse.ArgumentParser:
    """Return the parser with every verb that exists."""
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--debug", action="store_true", help="show the trace of an error")
    parser = argparse.ArgumentParser(
        prog="snug",
        description="Finds the best language model that truly fits this machine, and chats with it offline. "
        "Without a verb the window opens.",
        parents=[common],
    )
    parser.add_argument("--version", action="version", version=f"snug {__version__}")
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True)
    for verb in _VERBS:
        verb.add_parser(verbs)
    for verb_parser in verbs.choices.values():  # --debug is understood on both sides of the verb
        verb_parser.add_argument("--debug", action="store_true", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
    return parser


async def _run_verb(parsed: argparse.Namespace) -> int:
    from desktop.log import configure_logging
    from desktop.services import create_services

    paths = user_paths()
    configure_logging(paths, debug=parsed.debug)
    with interrupt.cancels(_this_task()):
        services = create_services(paths)
        for notice in services.settings.notices:
            print_note(f"note: {notice.render()}")
        try:
            code: int = await parsed.run(parsed, services)
            return code
        finally:
            await services.close()


def _this_task() -> "Callable[[], object]":
    """What cancels the task that is running, called by a signal handler."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    return lambda: loop.call_soon_threadsafe(task.cancel) if task is not None else None


def _print_trace(parsed: argparse.Namespace) -> None:
    if parsed.debug:
        traceback.print_exc(file=sys.stderr)
