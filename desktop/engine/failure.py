"""Failures of the engine in words: what happened, and what to do next.

`explain_failure` makes an AppError of the plain data; engine/exits.py makes that of an exit code.
"""

from desktop.engine.protocol import EngineFailure, FailureKind
from desktop.errors import QT_TRANSLATE_NOOP, AppError, Argument


class EngineError(AppError):
    """Base of everything the engine can fail with; `failure` is the plain data, where there is any."""

    failure: EngineFailure | None = None


class OutOfMemory(EngineError):
    """A device had no room for the model, its KV cache or its compute buffers."""

    message = QT_TRANSLATE_NOOP("core", "There is not enough memory on {device} for this model.")
    hint = QT_TRANSLATE_NOOP(
        "core", "Choose a shorter context, fewer layers on the GPU or a smaller quantization, or close other programs."
    )


class ModelFileMissing(EngineError):
    """The model's file is not there."""

    message = QT_TRANSLATE_NOOP("core", "The model file {path} is not there any more.")
    hint = QT_TRANSLATE_NOOP("core", "Download the model again, or put the file back.")


class NotAModel(EngineError):
    """The file is no GGUF."""

    message = QT_TRANSLATE_NOOP("core", "{path} is not a model file (GGUF).")
    hint = QT_TRANSLATE_NOOP("core", "Choose a file that ends in .gguf and was downloaded completely.")


class CorruptModel(EngineError):
    """The file is cut or damaged."""

    message = QT_TRANSLATE_NOOP("core", "{path} is damaged or incomplete.")
    hint = QT_TRANSLATE_NOOP("core", "Download the model again; the download checks every byte.")


class UnsupportedArchitecture(EngineError):
    """The engine does not know this kind of model."""

    message = QT_TRANSLATE_NOOP("core", "This engine does not know models of the kind “{architecture}”.")
    hint = QT_TRANSLATE_NOOP("core", "Choose another model, or update the program: new kinds come with new engines.")


class DeviceMissing(EngineError):
    """A device of the plan is not there."""

    message = QT_TRANSLATE_NOOP("core", "The device {device}, which the plan for this model uses, is not there.")
    hint = QT_TRANSLATE_NOOP("core", "Let the program plan again for the devices at hand, or check the driver.")


class WorkerUnreachable(EngineError):
    """An RPC worker does not answer."""

    message = QT_TRANSLATE_NOOP("core", "The other machine at {endpoint} does not answer.")
    hint = QT_TRANSLATE_NOOP("core", "Check that it is switched on and shares its devices, or plan without it.")


class NoChatTemplate(EngineError):
    """The model does not say how a conversation is written."""

    message = QT_TRANSLATE_NOOP("core", "This model carries no chat template, so it cannot hold a conversation.")
    hint = QT_TRANSLATE_NOOP("core", "Choose an instruction-tuned model: its name often ends in Instruct or Chat.")


class BadChatTemplate(EngineError):
    """The model's template does not work."""

    message = QT_TRANSLATE_NOOP("core", "The model's chat template cannot be used: {reason}")
    hint = QT_TRANSLATE_NOOP("core", "Choose another file of this model, from its publisher if possible.")


class ContextFull(EngineError):
    """The conversation is longer than the context; nothing was left out silently."""

    message = QT_TRANSLATE_NOOP(
        "core", "The conversation needs {needed} tokens, but the model's context holds {available}."
    )
    hint = QT_TRANSLATE_NOOP("core", "Load the model with a longer context, or begin a new conversation.")


class NoModel(EngineError):
    """Nothing is loaded."""

    message = QT_TRANSLATE_NOOP("core", "No model is loaded.")
    hint = QT_TRANSLATE_NOOP("core", "Load a model first.")


class BadRequest(EngineError):
    """The engine was asked for something that makes no sense."""

    message = QT_TRANSLATE_NOOP("core", "The engine cannot do what it was asked for: {reason}")
    hint = QT_TRANSLATE_NOOP("core", "This is a fault of the program. Please report it with the log.")


