"""Where things are: user folders, resources and the catalog, in a checkout, an installed wheel and a frozen app.

The only place that decides a folder. `SNUG_HOME` moves every user folder below one root (tests, portable use).
"""

import os
import sys
from pathlib import Path

import msgspec
import platformdirs

_APP = "snug"


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
    def chats_database(self) -> Path:
        """Conversations."""
        return self.data / "chats.sqlite3"

    @property
    def library_database(self) -> Path:
        """Installed models and downloads."""
        return self.data / "library.sqlite3"

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
    """The folders of the person who runs this process."""
    home = os.environ.get("SNUG_HOME")
    if home:
        root = Path(home).expanduser().absolute()
        return Paths(config=root / "config", data=root / "data", cache=root / "cache", logs=root / "logs")
    return Paths(
        config=Path(platformdirs.user_config_dir(_APP, appauthor=False)),
        data=Path(platformdirs.user_data_dir(_APP, appauthor=False)),
        cache=Path(platformdirs.user_cache_dir(_APP, appauthor=False)),
        logs=Path(platformdirs.user_log_dir(_APP, appauthor=False)),
    )


def resources_folder() -> Path:
    """Icons, themes, translations and data tables."""
    return _shipped("resources")


def catalog_file() -> Path:
    """The curated catalog."""
    return _shipped("models.json")


def _shipped(name: str) -> Path:
    """A file or folder that ships beside the package (checkout), inside it (wheel) or in the frozen bundle."""
    package = Path(__file__).resolve().parent
    frozen = getattr(sys, "_MEIPASS", None)
    roots = [Path(frozen)] if frozen else [package.parent, package / "_shipped"]
    for root in roots:
        if (root / name).exists():
            return root / name
    raise FileNotFoundError(f"{name} is missing from this installation (looked in {', '.join(map(str, roots))})")
