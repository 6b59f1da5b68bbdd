"""Conversations on disk. Everything blocks and is thread-safe; async callers use asyncio.to_thread.

What a method has returned from is on the disk. Deleting moves to the trash, and `restore` brings it back.
"""

import logging
import threading
import time
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import msgspec

from desktop.chat.messages import Conversation, Failure, Message, MessageState, make_title
from desktop.chat.migrations import MIGRATIONS
from desktop.chat.owner import Owner
from desktop.database import Database, open_database
from desktop.engine.protocol import FinishReason, GenerationStats, Role
from desktop.errors import QT_TRANSLATE_NOOP, AppError, DiskFull

_CONVERSATION = "id, title, created, updated, model, system_prompt, draft, trashed"
_MESSAGE = (
    "id, conversation, role, text, created, state, parent, version, reasoning, model, stats, finish_reason, failure"
)
_S = TypeVar("_S", bound=msgspec.Struct)
_log = logging.getLogger(__name__)


class ConversationMissing(AppError):
    """There is no conversation of that id."""

    message = QT_TRANSLATE_NOOP("core", "This conversation no longer exists.")
    hint = QT_TRANSLATE_NOOP("core", "Choose another one, or begin a new one.")


class MessageMissing(AppError):
    """There is no message of that id."""

    message = QT_TRANSLATE_NOOP("core", "This message no longer exists.")
    hint = QT_TRANSLATE_NOOP("core", "Open the conversation again to see what is there.")


