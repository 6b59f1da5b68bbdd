#!/usr/bin/env python3
"""Make the virtual environment that Snug runs in: `make` calls this, and on Windows a person does.

Standard library only. This file keeps to syntax that an old Python understands, so that it can say it is too old.
"""

import sys

OLDEST = (3, 11)

if sys.version_info < OLDEST:
    sys.stderr.write(
        "error: Snug needs Python %s.%s or newer; this is %s.%s (%s).\n"
        % (OLDEST + tuple(sys.version_info[:2]) + (sys.executable,))
    )
    sys.stderr.write("hint: install a newer one and name it: make PYTHON=python3.12 run\n")
    sys.exit(1)

from snug_setup.program import main  # noqa: E402 - only after the check above

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
