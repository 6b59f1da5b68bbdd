"""The log: a rotating file without secrets and without anything a person wrote.

Chat text is never logged. Where a value may hold some, wrap it: `log.debug("template failed on %s", Private(text))`.
"""

import io
import logging
import logging.handlers
import re
import sys
from pathlib import Path

from desktop.paths import Paths

LARGEST_FILE = 2 * 1024**2
"""Bytes of one log file; three older ones are kept."""

_HIDDEN = "[removed]"
_NAMES = (
    r"(?:proxy-)?authorization|x-api-key|api[_-]?key|access[_-]?token|token|secret|password|passwd|set-cookie|cookie"
)
_SECRETS = (
    (re.compile(r"\b(?:hf|api_org)_[A-Za-z0-9]{8,}"), _HIDDEN),
    (re.compile(r"\bsk-[A-Za-z0-9_-]{8,}"), _HIDDEN),
    # A header, a field of JSON or of a repr, a variable, a query parameter: name, separator, scheme, value.
    (
        re.compile(
            rf"(?i)(\b(?:{_NAMES})\b[\"']?\s*[:=,]\s*(?:b?[\"'])?(?:(?:bearer|basic)\s+)?+)[^\s\"'&,;)\]}}]{{4,}}"
        ),
        rf"\1{_HIDDEN}",
    ),
    (re.compile(r"\bBearer\s+[A-Za-z0-9._~+/=-]{6,}"), f"Bearer {_HIDDEN}"),
    # Signed addresses of a content network.
    (re.compile(r"(?i)([?&](?:x-amz-[a-z-]+|signature|policy|key-pair-id|sig)=)[^&\s\"']+"), rf"\1{_HIDDEN}"),
    (re.compile(r"://[^/\s:@\"']+:[^/\s@\"']+@"), f"://{_HIDDEN}@"),
)


class Private:
    """Text that a person or a model wrote, on its way into a log line: only its length is told."""

    def __init__(self, text: str) -> None:
        self._length = len(text)

    def __str__(self) -> str:
        return f"<{self._length} characters>"

    __repr__ = __str__


_known_secrets = set[str]()
_SHORTEST_SECRET = 8


def hide_from_log(secret: str) -> None:
    """Never let `secret` into the log of this process, whatever it looks like; one of a few characters is ignored."""
    if len(secret) >= _SHORTEST_SECRET:
        _known_secrets.add(secret)


def redact(text: str) -> str:
    """Return `text` without tokens, keys, passwords and signed addresses."""
    for secret in tuple(_known_secrets):
        text = text.replace(secret, _HIDDEN)
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return text


class RedactingFormatter(logging.Formatter):
    """Redacts the whole entry, its traceback included."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the finished entry."""
        return redact(super().format(record))


class LogFile(logging.handlers.RotatingFileHandler):
    """The file of the log. Where it cannot be written (full disk), that is told once and the program goes on."""

    def __init__(self, path: Path) -> None:
        """Nothing is opened before the first entry."""
        super().__init__(path, maxBytes=LARGEST_FILE, backupCount=3, encoding="utf-8", errors="replace", delay=True)
        self._told = False

    def _open(self) -> io.TextIOWrapper:
        Path(self.baseFilename).parent.mkdir(parents=True, exist_ok=True)
        return super()._open()

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the name is logging's
        """Tell the first failure on stderr, where there is one; a log must not end the program."""
        if self._told:
            return
        self._told = True
        reason = sys.exception()
        if sys.stderr is not None:  # None in a windowed build
            sys.stderr.write(f"snug: the log {self.baseFilename} cannot be written: {reason}\n")


def configure_logging(paths: Paths, *, debug: bool = False) -> None:
    """Send every logger of this process to the log file; a second call only changes the level."""
    root = logging.getLogger()
    if not any(isinstance(handler, LogFile) for handler in root.handlers):
        handler = LogFile(paths.log_file)
        handler.setFormatter(RedactingFormatter("%(asctime)s %(process)d %(levelname)s %(name)s: %(message)s"))
        root.addHandler(handler)
    root.setLevel(logging.INFO)
    logging.getLogger("desktop").setLevel(logging.DEBUG if debug else logging.INFO)
    for name in ("httpx2", "httpcore2", "asyncio", "markdown_it"):
        logging.getLogger(name).setLevel(logging.INFO if debug else logging.WARNING)
