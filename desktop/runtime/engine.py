"""The engine in the child: carries out commands on the one thread that talks to native code."""

import gc
import os
import queue
import sys
import time

import llama_cpp.llama_cpp as llama
import msgspec

from desktop.engine.protocol import (
    EXIT_VERSION_MISMATCH,
    PROTOCOL_VERSION,
    AppMessage,
    AskStatus,
    Cancel,
    CountTokens,
    Detokenize,
    Embed,
    EngineFailure,
    FailureKind,
    ForgetConversations,
    Generate,
    Hello,
    Load,
    Loaded,
    LoadFailed,
    LoadProgress,
    Open,
    RequestFailed,
    Rerank,
    Status,
    Tokenize,
)
from desktop.runtime.batching.outbox import Outbox
from desktop.runtime.batching.scheduler import Scheduler
from desktop.runtime.cache.tiers import Tiers
from desktop.runtime.devices.backends import Ggml, engine_info, list_devices
from desktop.runtime.embedding.scheduler import EmbeddingScheduler
from desktop.runtime.engine_log import EngineLog
from desktop.runtime.failures import EngineError, as_engine_error
from desktop.runtime.loading.model import Model
from desktop.runtime.tokenizing import answer_tokens
from desktop.runtime.wire import Inbox, Wire

PROGRESS_INTERVAL = 0.05
"""Seconds between two LoadProgress messages."""
LAST_WRITES = 1.0
"""Seconds at the end for conversations that are being written to the disk tier; the owner waits 2 s in all."""


class Engine:
    """Holds the backends and at most one model."""

    def __init__(self, wire: Wire, inbox: Inbox) -> None:
        self._wire, self._inbox = wire, inbox
        self._log = EngineLog()
        self._log.install()
        llama.llama_backend_init()
        self._ggml = Ggml()
        self._model: Model | None = None
        self._scheduler: Scheduler | EmbeddingScheduler | None = None
        self._tiers: Tiers | None = None
        self._told = 0.0
        self._load_id = 0

    def run(self) -> int:
        """Say hello and serve until the owner shuts the child down or goes away; return the exit code."""
        self._wire.send(Hello(version=PROTOCOL_VERSION, pid=os.getpid(), engine=engine_info(self._ggml)))
        while not self._inbox.closing.is_set():
            if self._scheduler is not None and self._scheduler.busy and self._inbox.commands.empty():
                self._scheduler.step()
                continue
            command = self._next_command()
            if isinstance(command, Open) and command.version != PROTOCOL_VERSION:
                sys.stderr.write(f"the app speaks version {command.version}, this engine {PROTOCOL_VERSION}\n")
                return EXIT_VERSION_MISMATCH
            self._carry_out(command)
        self._unload()
        return 0

    def _next_command(self) -> AppMessage:
        """Wait for the owner; the scheduler may use the time."""
        while True:
            try:
                return self._inbox.commands.get(timeout=self._scheduler.rest() if self._scheduler else None)
            except queue.Empty:
                continue

    def _carry_out(self, command: AppMessage) -> None:
        if isinstance(command, Load):
            self._load(command)
        elif isinstance(command, Generate | Embed | Rerank | CountTokens | ForgetConversations):
            self._submit(command)
        elif isinstance(command, Tokenize | Detokenize):
            self._tokenize(command)
        elif isinstance(command, AskStatus):
            self._wire.send(self._status(command))
        elif isinstance(command, Cancel) and not (self._scheduler and self._scheduler.knows(command.request_id)):
            self._inbox.cancelled.discard(command.request_id)  # it was over before the cancel came

    def _status(self, command: AskStatus) -> Status:
        status = self._scheduler.status(command.nonce) if self._scheduler else Status(nonce=command.nonce)
        return msgspec.structs.replace(status, devices=list_devices(self._ggml)) if command.devices else status

    def _load(self, command: Load) -> None:
        self._unload()
        if self._inbox.closing.is_set():
            return
        self._load_id = command.load_id
        try:
            self._model = Model(command.plan, ggml=self._ggml, log=self._log, on_progress=self._on_progress)
        except EngineError as error:
            self._wire.send(LoadFailed(failure=error.failure, load_id=command.load_id))
            return
        except OSError as error:  # a file that went away meanwhile, or a name no file can have
            failure = EngineFailure(kind=FailureKind.LOAD_FAILED, detail=str(error)[:1000])
            self._wire.send(LoadFailed(failure=failure, load_id=command.load_id))
            return
        self._serve(self._model)
        # What is there now stays: the collector need not look at all of it again in the middle of a reply.
        gc.collect()
        gc.freeze()
        self._wire.send(Loaded(model=self._model.loaded, load_id=command.load_id))

    def _serve(self, model: Model) -> None:
        outbox = Outbox(self._wire.send_all)
        if model.plan.purpose != "chat":
            self._scheduler = EmbeddingScheduler(model, log=self._log, outbox=outbox, cancelled=self._inbox.cancelled)
            return
        engine = llama.llama_version().decode()
        self._tiers = Tiers(model.plan.cache, model_key=model.key, engine=engine)
        self._scheduler = Scheduler(
            model, tiers=self._tiers, log=self._log, outbox=outbox, cancelled=self._inbox.cancelled
        )

    def _on_progress(self, fraction: float) -> bool:
        now = time.monotonic()
        if now - self._told >= PROGRESS_INTERVAL or fraction >= 1:
            self._told = now
            self._wire.send(LoadProgress(fraction=fraction, load_id=self._load_id))
        return not self._inbox.load_cancelled.is_set()

    def _submit(self, command: Generate | Embed | Rerank | CountTokens | ForgetConversations) -> None:
        if self._scheduler is None:
            self._refuse(command.request_id, EngineError(FailureKind.NO_MODEL))
        else:
            self._scheduler.submit(command)

    def _tokenize(self, command: Tokenize | Detokenize) -> None:
        """Any model has words, so this does not wait for what is answered meanwhile."""
        if self._model is None:
            self._refuse(command.request_id, EngineError(FailureKind.NO_MODEL))
            return
        try:
            answer = answer_tokens(self._model.vocabulary, command)
        except Exception as error:  # noqa: BLE001 - see as_engine_error
            self._refuse(command.request_id, as_engine_error(error))
        else:
            self._wire.send(answer)

    def _refuse(self, request_id: str, error: EngineError) -> None:
        self._wire.send(RequestFailed(request_id=request_id, failure=error.failure))

    def _unload(self) -> None:
        ended = time.monotonic() + LAST_WRITES
        if self._scheduler is not None:
            self._scheduler.drain(LAST_WRITES)
        if self._tiers is not None:
            self._tiers.close(ended - time.monotonic())
        if self._model is not None:
            self._model.close()
        self._model = self._scheduler = self._tiers = None
        gc.unfreeze()