class BadGrammar(EngineError):
    """A grammar or JSON schema that the engine cannot follow."""

    message = QT_TRANSLATE_NOOP("core", "The grammar or JSON schema for this reply cannot be used: {reason}")
    hint = QT_TRANSLATE_NOOP("core", "Correct the grammar or schema, or ask without it.")


class BadMedia(EngineError):
    """An image or a recording that cannot be read, or a model that takes none."""

    message = QT_TRANSLATE_NOOP("core", "The attached file cannot be used: {reason}")
    hint = QT_TRANSLATE_NOOP("core", "Attach a JPEG, PNG, WAV or MP3 file, and use a model that can see or hear.")


class QueueFull(EngineError):
    """More requests wait than the engine takes."""

    message = QT_TRANSLATE_NOOP("core", "The engine is busy: {waiting} requests wait already.")
    hint = QT_TRANSLATE_NOOP("core", "Try again when some of them are answered.")


class WrongPurpose(EngineError):
    """A chat was asked of an embedding model, or the other way round."""

    message = QT_TRANSLATE_NOOP("core", "The loaded model is not made for this: {reason}")
    hint = QT_TRANSLATE_NOOP("core", "Load a model that is made for it.")


class DriverReset(EngineError):
    """The graphics driver was reset, or lost its device, under the engine."""

    message = QT_TRANSLATE_NOOP("core", "The graphics driver was reset while the engine used {device}.")
    hint = QT_TRANSLATE_NOOP("core", "If it happens again, update the driver or put fewer layers on the GPU.")


class VersionMismatch(EngineError):
    """Program and engine are of different versions."""

    message = QT_TRANSLATE_NOOP("core", "The engine belongs to another version of this program.")
    hint = QT_TRANSLATE_NOOP("core", "Install the program again, so that all its parts are of one version.")


class EngineMissing(EngineError):
    """The engine cannot be started at all."""

    message = QT_TRANSLATE_NOOP("core", "The engine cannot be started: {reason}")
    hint = QT_TRANSLATE_NOOP("core", "Run the set-up again: its part that builds llama-cpp-python did not finish.")


class IllegalInstruction(EngineError):
    """The engine uses instructions this processor does not have."""

    message = QT_TRANSLATE_NOOP("core", "The engine was built for another processor and cannot run on this one.")
    hint = QT_TRANSLATE_NOOP("core", "Build it on this machine: run the set-up again.")


class SegmentationFault(EngineError):
    """The engine used memory that is not its own."""

    message = QT_TRANSLATE_NOOP("core", "The engine crashed (it used memory that is not its own).")
    hint = QT_TRANSLATE_NOOP("core", "If it happens again, choose another file or driver.")


class EngineAborted(EngineError):
    """The engine found something wrong and ended itself."""

    message = QT_TRANSLATE_NOOP("core", "The engine gave up: {reason}")
    hint = QT_TRANSLATE_NOOP("core", "If it happens again, try fewer layers on the GPU.")


class EngineKilled(EngineError):
    """The system or somebody killed the engine; whether for memory is not known, or known to be wrong."""

    message = QT_TRANSLATE_NOOP("core", "The engine was killed by the system or by another program.")
    hint = QT_TRANSLATE_NOOP(
        "core", "If nobody ended it on purpose, close other programs, or choose a smaller model or context."
    )


class KilledForMemory(EngineError):
    """The kernel says that it killed the engine because the machine, or what it may use of it, was out of memory."""

    message = QT_TRANSLATE_NOOP("core", "The system ended the engine, because the memory ran out.")
    hint = QT_TRANSLATE_NOOP("core", "Close other programs, or choose a smaller model or context.")


class EngineUnresponsive(EngineError):
    """The engine stopped answering and was ended."""

    message = QT_TRANSLATE_NOOP("core", "The engine did not answer any more and was ended.")
    hint = QT_TRANSLATE_NOOP("core", "If it happens again, update the graphics driver.")


