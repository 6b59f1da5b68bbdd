"""What goes wrong inside the child, as an exception that carries the plain data of an EngineFailure."""

import logging
import re
from collections.abc import Iterable

from desktop.engine.protocol import EngineFailure, FailureKind

log = logging.getLogger(__name__)


class EngineError(Exception):
    """A failure with a kind; `failure` crosses to the app."""

    def __init__(
        self, kind: FailureKind, detail: str = "", *, last_lines: Iterable[str] = (), **arguments: str
    ) -> None:
        super().__init__(f"{kind}: {detail}")
        self.failure = EngineFailure(kind=kind, detail=detail, last_lines=tuple(last_lines), arguments=arguments)


def as_engine_error(error: Exception) -> EngineError:
    """Return an EngineError as it is, a MemoryError as OUT_OF_MEMORY; anything else, a fault of ours, as INTERNAL.

    Every request is answered by code of its own, and one that meets a fault must not take the others down with the
    child. The traceback goes to stderr, where the owner reads it.
    """
    if isinstance(error, EngineError):
        return error
    log.error("a request failed inside", exc_info=error)
    kind = FailureKind.OUT_OF_MEMORY if isinstance(error, MemoryError) else FailureKind.INTERNAL
    return EngineError(kind, f"{type(error).__name__}: {error}")


# What libllama and ggml write before they give up, as seen in llama.cpp 0c1e57098. Order matters: first match wins.
_LOAD_PATTERNS: tuple[tuple[FailureKind, re.Pattern[str]], ...] = (
    (FailureKind.UNSUPPORTED_ARCHITECTURE, re.compile(r"unknown model architecture: '(?P<architecture>[^']*)'")),
    (FailureKind.UNSUPPORTED_ARCHITECTURE, re.compile(r"unknown pre-tokenizer type: '(?P<architecture>[^']*)'")),
    (FailureKind.UNSUPPORTED_ARCHITECTURE, re.compile(r"unknown tokenizer: '(?P<architecture>[^']*)'")),
    (FailureKind.OUT_OF_MEMORY, re.compile(r"(?:unable to|failed to) allocate (?P<device>\S+) buffer")),
    (FailureKind.OUT_OF_MEMORY, re.compile(r"allocating [\d.]+ MiB on device (?P<device>\d+)")),
    (FailureKind.OUT_OF_MEMORY, re.compile(r"(?i)out of memory|OutOfDeviceMemory|insufficient memory|bad_alloc")),
    (FailureKind.OUT_OF_MEMORY, re.compile(r"failed to (?:allocate|mmap).*(?:kv cache|buffer)|Cannot allocate memory")),
    (FailureKind.WORKER_UNREACHABLE, re.compile(r"(?i)failed to connect to (?P<endpoint>\S+)|RPC server")),
    (FailureKind.NOT_A_MODEL, re.compile(r"invalid magic characters")),
    (FailureKind.CORRUPT_FILE, re.compile(r"not within the file bounds|corrupt|incomplete|failed to read|invalid")),
    (FailureKind.CORRUPT_FILE, re.compile(r"GGUF file is version|missing tensor|wrong (?:shape|number of tensors)")),
    (FailureKind.CORRUPT_FILE, re.compile(r"tensor '[^']*' not found|out of array bounds|cannot find tokenizer")),
    (
        FailureKind.CORRUPT_FILE,
        re.compile(r"key not found in model|duplicate|has (?:wrong|invalid)|unexpectedly reached"),
    ),
)


def decode_load_failure(lines: Iterable[str], path: str) -> EngineError:
    """Turn the engine's own lines of a failed load into a failure with a kind."""
    told = [line for line in lines if line]
    for kind, pattern in _LOAD_PATTERNS:
        for line in told:
            if match := pattern.search(line):
                found = {name: value for name, value in match.groupdict().items() if value}
                return EngineError(kind, line, last_lines=told[-20:], path=path, **found)
    detail = told[-1] if told else "the engine gave no reason"
    return EngineError(FailureKind.LOAD_FAILED, detail, last_lines=told[-20:], path=path)


def decode_failure(result: int, lines: Iterable[str]) -> EngineError:
    """Turn what llama_decode returned, and the engine's own lines of that step, into a failure with a kind."""
    problem = decode_load_failure(lines, "").failure
    kind = FailureKind.OUT_OF_MEMORY if problem.kind == FailureKind.OUT_OF_MEMORY else FailureKind.INTERNAL
    detail = f"llama_decode returned {result}: {problem.detail}"
    return EngineError(kind, detail, last_lines=problem.last_lines, **problem.arguments)
