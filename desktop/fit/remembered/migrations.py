"""The format of observed.sqlite3, step by step. A released step is never changed."""

import apsw

from desktop.database import Migration


def _what_was_observed(connection: apsw.Connection) -> None:
    connection.execute(
        """
        CREATE TABLE probes (
            device TEXT NOT NULL,           -- the engine's description of it
            driver TEXT NOT NULL,           -- '' for the processor
            engine TEXT NOT NULL,           -- version of the engine's build
            threads INTEGER NOT NULL,       -- 0 on a graphics card
            figures BLOB NOT NULL,          -- DeviceSpeeds as JSON
            at REAL NOT NULL,               -- seconds since 1970
            PRIMARY KEY (device, driver, engine, threads)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE runs (
            id INTEGER PRIMARY KEY,
            engine TEXT NOT NULL,
            placement TEXT NOT NULL,        -- which devices hold how many layers
            model TEXT NOT NULL,            -- identifies the header
            quantization TEXT NOT NULL,
            depth INTEGER NOT NULL,         -- tokens of conversation before it
            decode REAL NOT NULL,           -- tokens per second, 0 where it was not measured
            prefill REAL NOT NULL,
            predicted_decode REAL NOT NULL, -- before any correction by runs, 0 where nothing was predicted
            predicted_prefill REAL NOT NULL,
            at REAL NOT NULL
        ) STRICT;
        CREATE INDEX runs_of_an_engine ON runs (engine);
        """
    )
    _what_loads_taught(connection)


def _what_loads_taught(connection: apsw.Connection) -> None:
    connection.execute(
        """
        CREATE TABLE overheads (
            id INTEGER PRIMARY KEY,
            device TEXT NOT NULL,
            driver TEXT NOT NULL,
            engine TEXT NOT NULL,
            size INTEGER NOT NULL,          -- bytes beside weights, KV cache and compute buffers
            at REAL NOT NULL
        ) STRICT;
        CREATE INDEX overheads_of_a_device ON overheads (device, driver, engine);
        CREATE TABLE outcomes (
            id INTEGER PRIMARY KEY,
            model TEXT NOT NULL,            -- identifies the file and the devices
            outcome TEXT NOT NULL,          -- 'loaded', 'out_of_memory'
            context INTEGER NOT NULL,
            type_k TEXT NOT NULL,
            type_v TEXT NOT NULL,
            n_gpu_layers INTEGER NOT NULL,
            n_parallel INTEGER NOT NULL,
            at REAL NOT NULL
        ) STRICT;
        CREATE INDEX outcomes_of_a_model ON outcomes (model);
        CREATE TABLE actuals (
            load TEXT PRIMARY KEY,          -- identifies the file and the plan
            memory BLOB NOT NULL,           -- DeviceMemory of each device, as JSON
            at REAL NOT NULL
        ) STRICT, WITHOUT ROWID;
        """
    )


MIGRATIONS = (Migration(1, "probes, runs, overheads, outcomes and what loads took", _what_was_observed),)