class EngineExited(EngineError):
    """The engine ended without a reason that is known."""

    message = QT_TRANSLATE_NOOP("core", "The engine ended unexpectedly (exit code {code}): {reason}")
    hint = QT_TRANSLATE_NOOP("core", "If it happens again, look into the log.")


class LoadFailure(EngineError):
    """A load that failed for a reason without a class of its own."""

    message = QT_TRANSLATE_NOOP("core", "The model could not be loaded: {reason}")
    hint = QT_TRANSLATE_NOOP("core", "Try another file or a shorter context. The log has the engine's own words.")


class LoadCancelled(EngineError):
    """The load was given up on request."""

    message = QT_TRANSLATE_NOOP("core", "Loading was cancelled.")
    hint = QT_TRANSLATE_NOOP("core", "Load the model again when you need it.")


class RequestCancelled(EngineError):
    """A request was stopped before it was answered."""

    message = QT_TRANSLATE_NOOP("core", "The request was cancelled.")
    hint = QT_TRANSLATE_NOOP("core", "Ask again when you need the answer.")


class InternalFailure(EngineError):
    """A fault inside the engine."""

    message = QT_TRANSLATE_NOOP("core", "The engine failed inside: {reason}")
    hint = QT_TRANSLATE_NOOP("core", "Try again. If it happens again, please report it with the log.")


_CLASSES: dict[FailureKind, type[EngineError]] = {
    FailureKind.OUT_OF_MEMORY: OutOfMemory,
    FailureKind.FILE_MISSING: ModelFileMissing,
    FailureKind.NOT_A_MODEL: NotAModel,
    FailureKind.CORRUPT_FILE: CorruptModel,
    FailureKind.UNSUPPORTED_ARCHITECTURE: UnsupportedArchitecture,
    FailureKind.DEVICE_MISSING: DeviceMissing,
    FailureKind.WORKER_UNREACHABLE: WorkerUnreachable,
    FailureKind.NO_CHAT_TEMPLATE: NoChatTemplate,
    FailureKind.BAD_CHAT_TEMPLATE: BadChatTemplate,
    FailureKind.CONTEXT_FULL: ContextFull,
    FailureKind.NO_MODEL: NoModel,
    FailureKind.BAD_REQUEST: BadRequest,
    FailureKind.BAD_GRAMMAR: BadGrammar,
    FailureKind.BAD_MEDIA: BadMedia,
    FailureKind.QUEUE_FULL: QueueFull,
    FailureKind.WRONG_PURPOSE: WrongPurpose,
    FailureKind.DRIVER_RESET: DriverReset,
    FailureKind.VERSION_MISMATCH: VersionMismatch,
    FailureKind.ENGINE_MISSING: EngineMissing,
    FailureKind.ILLEGAL_INSTRUCTION: IllegalInstruction,
    FailureKind.SEGMENTATION_FAULT: SegmentationFault,
    FailureKind.ABORTED: EngineAborted,
    FailureKind.KILLED: EngineKilled,
    FailureKind.KILLED_FOR_MEMORY: KilledForMemory,
    FailureKind.UNRESPONSIVE: EngineUnresponsive,
    FailureKind.EXITED: EngineExited,
    FailureKind.LOAD_FAILED: LoadFailure,
    FailureKind.CANCELLED: LoadCancelled,
    FailureKind.INTERNAL: InternalFailure,
}

_UNNAMED = {
    "device": "the device",
    "architecture": "?",
    "endpoint": "?",
    "path": "?",
    "needed": "?",
    "available": "?",
    "waiting": "?",
}


def explain_failure(failure: EngineFailure) -> EngineError:
    """Return the error to raise for a failure; its `failure` and `detail` keep the plain data for the log."""
    arguments: dict[str, Argument] = {
        **_UNNAMED,
        **failure.arguments,
        "reason": failure.detail,
        "code": failure.exit_code or 0,
    }
    error = _CLASSES[failure.kind](detail=failure, **arguments)
    error.failure = failure
    return error
