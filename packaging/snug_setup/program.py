"""The set-up from beginning to end."""

import argparse
import contextlib
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from snug_setup import backend, checks, environment, locking, progress, wheel
from snug_setup.environment import Environment
from snug_setup.missing import Need, SetupError, complain

CHECKOUT = Path(__file__).resolve().parents[2]
REQUIREMENTS = CHECKOUT / "requirements"


def main(arguments: list[str]) -> int:
    """Set up what `arguments` ask for; returns the exit code (0 done, 1 explained, 130 interrupted)."""
    options = _options(arguments)
    try:
        with _terminated_as_interrupted():
            _set_up(options)
    except SetupError as error:
        print(f"error: {error.message}\nhint: {error.hint}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped. Nothing half-made will be taken for whole; the same command goes on.", file=sys.stderr)
        return 130
    except OSError as error:
        print(f"error: {error}\nhint: check the disk and the rights on that folder, then try again.", file=sys.stderr)
        return 1
    return 0


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="setup_environment.py", description="Makes the environment Snug runs in.")
    parser.add_argument("--for", dest="purpose", choices=["run", "test"], default="run", help="what it is for")
    parser.add_argument("--venv", default=".venv", help="the folder, in the checkout")
    parser.add_argument("--without-qt", action="store_true", help="leave out all that belongs to Qt")
    default = os.environ.get("BACKEND", "")
    parser.add_argument("--backend", default=default, help="cpu, cuda, vulkan or metal; found out by default")
    return parser.parse_args(arguments)


@contextlib.contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """A polite kill cleans up as Ctrl-C does."""

    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _set_up(options: argparse.Namespace) -> None:
    machine = backend.look()
    choice = backend.choose(options.backend, machine)
    lock = (REQUIREMENTS / "engine.txt").read_text(encoding="utf-8")
    made = wheel.recipe(choice, lock=lock, environ=os.environ)
    folder = CHECKOUT / options.venv
    target = Environment(CHECKOUT, folder, CHECKOUT / "build" / "setup.log", without_qt=options.without_qt)
    wanted = _wanted_parts(options.purpose, made)
    if not target.lacks(wanted):
        # A display may have come since, and with it libraries that nobody looked for.
        complain(_missing_libraries(options))
        return
    with locking.locked(folder.with_name(folder.name + ".lock"), waiting=_another_set_up):
        if target.lacks(wanted):
            _check_system(options, choice, machine, made)
            _make(target, choice, made, wanted)


def _wanted_parts(purpose: str, made: wheel.Recipe) -> dict[str, str]:
    """The parts and their keys, in the order in which they are installed."""
    parts = {
        "python": environment.python_key(),
        "run.txt": environment.file_key(REQUIREMENTS / "run.txt"),
        "engine": made.key,
        "starter.txt": environment.file_key(REQUIREMENTS / "starter.txt"),
        "build.txt": environment.file_key(REQUIREMENTS / "build.txt"),
        "project": environment.project_key(CHECKOUT),
    }
    if purpose == "test":
        parts["dev.txt"] = environment.file_key(REQUIREMENTS / "dev.txt")
    return parts


def _another_set_up(seconds: float) -> None:
    if seconds < locking.POLL:
        progress.say("Another set-up works in this folder; waiting for it ...")


def _check_system(
    options: argparse.Namespace, choice: backend.Choice, machine: backend.Machine, made: wheel.Recipe
) -> None:
    """Say everything that is missing at once, before anything slow begins."""
    needs = checks.missing_venv() + _missing_libraries(options)
    if wheel.find_wheel(wheel.wheel_folder(os.environ) / made.key) is None:
        needs += checks.missing_compiler() + backend.missing_tools(choice, machine)
    complain(needs)


def _missing_libraries(options: argparse.Namespace) -> list[Need]:
    if options.without_qt:
        return []
    with_window = options.purpose == "run"
    libraries = checks.qt_libraries(with_window=with_window, platform=sys.platform, environ=os.environ)
    return checks.missing_libraries(libraries)


def _make(target: Environment, choice: backend.Choice, made: wheel.Recipe, wanted: dict[str, str]) -> None:
    began = time.monotonic()
    progress.say(f"Setting Snug up in {target.folder} (the first time takes some minutes; log: {target.log})")
    progress.say(f"  Backend: {choice.backend} ({choice.reason})")
    # The slow part first: an interruption then leaves the environment as it was.
    built = wheel.obtain_wheel(made, choice, requirements=REQUIREMENTS, log=target.log)
    kept = target.installed()
    target.begin(python_key=wanted["python"])
    installed = kept if kept.get("python") == wanted["python"] else {"python": wanted["python"]}
    for part, key in wanted.items():
        if installed.get(part) != key:
            _install_part(target, part, built)
    target.finish({**installed, **wanted})
    progress.say(f"Set up in {progress.duration(time.monotonic() - began)}.")


def _install_part(target: Environment, part: str, built: Path) -> None:
    if part == "engine":
        # --force-reinstall: another backend has the same version number.
        target.install("--no-deps", "--no-index", "--force-reinstall", str(built), title="Installing the engine")
    elif part == "project":
        editable = ["--no-deps", "--no-build-isolation", "--editable", str(target.checkout)]
        target.install(*editable, title="Installing Snug itself")
    else:
        titles = {
            "run.txt": "Getting the libraries",
            "dev.txt": "Getting the tools for tests",
            "starter.txt": "Getting the starter model",
            "build.txt": "Getting what installs Snug itself",
        }
        target.install_lock(part, title=titles[part])
    if part == "starter.txt":
        target.check_starter()
