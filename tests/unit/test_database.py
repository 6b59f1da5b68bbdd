import contextlib
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import apsw
import pytest

from desktop.database import (
    Database,
    DatabaseBusy,
    DatabaseFromTheFuture,
    DatabaseUnreadable,
    Migration,
    SqliteTooOld,
    clean_text,
    explained_sqlite,
    open_database,
)
from desktop.errors import DiskFull, FileUnreadable
from desktop.files import FileNotSaved


def _first(connection: apsw.Connection) -> None:
    connection.execute("CREATE TABLE note (id INTEGER PRIMARY KEY, text TEXT NOT NULL)")


def _second(connection: apsw.Connection) -> None:
    connection.execute("ALTER TABLE note ADD COLUMN colour TEXT NOT NULL DEFAULT 'white'")


def _broken(connection: apsw.Connection) -> None:
    connection.execute("CREATE TABLE half_done (id)")
    raise RuntimeError("the migration failed")


M1, M2 = Migration(1, "notes", _first), Migration(2, "colour", _second)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "notes.sqlite3"


def opened(path: Path, *migrations: Migration, name: str = "notes") -> Database:
    return open_database(path, name=name, migrations=migrations or (M1,))


def with_notes(path: Path, *texts: str) -> None:
    database = opened(path)
    for text in texts:
        database.execute("INSERT INTO note (text) VALUES (?)", (text,))
    database.close()


def test_what_was_written_is_there_after_a_restart(path: Path) -> None:
    with_notes(path, "first", "第二")
    database = opened(path)
    assert database.read("SELECT text FROM note") == [("first",), ("第二",)]
    database.close()


def test_the_connection_is_safe_against_power_loss_and_other_writers(path: Path) -> None:
    database = opened(path)
    pragmas = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
    assert [database.read(f"PRAGMA {name}")[0][0] for name in pragmas] == ["wal", 2, 1, 5000]
    database.close()


def test_closing_leaves_one_file_and_may_be_repeated(path: Path) -> None:
    with_notes(path, "text")
    database = opened(path)
    database.close()
    database.close()
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_a_migration_keeps_the_rows_and_a_copy_of_the_old_file(path: Path) -> None:
    with_notes(path, "kept")
    database = opened(path, M1, M2)
    assert database.read("SELECT text, colour FROM note") == [("kept", "white")]
    database.close()
    [backup] = (path.parent / "backups").iterdir()
    copy = opened(backup)
    assert copy.read("SELECT * FROM note") == [(1, "kept")]
    copy.close()


def test_only_three_backups_are_kept(path: Path) -> None:
    steps = [M1, *(Migration(number, "nothing", lambda _: None) for number in range(2, 8))]
    for count in range(1, 8):
        opened(path, *steps[:count]).close()
    names = sorted(file.name.split("-")[1] for file in (path.parent / "backups").iterdir())
    assert names == ["v4", "v5", "v6"]


def test_a_failed_migration_leaves_the_old_format_and_all_rows(path: Path) -> None:
    with_notes(path, "kept")
    with pytest.raises(RuntimeError):
        opened(path, M1, M2, Migration(3, "broken", _broken))
    database = opened(path)
    assert database.read("SELECT * FROM note") == [(1, "kept")]
    assert database.read("SELECT name FROM sqlite_schema WHERE name = 'half_done'") == []
    database.close()


def test_a_database_from_the_future_is_refused_and_untouched(path: Path) -> None:
    opened(path, M1, M2).close()
    before = path.read_bytes()
    with pytest.raises(DatabaseFromTheFuture) as caught:
        opened(path, M1)
    assert path.read_bytes() == before
    assert "newer version" in caught.value.explain().message
    assert "Install the newest" in caught.value.explain().hint


def test_a_future_database_with_unmerged_changes_is_untouched_as_well(path: Path, project_root: Path) -> None:
    # A process that dies leaves its last writes in the -wal file; a mere close would merge them.
    script = f"""
import os, sys, apsw
sys.path.insert(0, {str(project_root)!r})
from desktop.database import application_id
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
Path({str(path.parent)!r}).mkdir()
c = apsw.Connection({str(path)!r})
c.execute("PRAGMA journal_mode = WAL").fetchall()
c.execute("CREATE TABLE note (text)")
c.execute(f"PRAGMA application_id = {{application_id('notes')}}")
c.execute("PRAGMA user_version = 9")
os._exit(0)
"""
    subprocess.run([sys.executable, "-c", script], check=True)
    wal = path.with_name(path.name + "-wal")
    before = path.read_bytes(), wal.read_bytes()
    with pytest.raises(DatabaseFromTheFuture):
        opened(path)
    assert (path.read_bytes(), wal.read_bytes()) == before


