"""Every setting, declared once: the declaration drives validation, the settings page and docs/settings.md.

The file is JSON: one object, one entry per setting that differs from its default. A file that cannot be read is kept
aside and defaults are used; a single bad value falls back to its default and stays. `SettingsStore.notices` says so.
"""

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, cast

import msgspec

from desktop.errors import QT_TRANSLATE_NOOP, Phrase
from desktop.files import FileNotSaved, folder_problem, locked, move_aside, read_bounded, write_atomically
from desktop.setting import Setting, SettingChoice, SettingRejected

T = TypeVar("T")
Changed = Callable[[Setting[Any], Any], None]

MIB = 1024**2

KvCacheType = Literal["f16", "q8_0"]
"""What a person may choose; the engine knows more, but those cost quality that nobody asked to lose."""
SpeculationChoice = Literal["auto", "off"]

GENERAL = QT_TRANSLATE_NOOP("core", "General")
MODELS = QT_TRANSLATE_NOOP("core", "Models")
NETWORK = QT_TRANSLATE_NOOP("core", "Network")
MEMORY = QT_TRANSLATE_NOOP("core", "Memory")
ENGINE = QT_TRANSLATE_NOOP("core", "Engine")
CHAT = QT_TRANSLATE_NOOP("core", "Chat")
SECTIONS = (GENERAL, MODELS, NETWORK, MEMORY, ENGINE, CHAT)
"""Sections of the settings page, in its order; each is a marked template."""


class SamplingOverrides(msgspec.Struct, frozen=True, kw_only=True):
    """Samplers that somebody chose; None where nothing was chosen. max_length is in new tokens, 0 is no limit."""

    temperature: Annotated[float, msgspec.Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, msgspec.Meta(gt=0, le=1)] | None = None
    max_length: Annotated[int, msgspec.Meta(ge=0)] | None = None
    top_k: Annotated[int, msgspec.Meta(ge=0)] | None = None
    min_p: Annotated[float, msgspec.Meta(ge=0, le=1)] | None = None
    repeat_penalty: Annotated[float, msgspec.Meta(gt=0, le=2)] | None = None
    seed: Annotated[int, msgspec.Meta(ge=0, le=2**32 - 1)] | None = None
    stop: tuple[str, ...] | None = None


class WindowState(msgspec.Struct, frozen=True, kw_only=True):
    """How the window was left. geometry: what QWidget.saveGeometry gives, in base64."""

    geometry: str = ""
    sidebar_folded: bool = False
    inspector_folded: bool = False
    last_page: str = ""


