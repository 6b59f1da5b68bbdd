"""How soon the window is there and how much memory it takes, against an empty PySide6 window, in one interleaved run.

    python -m benchmarks.startup [--pairs 20]

"Visible" is the first paint event of the top window, counted from just before the process is started. Memory is the
window process alone (resident set), read SETTLE seconds after the first paint, when the lazy parts have come and the
starter model is loaded in its own process.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time

import psutil

from benchmarks.statistics import Bound, ratio_report

SETTLE = {"empty": 1.0, "snug": 6.0}  # an empty window brings nothing later
BOUND = Bound(most=2.5)


def measure(kind: str) -> tuple[float, int]:
    """Open one window; return (seconds to the first paint, resident bytes once settled)."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        environment = dict(os.environ, QT_QPA_PLATFORM="offscreen", SNUG_HOME=home)
        environment.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed program is compiled
        started = time.time()
        with subprocess.Popen(
            [sys.executable, "-m", "benchmarks.first_paint", kind], env=environment, stderr=subprocess.PIPE, text=True
        ) as process:
            assert process.stderr is not None
            painted = next((line for line in process.stderr if line.startswith("first-paint")), None)
            if painted is None:
                raise RuntimeError(f"the {kind} window ended without painting (exit code {process.wait()})")
            time.sleep(SETTLE[kind])
            resident = psutil.Process(process.pid).memory_info().rss
            process.kill()
    return float(painted.split()[1]) - started, resident


def main() -> int:
    """Print both ratios; exit code 1 when one is above BOUND at the upper end of its interval."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=20)
    pairs = parser.parse_args().pairs
    measure("empty")
    measure("snug")
    rows = [(measure("snug"), measure("empty")) for _ in range(pairs)]
    reports = (
        ratio_report("window visible, Snug / empty window", [(a[0], b[0]) for a, b in rows], BOUND, unit="s"),
        ratio_report(
            "resident memory, Snug / empty window",
            [(a[1] / 2**20, b[1] / 2**20) for a, b in rows],
            BOUND,
            unit="MiB",
        ),
    )
    print("\n".join(reports))
    return int(any("MISSED" in report for report in reports))


if __name__ == "__main__":
    sys.exit(main())
