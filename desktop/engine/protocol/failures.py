"""Why the engine, a load or a request failed, as plain data; engine/failure.py turns it into words with a next step."""

from enum import StrEnum

import msgspec

EXIT_VERSION_MISMATCH = 64  # of a child that was opened by an app of another protocol version
EXIT_ENGINE_MISSING = 65  # of a child that could not load the engine's libraries


class FailureKind(StrEnum):
    """Why the engine, a load or a request failed; engine/failure.py turns each into words with a next step."""

    OUT_OF_MEMORY = "out_of_memory"
    FILE_MISSING = "file_missing"
    NOT_A_MODEL = "not_a_model"
    CORRUPT_FILE = "corrupt_file"
    UNSUPPORTED_ARCHITECTURE = "unsupported_architecture"
    DEVICE_MISSING = "device_missing"
    WORKER_UNREACHABLE = "worker_unreachable"
    NO_CHAT_TEMPLATE = "no_chat_template"
    BAD_CHAT_TEMPLATE = "bad_chat_template"
    CONTEXT_FULL = "context_full"
    NO_MODEL = "no_model"
    BAD_REQUEST = "bad_request"
    BAD_GRAMMAR = "bad_grammar"
    BAD_MEDIA = "bad_media"
    QUEUE_FULL = "queue_full"
    WRONG_PURPOSE = "wrong_purpose"
    VERSION_MISMATCH = "version_mismatch"
    ENGINE_MISSING = "engine_missing"
    ILLEGAL_INSTRUCTION = "illegal_instruction"
    SEGMENTATION_FAULT = "segmentation_fault"
    ABORTED = "aborted"
    DRIVER_RESET = "driver_reset"
    KILLED = "killed"
    KILLED_FOR_MEMORY = "killed_for_memory"
    UNRESPONSIVE = "unresponsive"
    EXITED = "exited"
    LOAD_FAILED = "load_failed"
    CANCELLED = "cancelled"
    INTERNAL = "internal"


class EngineFailure(msgspec.Struct, frozen=True, kw_only=True):
    """A failure as plain data.

    exit_code: of the child, negative for a signal, None while it lives. last_lines: the end of its stderr.
    arguments: what the words need (device, path, architecture, needed and available tokens ...).
    """

    kind: FailureKind
    detail: str = ""
    exit_code: int | None = None
    last_lines: tuple[str, ...] = ()
    arguments: dict[str, str] = {}
