"""Kills a process that writes chats, at random points, and looks at what is left."""

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import apsw
import pytest

from desktop.chat.messages import MessageState
from desktop.chat.store import ChatStore

_KILLS = 15
_SEED = 20_261_122

# Writes turns as fast as it can; a line on stdout says what has been promised to be on the disk.
_WRITER = """
import sys
from pathlib import Path
from desktop.chat.messages import MessageState
from desktop.chat.store import ChatStore

store = ChatStore.open(Path(sys.argv[1]))
print("open", flush=True)
while True:
    conversation = store.create_conversation()
    for turn in range(5):
        asked, reply = store.add_turn(conversation.id, text=f"question {turn}", model="m")
        print("asked", asked.id, flush=True)
        text = ""
        for word in range(4):
            text += f"word{word} "
            store.save_text(reply.id, text)
            print("saved", reply.id, word, flush=True)
        store.finish(reply.id, state=MessageState.COMPLETE, text=text)
        print("finished", reply.id, flush=True)
"""


def _start(database: Path, root: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen([sys.executable, "-c", _WRITER, str(database)], cwd=root, stdout=subprocess.PIPE, text=True)


def _kill_after(writer: "subprocess.Popen[str]", promises: int, seconds: float) -> list[list[str]]:
    """Kill it so long after it has promised so much; all that it promised."""
    assert writer.stdout is not None
    assert writer.stdout.readline() == "open\n"
    lines = [writer.stdout.readline() for _ in range(promises)]
    time.sleep(seconds)
    writer.send_signal(signal.SIGKILL)
    lines += writer.communicate()[0].splitlines(keepends=True)
    return [line.split() for line in lines if line.endswith("\n")]


def _check(store: ChatStore, promises: list[list[str]]) -> None:
    saved: dict[str, int] = {}
    for kind, message_id, *word in promises:
        message = store.message(message_id)  # raises where it was lost
        if kind == "saved":
            saved[message_id] = int(word[0])
        if kind == "finished":
            assert message.state is MessageState.COMPLETE
    for message_id, number in saved.items():
        assert f"word{number} " in store.message(message_id).text


@pytest.mark.skipif(sys.platform == "win32", reason="uses SIGKILL")
def test_no_promised_word_is_lost_when_the_program_is_killed(tmp_path: Path, project_root: Path) -> None:
    chance = random.Random(_SEED)
    database = tmp_path / "chats.sqlite3"
    promises: list[list[str]] = []
    for _ in range(_KILLS):
        writer = _start(database, project_root)
        promises += _kill_after(writer, chance.randint(10, 40), chance.uniform(0.0, 0.01))
    store = ChatStore.open(database)
    _check(store, promises)
    store.close()
    assert len(promises) > 200
    with apsw.Connection(str(database)) as connection:
        assert connection.execute("PRAGMA integrity_check").get == "ok"
        assert connection.execute("SELECT count(*) FROM message WHERE state = 'streaming'").get == 0
        assert connection.execute("SELECT count(*) FROM message WHERE state = 'interrupted'").get > 0
    connection.close()


@pytest.mark.skipif(sys.platform == "win32", reason="uses SIGKILL")
def test_a_reply_becomes_interrupted_only_when_its_process_has_died(tmp_path: Path, project_root: Path) -> None:
    database = tmp_path / "chats.sqlite3"
    script = (
        _WRITER.split("    for turn", maxsplit=1)[0]
        + """
    asked, reply = store.add_turn(conversation.id, text="question", model="m")
    store.save_text(reply.id, "half a rep")
    print(reply.id, flush=True)
    sys.stdin.read()
"""
    )
    writer = subprocess.Popen(
        [sys.executable, "-c", script, str(database)],
        cwd=project_root,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert writer.stdout is not None
        writer.stdout.readline()
        reply = writer.stdout.readline().strip()
        store = ChatStore.open(database)
        assert store.message(reply).state is MessageState.STREAMING
        store.close()
    finally:
        writer.kill()
        writer.communicate()
    store = ChatStore.open(database)
    kept = store.message(reply)
    store.close()
    assert (kept.state, kept.text) == (MessageState.INTERRUPTED, "half a rep")
