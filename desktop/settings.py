"""Every setting, declared once: the declaration drives validation, the settings page and docs/settings.md."""

from typing import Annotated, Any, Literal, TypeVar

import msgspec

from desktop.errors import QT_TRANSLATE_NOOP
from desktop.files import folder_problem
from desktop.setting import Setting, SettingChoice

T = TypeVar("T")

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
READ_LM_STUDIO: Setting[bool] = Setting(
    key="models.read_lm_studio",
    type=bool,
    default=True,
    since="0.1",
    section=MODELS,
    title=QT_TRANSLATE_NOOP("core", "Models of LM Studio"),
    help=QT_TRANSLATE_NOOP("core", "List what LM Studio has on this disk, where it is. Its files are never touched."),
)
READ_JAN: Setting[bool] = Setting(
    key="models.read_jan",
    type=bool,
    default=True,
    since="0.1",
    section=MODELS,
    title=QT_TRANSLATE_NOOP("core", "Models of Jan"),
    help=QT_TRANSLATE_NOOP("core", "List what Jan has on this disk, where it is. Its files are never touched."),
)
READ_GPT4ALL: Setting[bool] = Setting(
    key="models.read_gpt4all",
    type=bool,
    default=True,
    since="0.1",
    section=MODELS,
    title=QT_TRANSLATE_NOOP("core", "Models of GPT4All"),
    help=QT_TRANSLATE_NOOP("core", "List what GPT4All has on this disk, where it is. Its files are never touched."),
)
READ_OLLAMA: Setting[bool] = Setting(
    key="models.read_ollama",
    type=bool,
    default=True,
    since="0.1",
    section=MODELS,
    title=QT_TRANSLATE_NOOP("core", "Models of Ollama"),
    help=QT_TRANSLATE_NOOP("core", "List what Ollama has on this disk, where it is. Its files are never touched."),
)
READ_HUGGING_FACE: Setting[bool] = Setting(
    key="models.read_hugging_face",
    type=bool,
    default=True,
    since="0.1",
    section=MODELS,
    title=QT_TRANSLATE_NOOP("core", "Hugging Face cache"),
    help=QT_TRANSLATE_NOOP("core", "List the GGUF files of the Hugging Face cache, where they are; never touched."),
)
OTHER_PROGRAMS: dict[str, Setting[bool]] = {
    "lm-studio": READ_LM_STUDIO,
    "jan": READ_JAN,
    "gpt4all": READ_GPT4ALL,
    "ollama": READ_OLLAMA,
    "huggingface": READ_HUGGING_FACE,
}
"""Which setting says whether another program's models are read in place; the keys are those of library Source."""
DOWNLOADS_AT_ONCE: Setting[int] = Setting(
    key="models.downloads_at_once",
    type=int,
    default=2,
    since="0.1",
    section=MODELS,
    title=QT_TRANSLATE_NOOP("core", "Downloads at once"),
    help=QT_TRANSLATE_NOOP("core", "How many models are fetched at the same time; the others wait for their turn."),
    minimum=1,
    maximum=8,
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
TOKEN_TO_MIRROR: Setting[bool] = Setting(
    key="network.token_to_mirror",
    type=bool,
    default=False,
    since="0.1",
    section=NETWORK,
    title=QT_TRANSLATE_NOOP("core", "Send the token to a mirror"),
    help=QT_TRANSLATE_NOOP(
        "core", "Whoever runs the mirror could then use your Hugging Face account. Off, only huggingface.co gets it."
    ),
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
BANDWIDTH_LIMIT: Setting[int] = Setting(
    key="network.bandwidth_limit",
    type=int,
    default=0,
    since="0.1",
    section=NETWORK,
    title=QT_TRANSLATE_NOOP("core", "Limit for downloads"),
    help=QT_TRANSLATE_NOOP("core", "Bytes per second that all downloads take together. 0 is no limit."),
    minimum=0,
    maximum=10**12,
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
MEMORY_GUARD: Setting[bool] = Setting(
    key="memory.guard",
    type=bool,
    default=True,
    since="0.1",
    section=MEMORY,
    title=QT_TRANSLATE_NOOP("core", "Check the memory before loading"),
    help=QT_TRANSLATE_NOOP(
        "core",
        "A model that does not fit is refused, or loaded with a shorter context. Off: it is tried exactly as asked, "
        "which may fail or make the machine slow.",
    ),
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
