"""The engine in the child: carries out commands on the one thread that talks to native code."""

import os
import sys
import time

import llama_cpp.llama_cpp as llama

from desktop.engine.protocol import (
    EXIT_VERSION_MISMATCH,
    PROTOCOL_VERSION,
    AppMessage,
    Cancel,
    EngineFailure,
    FailureKind,
    Generate,
    Hello,
    Load,
    Loaded,
    LoadFailed,
    LoadProgress,
    Open,
    RequestFailed,
)
from desktop.runtime.backends import Ggml, engine_info
from desktop.runtime.engine_log import EngineLog
from desktop.runtime.failures import EngineError
from desktop.runtime.model import Model
from desktop.runtime.scheduler import Scheduler
from desktop.runtime.wire import Inbox, Wire

PROGRESS_INTERVAL = 0.05
"""Seconds between two LoadProgress messages."""


class Engine:
    """Holds the backends and at most one model."""

    def __init__(self, wire: Wire, inbox: Inbox) -> None:
        self._wire, self._inbox = wire, inbox
        self._log = EngineLog()
        self._log.install()
        llama.llama_backend_init()
        self._ggml = Ggml()
        self._model: Model | None = None
        self._scheduler: Scheduler | None = None
        self._told = 0.0
        self._load_id = 0

    def run(self) -> int:
        """Say hello and serve until the owner shuts the child down or goes away; return the exit code."""
        self._wire.send(Hello(version=PROTOCOL_VERSION, pid=os.getpid(), engine=engine_info(self._ggml)))
        commands = self._inbox.commands
        while not self._inbox.closing.is_set():
            busy = self._scheduler is not None and self._scheduler.busy
            if not busy or not commands.empty():
                command = commands.get()
                if isinstance(command, Open) and command.version != PROTOCOL_VERSION:
                    sys.stderr.write(f"the app speaks version {command.version}, this engine {PROTOCOL_VERSION}\n")
                    return EXIT_VERSION_MISMATCH
                self._carry_out(command)
            elif self._scheduler is not None:
                self._scheduler.step()
        self._unload()
        return 0

    def _carry_out(self, command: AppMessage) -> None:
        if isinstance(command, Load):
            self._load(command)
        elif isinstance(command, Generate):
            self._generate(command)
        elif isinstance(command, Cancel) and not (self._scheduler and self._scheduler.knows(command.request_id)):
            self._inbox.cancelled.discard(command.request_id)  # it was over before the cancel came

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
        self._scheduler = Scheduler(self._model, log=self._log, send=self._wire.send, cancelled=self._inbox.cancelled)
        self._wire.send(Loaded(model=self._model.loaded, load_id=command.load_id))

    def _on_progress(self, fraction: float) -> bool:
        now = time.monotonic()
        if now - self._told >= PROGRESS_INTERVAL or fraction >= 1:
            self._told = now
            self._wire.send(LoadProgress(fraction=fraction, load_id=self._load_id))
        return not self._inbox.load_cancelled.is_set()

    def _generate(self, command: Generate) -> None:
        if self._scheduler is None:
            failure = EngineFailure(kind=FailureKind.NO_MODEL)
            self._wire.send(RequestFailed(request_id=command.request_id, failure=failure))
        else:
            self._scheduler.submit(command)

    def _unload(self) -> None:
        if self._scheduler is not None:
            self._scheduler.drain()
        if self._model is not None:
            self._model.close()
        self._model = self._scheduler = None
