"""How soon the window is there and how much memory it takes, against an empty PySide6 window, in one interleaved run.

    python -m benchmarks.startup [--pairs 20]

"Visible" is the first paint event of the top window, counted from just before the process is started. Memory is the
window process alone (resident set), read `SETTLE` seconds after the first paint, when the lazy parts have come.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time

import psutil

from benchmarks.statistics import ratio_report

SETTLE = 4.0
EMPTY = """
import sys, time
from PySide6.QtWidgets import QApplication, QWidget
class Window(QWidget):
    painted = False
    def paintEvent(self, event):
        if not self.painted:
            self.painted = True
            print("first-paint", time.time(), file=sys.stderr, flush=True)
application = QApplication(sys.argv)
window = Window()
window.resize(1280, 820)
window.show()
sys.exit(application.exec())
"""


def measure(command: list[str]) -> tuple[float, int]:
    """Start `command`, wait for its first paint; return (seconds to the first paint, resident bytes once settled)."""
    with tempfile.TemporaryDirectory() as home:
        environment = dict(os.environ, QT_QPA_PLATFORM="offscreen", SNUG_HOME=home, SNUG_REPORT_FIRST_PAINT="1")
        started = time.time()
        with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
            assert process.stderr is not None
            painted = next((line for line in process.stderr if line.startswith("first-paint")), None)
            if painted is None:
                raise RuntimeError(f"{command[:3]} ended without painting (exit code {process.wait()})")
            time.sleep(SETTLE)
            resident = psutil.Process(process.pid).memory_info().rss
            process.terminate()
            process.wait(timeout=20)
    return float(painted.split()[1]) - started, resident


def main() -> None:
    """Print both ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=20)
    pairs = parser.parse_args().pairs
    empty, snug = [sys.executable, "-c", EMPTY], [sys.executable, "-m", "desktop"]
    measure(empty), measure(snug)
    rows = [(measure(snug), measure(empty)) for _ in range(pairs)]
    print(ratio_report("window visible, Snug / empty window", [(a[0], b[0]) for a, b in rows], unit="s", most=2.5))
    print(ratio_report("resident memory, Snug / empty window", [(a[1], b[1]) for a, b in rows], unit="B", most=2.5))


if __name__ == "__main__":
    main()
