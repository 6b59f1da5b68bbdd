"""What every test shares. Imports no Qt: tests/unit runs where Qt is not installed."""

import os
import signal
from pathlib import Path

import pytest

from desktop.library import starter
from desktop.runtime.bindings import leave_out_the_rest
from tests.support.leaks import no_leaks, qt_garbage
from tests.support.loud_log import log_as_before, loud_log

__all__ = ["log_as_before", "loud_log", "no_leaks", "qt_garbage"]

ROOT = Path(__file__).resolve().parent.parent

# Before any Qt is loaded: no test needs a display.
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

# A test that loads the engine's bindings gets what the engine's children get: the package's own __init__ opens files
# that it never closes.
leave_out_the_rest()

# A shell that starts the tests in the background has Ctrl-C ignored, and children would inherit that.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

_FOREIGN_SETTINGS = ("HF_ENDPOINT", "HF_TOKEN", "HF_HUB_OFFLINE", "HUGGING_FACE_HUB_TOKEN")


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    """Add `--campaign`, and pytest-qt's options where it is not installed (strict configuration wants them known)."""
    parser.addoption("--campaign", action="store_true", help="run the long form of the tests that have one")
    if not any(pluginmanager.hasplugin(name) for name in ("pytest-qt", "pytestqt.plugin")):
        parser.addini("qt_api", "declared by pytest-qt")
        parser.addini("qt_log_level_fail", "declared by pytest-qt")
        parser.addini("qt_log_ignore", "declared by pytest-qt", type="linelist")


@pytest.fixture(scope="session", autouse=True)
def _no_real_user_folders(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Whatever runs outside a test's own fixtures stays out of the person's folders as well."""
    os.environ["SNUG_HOME"] = str(tmp_path_factory.mktemp("session-home"))
    for name in _FOREIGN_SETTINGS:
        os.environ.pop(name, None)
    os.environ["PYTHON_KEYRING_BACKEND"] = "keyring.backends.null.Keyring"  # never the person's own passwords


@pytest.fixture(autouse=True)
def snug_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The root of this test's user folders; nothing is in it yet."""
    home = tmp_path / "snug-home"
    monkeypatch.setenv("SNUG_HOME", str(home))
    return home


@pytest.fixture(scope="session")
def campaign_factor(request: pytest.FixtureRequest) -> int:
    """How many times as many runs a test of chance makes: 1 usually, 25 with `--campaign` (`make campaign`)."""
    return 25 if request.config.getoption("--campaign") else 1


@pytest.fixture(scope="session")
def project_root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def starter_model() -> Path:
    """The real starter model (a GGUF of 98 MB that comes with the set-up). Raises StarterModelMissing."""
    return Path(starter.starter_model().path)
