"""Exit with 1 when anything of Qt can be imported: `make test-core` proves with this that its environment has none."""

import importlib.util
import sys

QT = ("PySide6", "shiboken6", "qasync", "pytestqt")

if found := [name for name in QT if importlib.util.find_spec(name)]:
    sys.exit(f"error: this environment should have no Qt, but has {', '.join(found)}.")
print(f"No Qt here: none of {', '.join(QT)} can be imported.")
