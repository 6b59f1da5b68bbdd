"""Dispatch: the window by default, a verb of the command line, or a hidden child role.

Imports are inside the branches: a child never loads Qt, the window never loads the engine.
"""

import sys

_INTERRUPTED = 130  # as of desktop.interrupt, which may not be read yet


def main() -> int:
    """Run what the arguments ask for and return the exit code."""
    try:
        return _run(sys.argv[1:])
    except KeyboardInterrupt:  # in the first instants, or in a child
        return _INTERRUPTED


def _run(arguments: list[str]) -> int:
    if arguments[:1] == ["--role"]:
        return _run_role("".join(arguments[1:2]), arguments[2:])
    from desktop.interrupt import interrupt

    interrupt.install()
    if arguments and arguments[0] != "--window":
        from desktop.cli.main import run_command_line

        return run_command_line(arguments)
    from desktop.ui.app import run_window

    return run_window(arguments)


def _run_role(role: str, arguments: list[str]) -> int:
    from desktop.childprocess import end_with_owner

    end_with_owner()
    if role == "engine":
        from desktop.runtime.child import run_engine_child

        return run_engine_child()
    if role in ("dry-run", "speed-probe"):
        return _run_question_child(role)
    if role == "rpc-worker" and arguments:
        from desktop.runtime.devices.rpc import run_rpc_worker

        return run_rpc_worker(arguments[0])
    if role == "hardware":
        from desktop.hardware.child import run_probe_child

        return run_probe_child(arguments)
    if role == "sampler":
        from desktop.hardware.child import run_sampler_child

        return run_sampler_child(arguments)
    print(f"error: there is no role {role!r} with {len(arguments)} arguments", file=sys.stderr)
    print("hint: roles are for Snug's own child processes", file=sys.stderr)
    return 2


def _run_question_child(role: str) -> int:
    """A child that holds no model and answers questions."""
    if role == "dry-run":
        from desktop.runtime.dry_run.child import run_dry_run_child

        return run_dry_run_child()
    from desktop.runtime.speed_probe.child import run_speed_probe_child

    return run_speed_probe_child()


if __name__ == "__main__":
    sys.exit(main())
