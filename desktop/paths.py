"""Where things are: user folders, resources and the catalog, in a checkout, an installed wheel and a frozen app.

The only place that decides a folder. `SNUG_HOME` moves every user folder below one root (tests, portable use).
"""

import os
import sys
from pathlib import Path

import msgspec
import platformdirs

from desktop.errors import QT_TRANSLATE_NOOP, AppError

_APP = "snug"


class HomeUnusable(AppError):
    """The folders for settings and data cannot be told."""

    message = QT_TRANSLATE_NOOP("core", 'Snug cannot keep its files in "{folder}": {reason}')
    hint = QT_TRANSLATE_NOOP("core", "Set SNUG_HOME to the full path of a folder that you may write to.")


class Paths(msgspec.Struct, frozen=True, kw_only=True):
    """Every folder and file Snug uses. Nothing is created here; who writes creates."""

    config: Path
    data: Path
    cache: Path
    logs: Path

    @property
    def settings_file(self) -> Path:
        """The person's settings (JSON)."""
        return self.config / "settings.json"

    @property
    def hub_token_file(self) -> Path:
        """The token for the Hub, where this computer has no keyring."""
        return self.config / "hub-token"

    @property
    def chats_database(self) -> Path:
        """Conversations."""
        return self.data / "chats.sqlite3"

    @property
    def library_database(self) -> Path:
        """Installed models and downloads."""
        return self.data / "library.sqlite3"

    @property
    def observed_database(self) -> Path:
        """What this machine's own runs have taught."""
        return self.data / "observed.sqlite3"

    @property
    def known_good_file(self) -> Path:
        """Plans that led to a reply (JSON)."""
        return self.data / "known_good.json"

    @property
    def conversations_cache(self) -> Path:
        """What the engine keeps of conversations, so that they need not be read again."""
        return self.cache / "conversations"

    @property
    def answers_database(self) -> Path:
        """What the engine answered in dry runs."""
        return self.cache / "answers.sqlite3"

    @property
    def stubs(self) -> Path:
        """Headers of models without their words, for the engine's dry runs (gguf/stub.py)."""
        return self.cache / "stubs"

    @property
    def models_folder(self) -> Path:
        """Where downloads land unless a setting says otherwise."""
        return self.data / "models"

    @property
    def log_file(self) -> Path:
        """The rotating log."""
        return self.logs / "snug.log"

    @property
    def instance_lock(self) -> Path:
        """Names the local socket by which a second start raises the first window."""
        return self.data / "window.lock"


def user_paths() -> Paths:
    """The folders of the person who runs this process. Raises HomeUnusable."""
    home = os.environ.get("SNUG_HOME")
    if home:
        root = _usable(Path(home))
        return Paths(config=root / "config", data=root / "data", cache=root / "cache", logs=root / "logs")
    if not Path(os.path.expanduser("~")).is_absolute():  # noqa: PTH111 - Path.home raises instead
        raise HomeUnusable(folder="~", reason="the system does not say where your home folder is")
    paths = Paths(
        config=Path(platformdirs.user_config_dir(_APP, appauthor=False)),
        data=Path(platformdirs.user_data_dir(_APP, appauthor=False)),
        cache=Path(platformdirs.user_cache_dir(_APP, appauthor=False)),
        logs=Path(platformdirs.user_log_dir(_APP, appauthor=False)),
    )
    for folder in (paths.config, paths.data, paths.cache, paths.logs):
        _usable(folder)
    return paths


def resources_folder() -> Path:
    """Icons, themes, translations and data tables."""
    return _shipped("resources")


def catalog_file() -> Path:
    """The curated catalog; where it belongs, should it be missing."""
    try:
        return _shipped("models.json")
    except FileNotFoundError:
        return resources_folder().with_name("models.json")


def _usable(folder: Path) -> Path:
    """`folder` as an absolute path that databases and messages between processes can name."""
    try:
        folder = folder.expanduser().absolute()
        str(folder).encode()
    except RuntimeError as error:  # ~nobody
        raise HomeUnusable(folder=str(folder), reason="there is no such person", detail=error) from error
    except UnicodeEncodeError as error:
        raise HomeUnusable(folder=repr(str(folder)), reason="its name is not valid text", detail=error) from error
    return folder


def _shipped(name: str) -> Path:
    """A file or folder that ships beside the package (checkout), inside it (wheel) or in the frozen bundle."""
    package = Path(__file__).resolve().parent
    frozen = getattr(sys, "_MEIPASS", None)
    roots = [Path(frozen)] if frozen else [package.parent, package / "_shipped"]
    for root in roots:
        if (root / name).exists():
            return root / name
    raise FileNotFoundError(f"{name} is missing from this installation (looked in {', '.join(map(str, roots))})")