@pytest.mark.parametrize(
    "content", [b"\0" * 64_560, b"this is a text file\n" * 400, b"SQLite format 3\0" + b"\xff" * 5000]
)
def test_a_file_that_is_no_database_is_refused_and_untouched(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(DatabaseUnreadable) as caught:
        opened(path)
    assert path.read_bytes() == content
    assert "left as it is" in caught.value.explain().hint


def test_the_database_of_another_program_is_refused_and_untouched(path: Path) -> None:
    path.parent.mkdir()
    foreign = apsw.Connection(str(path))
    foreign.execute("CREATE TABLE theirs (id)")
    foreign.close()
    before = path.read_bytes()
    with pytest.raises(DatabaseUnreadable, match="another program"):
        opened(path)
    assert path.read_bytes() == before


def test_one_of_our_databases_is_not_mistaken_for_another(path: Path) -> None:
    with_notes(path, "text")
    with pytest.raises(DatabaseUnreadable, match="another program"):
        opened(path, name="chats")


def test_damage_in_the_middle_is_explained_when_it_is_met(path: Path) -> None:
    with_notes(path, *("x" * 3000 for _ in range(20)))
    content = bytearray(path.read_bytes())
    content[4096:40960] = b"\xee" * (40960 - 4096)
    path.write_bytes(content)
    database = opened(path)
    with pytest.raises(DatabaseUnreadable):
        database.read("SELECT sum(length(text)) FROM note")
    database.close()


def test_a_damaged_database_is_not_migrated(path: Path) -> None:
    with_notes(path, *("x" * 3000 for _ in range(20)))
    content = bytearray(path.read_bytes())
    content[8192:40960] = b"\xee" * (40960 - 8192)
    path.write_bytes(content)
    with pytest.raises(DatabaseUnreadable):
        opened(path, M1, M2)


def test_tables_that_are_not_ours_are_explained(path: Path) -> None:
    database = opened(path)
    database.execute("CREATE TRIGGER no BEFORE INSERT ON note BEGIN SELECT raise(ABORT, 'no'); END")
    with pytest.raises(DatabaseUnreadable, match="no"):
        database.execute("INSERT INTO note (text) VALUES ('x')")
    database.execute("DROP TABLE note")
    with pytest.raises(DatabaseUnreadable, match="no such table"):
        database.read("SELECT * FROM note")
    database.close()


def test_a_failed_transaction_leaves_nothing_behind(path: Path) -> None:
    database = opened(path)

    def fail_half_way() -> None:
        with database.transaction():
            database.execute("INSERT INTO note (text) VALUES ('half')")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_half_way()
    assert database.read("SELECT * FROM note") == []
    database.execute("INSERT INTO note (text) VALUES ('whole')")
    assert database.read("SELECT text FROM note") == [("whole",)]
    database.close()


def test_a_full_disk_is_explained_and_committed_rows_stay(path: Path) -> None:
    with_notes(path, "kept")
    database = opened(path)
    [[pages]] = database.read("PRAGMA page_count")
    database.read(f"PRAGMA max_page_count = {pages + 2}")  # SQLite's own full disk

    def write_too_much() -> None:
        with database.transaction():
            for _ in range(50):
                database.execute("INSERT INTO note (text) VALUES (?)", ("x" * 4000,))

    with pytest.raises(DiskFull) as caught:
        write_too_much()
    assert "Free some space" in caught.value.explain().hint
    assert database.read("SELECT text FROM note") == [("kept",)]
    database.execute("UPDATE note SET text = 'still working'")
    database.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of one MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(folder)]
    if shutil.which("mount") is None or subprocess.run(mounting, capture_output=True, check=False).returncode:
        pytest.skip("not run here: no file system may be mounted")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.skipif(sys.platform != "linux", reason="mounts a file system as Linux does")
def test_on_a_full_disk_it_can_be_read_and_written_as_soon_as_there_is_room(small_disk: Path) -> None:
    path = small_disk / "notes.sqlite3"
    with_notes(path, "kept")
    filling = small_disk / "filling"
    with contextlib.suppress(OSError), filling.open("wb", buffering=0) as file:
        while file.write(bytes(4096)):
            pass
    with pytest.raises(DiskFull):
        opened(small_disk / "new.sqlite3")
    database = opened(path)
    assert database.read("SELECT text FROM note") == [("kept",)]
    with pytest.raises(DiskFull):
        database.execute("INSERT INTO note (text) VALUES ('no room')")
    filling.unlink()
    database.execute("INSERT INTO note (text) VALUES ('room')")
    database.close()
    database = opened(path)
    assert database.read("SELECT text FROM note") == [("kept",), ("room",)]
    database.close()