LANGUAGE: Setting[str] = Setting(
    key="general.language",
    type=str,
    default="system",
    since="0.1",
    section=GENERAL,
    title=QT_TRANSLATE_NOOP("core", "Language"),
    help=QT_TRANSLATE_NOOP("core", "The language of the window. It changes at the next start."),
    choices=(
        SettingChoice("system", QT_TRANSLATE_NOOP("core", "As the system")),
        SettingChoice("en", "English"),
        SettingChoice("zh_CN", "简体中文"),
    ),
)
THEME: Setting[str] = Setting(
    key="general.theme",
    type=str,
    default="system",
    since="0.1",
    section=GENERAL,
    title=QT_TRANSLATE_NOOP("core", "Colours"),
    help=QT_TRANSLATE_NOOP("core", "Light or dark colours, or whatever the system uses."),
    choices=(
        SettingChoice("system", QT_TRANSLATE_NOOP("core", "As the system")),
        SettingChoice("light", QT_TRANSLATE_NOOP("core", "Light")),
        SettingChoice("dark", QT_TRANSLATE_NOOP("core", "Dark")),
    ),
)
WINDOW_STATE: Setting[WindowState] = Setting(
    key="general.window_state", type=WindowState, default=WindowState(), since="0.1", section=GENERAL, hidden=True
)
WELCOME_DONE: Setting[bool] = Setting(
    key="general.welcome_done", type=bool, default=False, since="0.1", section=GENERAL, hidden=True
)
MODELS_FOLDER: Setting[str] = Setting(
    key="models.folder",
    type=str,
    default="",
    since="0.1",
    section=MODELS,
    title=QT_TRANSLATE_NOOP("core", "Models folder"),
    help=QT_TRANSLATE_NOOP("core", "Where downloaded models are kept. Empty means Snug's own data folder."),
    problem=folder_problem,
)
DEFAULT_MODEL: Setting[str] = Setting(
    key="models.default",
    type=str,
    default="",
    since="0.1",
    section=MODELS,
    title=QT_TRANSLATE_NOOP("core", "Model for new chats"),
    help=QT_TRANSLATE_NOOP("core", "Which model is loaded when Snug starts. At first that is the built-in one."),
)
LAST_MODEL: Setting[str] = Setting(key="models.last", type=str, default="", since="0.1", section=MODELS, hidden=True)
WANTED_CONTEXT: Setting[int] = Setting(
    key="models.context",
    type=int,
    default=8192,
    since="0.1",
    section=MODELS,
    title=QT_TRANSLATE_NOOP("core", "Context length"),
    help=QT_TRANSLATE_NOOP("core", "How many tokens a conversation may hold. More context needs more memory."),
    minimum=512,
    maximum=1_048_576,
)
MINIMUM_SPEED: Setting[float] = Setting(
    key="models.minimum_speed",
    type=float,
    default=10.0,
    since="0.1",
    section=MODELS,
    title=QT_TRANSLATE_NOOP("core", "Slowest speed to recommend"),
    help=QT_TRANSLATE_NOOP("core", "Models expected to write fewer tokens per second are not recommended."),
    minimum=0,
    maximum=1000,
)
HF_ENDPOINT: Setting[str] = Setting(
    key="network.hf_endpoint",
    type=str,
    default="",
    since="0.1",
    section=NETWORK,
    title=QT_TRANSLATE_NOOP("core", "Hugging Face address"),
    help=QT_TRANSLATE_NOOP("core", "A mirror to download from. Empty means https://huggingface.co."),
    environment="HF_ENDPOINT",
)
OFFLINE: Setting[bool] = Setting(
    key="network.offline",
    type=bool,
    default=False,
    since="0.1",
    section=NETWORK,
    title=QT_TRANSLATE_NOOP("core", "No network"),
    help=QT_TRANSLATE_NOOP("core", "Snug opens no connection at all while this is on."),
)
MEMORY_MARGIN: Setting[int] = Setting(
    key="memory.margin",
    type=int,
    default=256 * MIB,
    since="0.1",
    section=MEMORY,
    title=QT_TRANSLATE_NOOP("core", "Memory to leave free"),
    help=QT_TRANSLATE_NOOP("core", "Bytes left free on each device, so that other programs find room."),
    minimum=0,
    maximum=64 * 1024 * MIB,
)
KV_TYPE: Setting[KvCacheType] = Setting(
    key="memory.kv_type",
    type=KvCacheType,
    default="f16",
    since="0.1",
    section=MEMORY,
    title=QT_TRANSLATE_NOOP("core", "KV cache"),
    help=QT_TRANSLATE_NOOP(
        "core", "How exactly the conversation is remembered: q8_0 needs half the memory and loses very little."
    ),
    choices=(SettingChoice("f16", "f16"), SettingChoice("q8_0", "q8_0")),
)
CACHE_RAM: Setting[int] = Setting(
    key="memory.conversations_ram",
    type=int,
    default=256 * MIB,
    since="0.1",
    section=MEMORY,
    title=QT_TRANSLATE_NOOP("core", "Main memory for conversations"),
    help=QT_TRANSLATE_NOOP("core", "Bytes for conversations that wait, so that they need not be read again. 0: none."),
    minimum=0,
    maximum=256 * 1024 * MIB,
)
CACHE_DISK: Setting[int] = Setting(
    key="memory.conversations_disk",
    type=int,
    default=2048 * MIB,
    since="0.1",
    section=MEMORY,
    title=QT_TRANSLATE_NOOP("core", "Disk space for conversations"),
    help=QT_TRANSLATE_NOOP(
        "core",
        "Bytes that let long conversations go on at once after a restart. 0: none, and what is there is removed.",
    ),
    minimum=0,
    maximum=1024 * 1024 * MIB,
)
ENGINE_THREADS: Setting[int] = Setting(
    key="engine.threads",
    type=int,
    default=0,
    since="0.1",
    section=ENGINE,
    title=QT_TRANSLATE_NOOP("core", "CPU threads"),
    help=QT_TRANSLATE_NOOP("core", "How many processor threads the engine uses. 0 means one per physical core."),
    minimum=0,
    maximum=1024,
)
ENGINE_PARALLEL: Setting[int] = Setting(
    key="engine.parallel",
    type=int,
    default=4,
    since="0.1",
    section=ENGINE,
    title=QT_TRANSLATE_NOOP("core", "Replies at the same time"),
    help=QT_TRANSLATE_NOOP("core", "How many requests are answered at once; they share the context's memory."),
    minimum=1,
    maximum=64,
)
SPECULATION: Setting[SpeculationChoice] = Setting(
    key="engine.speculation",
    type=SpeculationChoice,
    default="auto",
    since="0.1",
    section=ENGINE,
    title=QT_TRANSLATE_NOOP("core", "Guess tokens ahead"),
    help=QT_TRANSLATE_NOOP("core", "Guesses words and lets the model check them: the same text, often sooner."),
    choices=(
        SettingChoice("auto", QT_TRANSLATE_NOOP("core", "Where it helps")),
        SettingChoice("off", QT_TRANSLATE_NOOP("core", "Off")),
    ),
)
TEMPERATURE: Setting[float | None] = Setting(
    key="chat.temperature",
    type=float | None,
    default=None,
    since="0.1",
    section=CHAT,
    title=QT_TRANSLATE_NOOP("core", "Temperature"),
    help=QT_TRANSLATE_NOOP(
        "core", "Low is precise, high is surprising. Used where the model's publisher says nothing."
    ),
    minimum=0,
    maximum=2,
)
TOP_P: Setting[float | None] = Setting(
    key="chat.top_p",
    type=float | None,
    default=None,
    since="0.1",
    section=CHAT,
    title=QT_TRANSLATE_NOOP("core", "Top-p"),
    help=QT_TRANSLATE_NOOP(
        "core", "Keeps the likeliest words up to this share. Used where the publisher says nothing."
    ),
    minimum=0.01,
    maximum=1,
)
MAX_LENGTH: Setting[int | None] = Setting(
    key="chat.max_length",
    type=int | None,
    default=None,
    since="0.1",
    section=CHAT,
    title=QT_TRANSLATE_NOOP("core", "Max length"),
    help=QT_TRANSLATE_NOOP("core", "The most new tokens of one reply. 0 means up to the end of the context."),
    minimum=0,
    maximum=1_048_576,
)
SYSTEM_PROMPT: Setting[str | None] = Setting(
    key="chat.system_prompt",
    type=str | None,
    default=None,
    since="0.1",
    section=CHAT,
    title=QT_TRANSLATE_NOOP("core", "System prompt"),
    help=QT_TRANSLATE_NOOP("core", "What the model is told before each new conversation."),
)
SEND_WITH_ENTER: Setting[bool] = Setting(
    key="chat.send_with_enter",
    type=bool,
    default=True,
    since="0.1",
    section=CHAT,
    title=QT_TRANSLATE_NOOP("core", "Enter sends"),
    help=QT_TRANSLATE_NOOP("core", "Enter sends and Shift+Enter breaks the line; switched off, Ctrl+Enter sends."),
)
MODEL_SAMPLING: Setting[dict[str, SamplingOverrides]] = Setting(
    key="chat.model_sampling", type=dict[str, SamplingOverrides], default={}, since="0.1", section=CHAT, hidden=True
)