class ChatStore:
    """The conversations of one person. Every method raises what desktop.database.Database raises."""

    def __init__(self, database: Database, owner: Owner) -> None:
        """Use `open`."""
        self._database = database
        self._owner = owner
        self._closing = threading.Lock()
        self._closed = False
        self._unmarked: set[str] = set()

    @classmethod
    def open(cls, path: Path) -> "ChatStore":
        """Open or create the database; replies that a dead process was streaming become interrupted.

        Raises what desktop.database.open_database raises.
        """
        database = open_database(path, name="chats", migrations=MIGRATIONS)
        try:
            store = cls(database, Owner(path))
        except BaseException:
            database.close()
            raise
        store._interrupt_orphans()
        return store

    def close(self) -> None:
        """Close the database; a reply that is still streaming becomes interrupted. Closing twice is harmless."""
        with self._closing:
            if self._closed:
                return
            self._closed = True
        try:
            self._interrupt_all(self._owner.token)
        finally:
            self._database.close()
            self._owner.release()

    # --- Conversations -------------------------------------------------------------------------------------------

    def create_conversation(self, *, title: str = "", system_prompt: str = "", model: str = "") -> Conversation:
        """Begin a conversation. Without a title it gets one from the person's first message."""
        now = time.time()
        conversation_id = uuid4().hex
        self._database.execute(
            "INSERT INTO conversation (id, title, system_prompt, model, created, updated) VALUES (?, ?, ?, ?, ?, ?)",
            (conversation_id, title, system_prompt, model, now, now),
        )
        return self.conversation(conversation_id)

    def conversations(self, search: str = "", *, trashed: bool = False) -> tuple[Conversation, ...]:
        """Return those whose title or text holds `search`, the one used last first; or those in the trash."""
        pattern = "%" + "".join(f"\\{c}" if c in "\\%_" else c for c in search.strip()) + "%"
        rows = self._database.read(
            f"SELECT {_CONVERSATION} FROM conversation AS c WHERE (trashed IS NOT NULL) = ?1 AND (?2 = '%%'"  # noqa: S608
            " OR title LIKE ?2 ESCAPE '\\' OR EXISTS (SELECT 1 FROM message WHERE conversation = c.id"
            " AND text LIKE ?2 ESCAPE '\\')) ORDER BY updated DESC, rowid DESC",
            (int(trashed), pattern),
        )
        return tuple(_conversation(row) for row in rows)

    def conversation(self, conversation_id: str) -> Conversation:
        """Return one conversation, from the trash as well. Raises ConversationMissing."""
        rows = self._database.read(f"SELECT {_CONVERSATION} FROM conversation WHERE id = ?", (conversation_id,))  # noqa: S608
        if not rows:
            raise ConversationMissing
        return _conversation(rows[0])

    def rename(self, conversation_id: str, title: str) -> None:
        """Give a conversation another title. Raises ConversationMissing."""
        self._change(conversation_id, "title = ?", " ".join(title.split()))

    def set_system_prompt(self, conversation_id: str, text: str) -> None:
        """What the model is told first from the next reply on. Raises ConversationMissing."""
        self._change(conversation_id, "system_prompt = ?", text)

    def set_model(self, conversation_id: str, model: str) -> None:
        """Remember which model the conversation uses. Raises ConversationMissing."""
        self._change(conversation_id, "model = ?", model)

    def save_draft(self, conversation_id: str, text: str) -> None:
        """Keep what was typed and not sent. Raises ConversationMissing."""
        self._change(conversation_id, "draft = ?", text)

    def delete(self, conversation_id: str) -> None:
        """Move a conversation to the trash. Raises ConversationMissing."""
        self._change(conversation_id, "trashed = ?", time.time())

    def restore(self, conversation_id: str) -> None:
        """Bring a conversation back from the trash. Raises ConversationMissing."""
        self._change(conversation_id, "trashed = ?", None)

    def _change(self, conversation_id: str, assignment: str, value: str | float | None) -> None:
        sql = f"UPDATE conversation SET {assignment} WHERE id = ?"  # noqa: S608 - the assignments are this file's own
        if not self._database.execute(sql, (value, conversation_id)):
            raise ConversationMissing

    # --- Messages ------------------------------------------------------------------------------------------------

    def messages(self, conversation_id: str) -> tuple[Message, ...]:
        """Return the branch that is shown, oldest first."""
        rows = self._database.read("SELECT leaf FROM conversation WHERE id = ?", (conversation_id,))
        return self.path(rows[0][0]) if rows else ()

    def path(self, message_id: str | None) -> tuple[Message, ...]:
        """Return the messages that lead to `message_id`, that one last."""
        rows = self._database.read(
            "WITH RECURSIVE path (id, depth) AS (SELECT ?, 0 UNION ALL SELECT message.parent, depth + 1 FROM path"  # noqa: S608
            " JOIN message ON message.id = path.id WHERE message.parent IS NOT NULL)"
            f" SELECT {_MESSAGE} FROM path JOIN message USING (id) ORDER BY depth DESC",
            (message_id,),
        )
        return tuple(self._message(row) for row in rows)

    def message(self, message_id: str) -> Message:
        """Return one message. Raises MessageMissing."""
        rows = self._database.read(f"SELECT {_MESSAGE} FROM message WHERE id = ?", (message_id,))  # noqa: S608
        if not rows:
            raise MessageMissing
        return self._message(rows[0])

    def versions(self, message_id: str) -> tuple[Message, ...]:
        """Return `message_id` and the messages that stand beside it, oldest first."""
        rows = self._database.read(
            f"SELECT {_MESSAGE} FROM message AS m WHERE EXISTS (SELECT 1 FROM message AS this WHERE this.id = ?"  # noqa: S608
            " AND this.conversation = m.conversation AND this.parent IS m.parent) ORDER BY version",
            (message_id,),
        )
        return tuple(self._message(row) for row in rows)

    def add_message(
        self,
        conversation_id: str,
        *,
        role: Role,
        text: str,
        state: MessageState = MessageState.COMPLETE,
        parent: str | None = None,
        after_leaf: bool = True,
        model: str = "",
    ) -> Message:
        """Append a message, and show the branch that ends with it.

        after_leaf: follow the end of the shown branch; otherwise `parent` (None is the beginning), as a new version
        beside what stands there. Raises ConversationMissing.
        """
        now, message_id = time.time(), uuid4().hex
        with self._database.transaction():
            rows = self._database.read("SELECT leaf, title FROM conversation WHERE id = ?", (conversation_id,))
            if not rows:
                raise ConversationMissing
            leaf, title = rows[0]
            parent = leaf if after_leaf else parent
            owner = self._owner.token if state is MessageState.STREAMING else None
            self._database.execute(
                "INSERT INTO message (id, conversation, parent, version, role, text, state, model, created, owner)"
                " SELECT ?1, ?2, ?3, 1 + coalesce(max(version), 0), ?4, ?5, ?6, ?7, ?8, ?9 FROM message"
                " WHERE conversation = ?2 AND parent IS ?3",
                (message_id, conversation_id, parent, role, text, state, model, now, owner),
            )
            if not title and role == "user":
                title = make_title(text)
            self._database.execute(
                "UPDATE conversation SET leaf = ?, title = ?, updated = ? WHERE id = ?",
                (message_id, title, now, conversation_id),
            )
        return self.message(message_id)

    def add_turn(self, conversation_id: str, *, text: str, model: str) -> tuple[Message, Message]:
        """Append the person's message and the empty reply that will be streamed, both or neither."""
        with self._database.transaction():
            asked = self.add_message(conversation_id, role="user", text=text)
            self._database.execute("UPDATE conversation SET draft = '' WHERE id = ?", (conversation_id,))
            reply = self.add_message(
                conversation_id, role="assistant", text="", state=MessageState.STREAMING, model=model
            )
        return asked, reply

    def reopen(self, message_id: str) -> Message:
        """Stream into a message once more, after the text that it has. Raises MessageMissing."""
        changed = self._database.execute(
            "UPDATE message SET state = 'streaming', owner = ?, failure = NULL, finish_reason = NULL WHERE id = ?",
            (self._owner.token, message_id),
        )
        if not changed:
            raise MessageMissing
        self._unmarked.discard(message_id)
        return self.message(message_id)

    def save_text(self, message_id: str, text: str, reasoning: str = "") -> None:
        """Keep what was streamed so far; nothing happens once the message is finished."""
        self._database.execute(
            "UPDATE message SET text = ?, reasoning = ? WHERE id = ? AND state = 'streaming'",
            (text, reasoning, message_id),
        )

    def finish(
        self,
        message_id: str,
        *,
        state: MessageState,
        text: str,
        reasoning: str = "",
        stats: GenerationStats | None = None,
        finish_reason: FinishReason | None = None,
        failure: Failure | None = None,
    ) -> Message:
        """End a streamed message. Raises MessageMissing."""
        with self._database.transaction():
            changed = self._database.execute(
                "UPDATE message SET state = ?, text = ?, reasoning = ?, stats = ?, finish_reason = ?, failure = ?,"
                " owner = NULL WHERE id = ?",
                (state, text, reasoning, _json(stats), finish_reason, _json(failure), message_id),
            )
            if not changed:
                raise MessageMissing
            self._database.execute(
                "UPDATE conversation SET updated = ? WHERE id = (SELECT conversation FROM message WHERE id = ?)",
                (time.time(), message_id),
            )
        return self.message(message_id)

    def interrupt(self, message_id: str) -> None:
        """Mark a streamed message interrupted, with the text that was saved.

        This store shows it so even where that cannot be written (a full disk); the next start tries again.
        """
        self._unmarked.add(message_id)
        self._database.execute(
            "UPDATE message SET state = 'interrupted', owner = NULL WHERE id = ? AND state = 'streaming'", (message_id,)
        )
        self._unmarked.discard(message_id)

    def choose(self, message_id: str) -> None:
        """Show the branch that `message_id` is on, down to its newest end. Raises MessageMissing."""
        changed = self._database.execute(
            "WITH RECURSIVE below (id, depth) AS (SELECT id, 0 FROM message WHERE id = ?1 UNION ALL"
            " SELECT (SELECT m.id FROM message AS m WHERE m.parent = below.id ORDER BY version DESC LIMIT 1), depth + 1"
            " FROM below WHERE below.id IS NOT NULL)"
            " UPDATE conversation SET leaf = (SELECT id FROM below WHERE id IS NOT NULL ORDER BY depth DESC LIMIT 1)"
            " WHERE id = (SELECT conversation FROM message WHERE id = ?1)",
            (message_id,),
        )
        if not changed:
            raise MessageMissing

    # --- After a crash -------------------------------------------------------------------------------------------

    def _interrupt_orphans(self) -> None:
        rows = self._database.read("SELECT DISTINCT owner FROM message WHERE state = 'streaming'")
        for token in self._owner.dead_among(row[0] for row in rows):
            self._interrupt_all(token)
        self._owner.sweep()

    def _interrupt_all(self, token: str) -> None:
        rows = self._database.read("SELECT id FROM message WHERE state = 'streaming' AND owner = ?", (token,))
        for (message_id,) in rows:
            try:
                self.interrupt(message_id)
            except DiskFull as error:  # the chats can be read all the same
                _log.warning("an unfinished reply is left to the next start to mark: %s", error)

    def _message(self, row: tuple[Any, ...]) -> Message:
        *plain, stats, finish_reason, failure = row
        fields = dict(zip(Message.__struct_fields__, plain, strict=False))
        state = MessageState(fields.pop("state"))
        if state is MessageState.STREAMING and fields["id"] in self._unmarked:
            state = MessageState.INTERRUPTED
        return Message(
            **fields,
            state=state,
            stats=_struct(stats, GenerationStats),
            finish_reason=finish_reason,
            failure=_struct(failure, Failure),
        )


def _json(value: msgspec.Struct | None) -> str | None:
    return None if value is None else msgspec.json.encode(value).decode()


def _struct(text: str | None, kind: type[_S]) -> _S | None:
    return None if text is None else msgspec.json.decode(text, type=kind)


def _conversation(row: tuple[Any, ...]) -> Conversation:
    return Conversation(**dict(zip(Conversation.__struct_fields__, row, strict=True)))
