"""GPT4All: GGUF files in one folder, those on their way called `incomplete-<name>`.

The folder as nomic-ai/gpt4all finds it (gpt4all-chat/src/mysettings.cpp and main.cpp): `modelPath` in its settings,
a QSettings file of the format INI (`nomic.ai/GPT4All.ini`), else Qt's AppLocalDataLocation. Its Python package uses
`~/.cache/gpt4all`.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from desktop.database import clean_text
from desktop.library.stores.place import Candidate, Place, Store, distinct, folder_named, read_text
from desktop.library.walk import Walk

_SETTING = re.compile(r"^modelPath=(?P<path>.+)$", re.MULTILINE)
_ESCAPED = re.compile(r"\\x(?P<code>[0-9a-fA-F]{1,4})|\\(?P<sign>.)")  # QSettings::IniFormat
_UNFINISHED = "incomplete-"


class Gpt4All(Store):
    """What GPT4All has downloaded."""

    source = "gpt4all"

    def roots(self, place: Place) -> tuple[Path, ...]:
        """Return the folder of its settings, its usual one, and that of the Python package."""
        settings = place.home / ".config"  # of INI files also on macOS
        if place.system == "win32":
            settings = place.application_data
        elif place.system != "darwin":
            settings = place.folder("XDG_CONFIG_HOME") or settings
        match = _SETTING.search(read_text(settings / "nomic.ai" / "GPT4All.ini"))
        text = _ESCAPED.sub(_unescaped, match["path"].strip().strip('"')) if match else ""
        chosen = folder_named(clean_text(text))  # escaped are the units of UTF-16, of an emoji two
        return distinct(chosen, place.local_data / "nomic.ai" / "GPT4All", place.home / ".cache" / "gpt4all")

    def candidates(self, root: Path, walk: Walk) -> Iterator[Candidate]:
        """Yield what is whole."""
        for candidate in super().candidates(root, walk):
            if not candidate.path.name.startswith(_UNFINISHED):
                yield candidate


def _unescaped(found: "re.Match[str]") -> str:
    return chr(int(found["code"], 16)) if found["code"] else found["sign"]