ALL_SETTINGS: tuple[Setting[Any], ...] = tuple(
    value for value in list(globals().values()) if isinstance(value, Setting)
)

_UNREADABLE = QT_TRANSLATE_NOOP("core", "The settings file could not be read ({reason}). Defaults are used.")
_KEPT_ASIDE = QT_TRANSLATE_NOOP(
    "core", "The settings file could not be read ({reason}). Defaults are used; the old file was kept as {path}."
)
_BAD_VALUE = QT_TRANSLATE_NOOP(
    "core", "The setting {setting} cannot be {value}. Its default is used until you change it."
)


class SettingsStore:
    """The person's settings. Thread-safe; two processes may write: each keeps what the other changed."""

    def __init__(self, path: Path) -> None:
        """Nothing is read; use `open`."""
        self._path = path
        self._lock = threading.RLock()
        self._raw: dict[str, Any] = {}
        self._values: dict[str, Any] = {}
        self._listeners: list[Changed] = []
        self.notices: tuple[Phrase, ...] = ()

    @classmethod
    def open(cls, path: Path) -> "SettingsStore":
        """Read `path`; a file that is missing or bad gives defaults, and `notices` says what was bad."""
        store = cls(path)
        try:
            store._raw = store._read()
        except FileNotSaved as error:
            store._notice(_UNREADABLE, reason=error.arguments["reason"])
        store._convert()
        return store

    def get(self, setting: Setting[T]) -> T:
        """Return the value in force: the environment's, the file's, or the default."""
        if self.is_overridden(setting):
            return setting.validated(os.environ[setting.environment])
        with self._lock:
            return cast("T", self._values.get(setting.key, setting.default))

    def is_overridden(self, setting: Setting[Any]) -> bool:
        """Whether an environment variable decides, so that the page can say so."""
        return bool(setting.environment and os.environ.get(setting.environment))

    def set(self, setting: Setting[T], value: T) -> None:
        """Validate and save one value; others in the file stay, those of a newer version as well.

        Raises SettingRejected, DiskFull, FileNotSaved (the file is then unchanged, and so is the value).
        """
        valid = setting.validated(value)
        self._write(setting, lambda raw: raw | {setting.key: msgspec.to_builtins(valid)})

    def reset(self, setting: Setting[Any]) -> None:
        """Return to the default. Raises DiskFull, FileNotSaved."""
        self._write(setting, lambda raw: {key: kept for key, kept in raw.items() if key != setting.key})

    def subscribe(self, callback: Changed) -> Callable[[], None]:
        """Call `callback(setting, value)` after each change made through this store; returns the way to end it."""
        self._listeners.append(callback)
        return lambda: self._listeners.remove(callback)

    def _write(self, setting: Setting[Any], change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        with self._lock, locked(self._path):
            raw = change(self._read())
            write_atomically(self._path, msgspec.json.format(msgspec.json.encode(raw), indent=2) + b"\n")
            self._raw = raw
            self._convert()
        for callback in tuple(self._listeners):
            callback(setting, self.get(setting))

    def _read(self) -> dict[str, Any]:
        """The file's entries; a file that is no JSON object is moved aside. Raises FileNotSaved where it must stay."""
        try:
            data = read_bounded(self._path)
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise FileNotSaved(path=str(self._path), reason=error.strerror or str(error), detail=error) from error
        try:
            return msgspec.json.decode(data.removeprefix(b"\xef\xbb\xbf"), type=dict[str, Any])
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            self._notice(_KEPT_ASIDE, reason=str(error), path=str(move_aside(self._path)))
            return {}

    def _convert(self) -> None:
        """Take over the good values of `_raw`; a bad one stays in the file, and is told once."""
        self._values = {}
        for setting in ALL_SETTINGS:
            if setting.key not in self._raw:
                continue
            try:
                self._values[setting.key] = setting.validated(self._raw[setting.key])
            except SettingRejected as error:
                self._notice(_BAD_VALUE, setting=setting.key, value=error.arguments["value"])

    def _notice(self, template: str, **arguments: str | float) -> None:
        if (notice := Phrase(template, dict(arguments))) not in self.notices:
            self.notices += (notice,)