@pytest.mark.skipif(sys.platform != "linux", reason="mounts a file system as Linux does")
def test_on_a_read_only_disk_it_can_be_read(small_disk: Path) -> None:
    path = small_disk / "notes.sqlite3"
    with_notes(path, "kept")
    log = small_disk / "new.sqlite3-wal"
    log.with_name("new.sqlite3").write_bytes(path.read_bytes())
    log.write_bytes(b"not merged")
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    database = opened(path)
    assert database.read("SELECT text FROM note") == [("kept",)]
    with pytest.raises(FileNotSaved):
        database.execute("INSERT INTO note (text) VALUES ('x')")
    database.close()
    with pytest.raises(FileUnreadable):
        opened(path, M1, M2)
    with pytest.raises(FileUnreadable):
        opened(log.with_name("new.sqlite3"))


def test_a_second_writer_is_told_who_is_in_the_way(path: Path) -> None:
    first, second = opened(path), opened(path)
    second.connection.set_busy_timeout(20)
    with first.transaction(), pytest.raises(DatabaseBusy):
        second.execute("INSERT INTO note (text) VALUES ('x')")
    second.execute("INSERT INTO note (text) VALUES ('y')")
    first.close()
    second.close()


def test_closing_does_not_wait_for_another_process_that_writes(path: Path) -> None:
    first, second = opened(path), opened(path)
    with first.transaction():
        second.connection.set_busy_timeout(60_000)  # else it has a few seconds, which a busy machine takes too
        before = time.monotonic()
        second.close()
        assert time.monotonic() - before < 30
    first.close()


def test_an_error_of_a_disk_without_room_is_called_a_full_disk(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full = shutil.disk_usage(path.anchor)._replace(free=0)
    monkeypatch.setattr("desktop.database.shutil.disk_usage", lambda _: full)
    with pytest.raises(DiskFull), explained_sqlite(path):
        raise apsw.IOError("disk I/O error")
    monkeypatch.undo()


def test_those_who_open_a_new_database_at_once_all_get_it(tmp_path: Path) -> None:
    at_once = threading.Barrier(4)

    def open_it(file: Path) -> None:
        at_once.wait(timeout=60)
        open_database(file, name="notes", migrations=(M1,), patience=60).close()  # a slow disk is not what is tried

    with ThreadPoolExecutor(4) as pool:
        for number in range(50):
            list(pool.map(open_it, [tmp_path / f"{number}.sqlite3"] * 4))


def test_threads_share_one_database_without_losing_rows(path: Path) -> None:
    database = opened(path)

    def write(start: int) -> None:
        for number in range(start, start + 20):
            with database.transaction():
                database.execute("INSERT INTO note (id, text) VALUES (?, 'a')", (number,))
                database.execute("UPDATE note SET text = text || 'b' WHERE id = ?", (number,))

    threads = [threading.Thread(target=write, args=(start,)) for start in (0, 100, 200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert database.read("SELECT count(*), min(text), max(text) FROM note") == [(60, "ab", "ab")]
    database.close()


@pytest.mark.parametrize(
    ("text", "clean"), [("plain", "plain"), ("汉字 😀", "汉字 😀"), ("a\ud800b", "a\ufffdb"), ("\ud83d\ude00", "😀")]
)
def test_half_characters_do_not_stop_a_save(path: Path, text: str, clean: str) -> None:
    assert clean_text(text) == clean
    with_notes(path, text)
    database = opened(path)
    assert database.read("SELECT text FROM note WHERE text = ?", (text,)) == [(clean,)]
    database.close()


def test_a_faulty_sqlite_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apsw, "sqlite_lib_version", lambda: "3.51.2")
    with pytest.raises(SqliteTooOld, match=r"3\.51\.3"):
        opened(path)
    assert not path.exists()


def test_a_file_in_place_of_the_folder_is_explained(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("in the way")
    with pytest.raises(FileNotSaved):
        opened(tmp_path / "data" / "notes.sqlite3")


def test_a_gap_in_the_numbers_is_a_programming_error(path: Path) -> None:
    with pytest.raises(ValueError, match="numbered"):
        opened(path, M2)
