"""What this machine's own runs have taught: speeds, what a driver takes for itself, and what could be loaded.

Everything here is a gain where it is known and no loss where it is not, so that nothing here raises (expendable.py).
Everything blocks: async callers use asyncio.to_thread.
"""

import logging
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec

from desktop.database import Parameters
from desktop.engine.protocol import DeviceMemory, DeviceSpeeds, KvType
from desktop.errors import QT_TRANSLATE_NOOP, Phrase
from desktop.fit.remembered.expendable import ExpendableDatabase
from desktop.fit.remembered.migrations import MIGRATIONS

Outcome = Literal["loaded", "out_of_memory"]
MOST_RUNS = 2000
"""Rows kept over all models; the oldest go first."""
MOST_OUTCOMES = 1000
MOST_OVERHEADS = 200
_CLOCKS_DIFFER = 3600.0  # seconds
_LAST_OVERHEADS = 5  # the largest of so many: what a driver takes varies with what else uses the card

_MOVED = QT_TRANSLATE_NOOP(
    "core", "What Snug had learned of this machine could not be read ({reason}); it was kept as {path} and begins anew."
)
_log = logging.getLogger(__name__)


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One measured run. Speeds in tokens per second, 0 where not measured or not predicted.

    placement: which devices hold how many layers (`placement_key`). model: identifies the header. depth: tokens of
    conversation before it. predicted_*: what the speed model said before any correction by runs.
    """

    engine: str
    placement: str
    model: str
    quantization: str
    depth: int
    decode: float = 0.0
    prefill: float = 0.0
    predicted_decode: float = 0.0
    predicted_prefill: float = 0.0
    at: float = 0.0


class LoadOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """How a load ended, and with which plan. at: seconds since 1970."""

    outcome: Outcome
    context: int
    type_k: KvType
    type_v: KvType
    n_gpu_layers: int
    n_parallel: int
    at: float = 0.0


class Observed:
    """The database of what was learned. Thread-safe."""

    def __init__(self, path: Path) -> None:
        """Open or create the database at `path`; a damaged one is moved aside first, and `notices` says so."""
        self._database = ExpendableDatabase(path, name="observed", migrations=MIGRATIONS)
        self._database.open()

    @property
    def notices(self) -> tuple[Phrase, ...]:
        """What the person has to know: what was lost."""
        return tuple(
            Phrase.of(_MOVED, reason=lost.error.arguments["reason"], path=str(lost.kept))
            for lost in self._database.lost
        )

    def close(self) -> None:
        """Close the database; it is opened again where it is used again."""
        self._database.close()

    def note_probe(self, speeds: DeviceSpeeds, *, driver: str, engine: str) -> None:
        """Remember what the probe measured on one device; what was known of it is replaced."""
        values = (speeds.description, driver, engine, speeds.threads, msgspec.json.encode(speeds), time.time())
        self._write("INSERT OR REPLACE INTO probes VALUES (?, ?, ?, ?, ?, ?)", values)

    def probe(self, *, device: str, driver: str, engine: str, threads: int) -> DeviceSpeeds | None:
        """What the probe measured; None where this device was not, or with another driver, engine or threads.

        threads: 0 takes the newest figures, whatever they were measured with.
        """
        rows = self._database.read(
            "SELECT figures FROM probes WHERE device = ? AND driver = ? AND engine = ? AND ? IN (0, threads) "
            "ORDER BY at DESC LIMIT 1",
            (device, driver, engine, threads),
        )
        try:
            return msgspec.json.decode(rows[0][0], type=DeviceSpeeds) if rows else None
        except msgspec.MsgspecError as error:
            _log.info("a probe of %s is of another version of the program: %s", device, error)
            return None

    def note_run(self, run: Run) -> None:
        """Remember a run, as one that ended now."""
        columns = "engine, placement, model, quantization, depth, decode, prefill, predicted_decode, predicted_prefill"
        values = (*msgspec.structs.astuple(run)[:-1], time.time())
        self._write(
            f"INSERT INTO runs ({columns}, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608 - a constant
            values,
            trim=("runs", MOST_RUNS),
        )

    def runs(self, *, engine: str) -> tuple[Run, ...]:
        """Runs of any model with this engine, the newest first."""
        rows = self._database.read(
            "SELECT engine, placement, model, quantization, depth, decode, prefill, predicted_decode, "
            "predicted_prefill, at FROM runs WHERE engine = ? ORDER BY id DESC LIMIT 500",
            (engine,),
        )
        return tuple(Run(**dict(zip(Run.__struct_fields__, row, strict=True))) for row in rows)

    def note_overhead(self, device: str, driver: str, engine: str, size: int) -> None:
        """Remember what a device really lost beside weights, KV cache and compute buffers, in bytes.

        device: its description; engine: the version of the build.
        """
        self._write(
            "INSERT INTO overheads (device, driver, engine, size, at) VALUES (?, ?, ?, ?, ?)",
            (device, driver, engine, size, time.time()),
            trim=("overheads", MOST_OVERHEADS),
        )

    def overhead(self, device: str, driver: str, engine: str) -> int | None:
        """The largest of the last overheads of this device, in bytes; None where none was seen."""
        rows = self._database.read(
            "SELECT size FROM overheads WHERE device = ? AND driver = ? AND engine = ? ORDER BY id DESC LIMIT ?",
            (device, driver, engine, _LAST_OVERHEADS),
        )
        return max((size for (size,) in rows), default=None)

    def note_outcome(self, model: str, outcome: LoadOutcome) -> None:
        """Remember how a load ended, as one that ended now. model: identifies the file and the devices."""
        values = (model, *msgspec.structs.astuple(outcome)[:-1], time.time())
        self._write(
            "INSERT INTO outcomes (model, outcome, context, type_k, type_v, n_gpu_layers, n_parallel, at) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            values,
            trim=("outcomes", MOST_OUTCOMES),
        )

    def note_actual(self, load: str, memory: Sequence[DeviceMemory]) -> None:
        """Remember what a load really took per device. load: identifies the file and the plan."""
        self._write("INSERT OR REPLACE INTO actuals VALUES (?, ?, ?)", (load, msgspec.json.encode(memory), time.time()))

    def actual(self, load: str) -> tuple[DeviceMemory, ...]:
        """What such a load took the last time, per device; () where there was none."""
        rows = self._database.read("SELECT memory FROM actuals WHERE load = ?", (load,))
        try:
            return msgspec.json.decode(rows[0][0], type=tuple[DeviceMemory, ...]) if rows else ()
        except msgspec.MsgspecError as error:
            _log.info("what a load took was noted by another version of the program: %s", error)
            return ()

    def outcomes(self, model: str) -> tuple[LoadOutcome, ...]:
        """How loads of this model ended, the newest first; none of a time to come, when the clock was wrong."""
        rows = self._database.read(
            "SELECT outcome, context, type_k, type_v, n_gpu_layers, n_parallel, at FROM outcomes WHERE model = ? "
            "AND at <= ? ORDER BY id DESC LIMIT 100",
            (model, time.time() + _CLOCKS_DIFFER),
        )
        return tuple(LoadOutcome(**dict(zip(LoadOutcome.__struct_fields__, row, strict=True))) for row in rows)

    def _write(self, sql: str, values: Parameters, *, trim: tuple[str, int] | None = None) -> None:
        statements = [(sql, values)]
        if trim is not None:
            table, most = trim
            statements.append((f"DELETE FROM {table} WHERE id <= (SELECT max(id) FROM {table}) - {most}", ()))  # noqa: S608 - constants
        self._database.write(*statements)
