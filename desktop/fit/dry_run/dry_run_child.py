"""A child that answers dry runs, one after the other: started when it is first asked, replaced when it died."""

import asyncio
import logging
from contextlib import suppress

import msgspec

from desktop.engine.exits import decode_exit
from desktop.engine.failure import explain_failure
from desktop.engine.protocol import EngineFailure, FailureKind, FitAnswer, FitQuestion
from desktop.errors import AppError
from desktop.hardware.pipe import LineChild

TIMEOUT = 30.0
"""Seconds for an answer; most take some hundredths, the first of a child one."""
_log = logging.getLogger(__name__)


class DryRunChild:
    """One at a time may ask it. Who asks while it is closed, or after, is cancelled."""

    def __init__(self) -> None:
        self._child: LineChild | None = None
        self._closed = False
        self._decoder = msgspec.json.Decoder(FitAnswer)

    @property
    def pid(self) -> int | None:
        """The process, None while there is none."""
        return self._child.pid if self._child is not None else None

    def get_ready(self) -> None:
        """Start the process where there is none: it takes as long as a header needs to arrive."""
        if self._child is None:
            with suppress(AppError):  # who asks then is told
                self._start()

    async def ask(self, question: FitQuestion) -> FitAnswer:
        """Raise an AppError of engine.failure for a child that dies of the question or does not answer."""
        if self._child is not None and self._child.exit_code is not None:
            await self.end()  # it died while nobody asked it anything
        before = self._child
        child = before or self._start()
        line = await self._line_of(child, question)
        if line is None and child is before:  # it was there before, and may have ended before it read this
            _log.info("the child of dry runs ended with %s; a new one is asked the same", before.exit_code)
            child = self._start()
            line = await self._line_of(child, question)
        if line is None:
            self._go_on()
            raise explain_failure(decode_exit(child.exit_code or 0, child.last_words().splitlines()))
        return self._decoder.decode(line)

    async def end(self) -> None:
        """End the process, while nobody asks; the next question has a new one."""
        child, self._child = self._child, None
        if child is not None:
            await child.close()

    async def close(self) -> None:
        """End the process for good."""
        self._closed = True
        await self.end()

    def _go_on(self) -> None:
        # As if the asker was cancelled: the program ends, so that nobody waits for an answer or for words about it.
        if self._closed:
            raise asyncio.CancelledError("the dry runs are closed")

    def _start(self) -> LineChild:
        self._go_on()
        try:
            self._child = LineChild("dry-run")
        except OSError as error:
            raise explain_failure(EngineFailure(kind=FailureKind.ENGINE_MISSING, detail=str(error))) from error
        return self._child

    async def _line_of(self, child: LineChild, question: FitQuestion) -> bytes | None:
        """What the child answers; None where it ended, and then, as after a failure, it is not asked again."""
        answered = False
        try:
            child.write_line(msgspec.json.encode(question))
            line = await child.read_line(TIMEOUT)
            answered = line is not None
        except TimeoutError:
            failure = EngineFailure(kind=FailureKind.UNRESPONSIVE, detail=f"no answer within {TIMEOUT:g} s")
            raise explain_failure(failure) from None
        finally:
            if not answered:  # what it may still say would be taken for the next one's answer
                self._child = None
                await child.close()
        return line
