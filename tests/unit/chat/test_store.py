import hashlib
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from desktop.chat.messages import Failure, MessageState
from desktop.chat.migrations import MIGRATIONS
from desktop.chat.store import ChatStore, ConversationMissing, MessageMissing
from desktop.database import Database, DatabaseFromTheFuture, Migration, application_id, open_database
from desktop.engine.protocol import GenerationStats
from desktop.errors import DiskFull, Phrase


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "chats.sqlite3"


@pytest.fixture
def store(path: Path) -> Iterator[ChatStore]:
    store = ChatStore.open(path)
    yield store
    store.close()


def titles(store: ChatStore, search: str = "") -> list[str]:
    return [conversation.title for conversation in store.conversations(search)]


def texts(store: ChatStore, conversation_id: str) -> list[str]:
    return [message.text for message in store.messages(conversation_id)]


def chat(store: ChatStore, *words: str) -> str:
    conversation = store.create_conversation()
    for index, word in enumerate(words):
        store.add_message(conversation.id, role="assistant" if index % 2 else "user", text=word)
    return conversation.id


def test_conversations_are_there_again_after_a_restart(path: Path) -> None:
    store = ChatStore.open(path)
    conversation = store.create_conversation(system_prompt="Be kind.", model="SmolLM2")
    asked, reply = store.add_turn(conversation.id, text="你好\ud800", model="SmolLM2")
    stats = GenerationStats(prompt_tokens=3, completion_tokens=2, ttft=0.25, decode_speed=41.5)
    store.finish(reply.id, state=MessageState.COMPLETE, text="Hi.", reasoning="hm", stats=stats, finish_reason="stop")
    before = store.messages(conversation.id)
    store.close()
    again = ChatStore.open(path)
    assert again.messages(conversation.id) == before
    assert [message.text for message in before] == ["你好\ufffd", "Hi."]
    assert before[1].stats == stats
    assert before[1].reasoning == "hm"
    assert before[1].parent == asked.id
    assert again.conversation(conversation.id).system_prompt == "Be kind."
    again.close()


def test_closing_leaves_one_file(path: Path) -> None:
    store = ChatStore.open(path)
    chat(store, "Hello")
    store.close()
    store.close()
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_the_title_comes_from_the_first_message_unless_the_person_gave_one(store: ChatStore) -> None:
    chat(store, "Tell me about whales", "They are large.", "And seals?")
    named = store.create_conversation(title="Mine")
    store.add_message(named.id, role="user", text="Hello")
    assert titles(store) == ["Mine", "Tell me about whales"]


def test_the_conversation_used_last_comes_first(store: ChatStore) -> None:
    first = chat(store, "first")
    chat(store, "second")
    store.add_message(first, role="user", text="again")
    assert titles(store) == ["first", "second"]


def test_search_finds_titles_and_text_and_takes_signs_literally(store: ChatStore) -> None:
    chat(store, "Whales", "They sing 100% of the day_long")
    chat(store, "税务", "报税需要表格")
    assert titles(store, "SING") == ["Whales"]
    assert titles(store, "报税") == ["税务"]
    assert titles(store, "100%") == ["Whales"]
    assert titles(store, "100_") == []
    assert titles(store, "\\") == []
    assert len(titles(store, " ")) == 2


def test_a_deleted_conversation_is_in_the_trash_and_can_be_brought_back(store: ChatStore) -> None:
    kept = chat(store, "Whales", "They sing.")
    store.delete(kept)
    assert titles(store) == titles(store, "sing") == []
    assert [conversation.id for conversation in store.conversations(trashed=True)] == [kept]
    store.restore(kept)
    assert titles(store) == ["Whales"]
    assert texts(store, kept) == ["Whales", "They sing."]


def test_a_draft_is_kept_until_it_is_sent(store: ChatStore) -> None:
    conversation = store.create_conversation()
    store.save_draft(conversation.id, "half a thou")
    assert store.conversation(conversation.id).draft == "half a thou"
    store.add_turn(conversation.id, text="half a thought", model="")
    assert store.conversation(conversation.id).draft == ""


def test_rename_system_prompt_and_model_are_remembered(store: ChatStore) -> None:
    conversation = store.create_conversation()
    store.rename(conversation.id, "  Sea \n story ")
    store.set_system_prompt(conversation.id, "Be brief.")
    store.set_model(conversation.id, "qwen3-8b:Q5_K_M")
    changed = store.conversation(conversation.id)
    assert (changed.title, changed.system_prompt, changed.model) == ("Sea story", "Be brief.", "qwen3-8b:Q5_K_M")


def test_versions_stand_beside_each_other_and_the_chosen_one_is_shown(store: ChatStore) -> None:
    chat_id = chat(store, "Q", "first answer")
    question, first = store.messages(chat_id)
    second = store.add_message(chat_id, role="assistant", text="second answer", parent=question.id, after_leaf=False)
    store.add_message(chat_id, role="user", text="and then?")
    assert texts(store, chat_id) == ["Q", "second answer", "and then?"]
    assert [(m.text, m.version) for m in store.versions(first.id)] == [("first answer", 1), ("second answer", 2)]
    store.choose(first.id)
    assert texts(store, chat_id) == ["Q", "first answer"]
    store.choose(second.id)
    assert texts(store, chat_id) == ["Q", "second answer", "and then?"]


def test_first_messages_have_versions_of_their_own_conversation_only(store: ChatStore) -> None:
    one, two = chat(store, "one"), chat(store, "two")
    edited = store.add_message(one, role="user", text="one, edited", parent=None, after_leaf=False)
    assert [m.text for m in store.versions(edited.id)] == ["one", "one, edited"]
    assert texts(store, one) == ["one, edited"]
    assert texts(store, two) == ["two"]


def test_a_failure_is_kept_so_that_it_can_be_translated_later(store: ChatStore) -> None:
    conversation = store.create_conversation()
    _, reply = store.add_turn(conversation.id, text="Q", model="")
    failure = Failure(message=Phrase("It needs {needed}.", {"needed": 9}), hint=Phrase("Try less."))
    store.finish(reply.id, state=MessageState.FAILED, text="par", failure=failure)
    kept = store.message(reply.id)
    assert kept.failure == failure
    assert kept.state is MessageState.FAILED


def test_a_late_save_does_not_change_a_finished_reply(store: ChatStore) -> None:
    conversation = store.create_conversation()
    _, reply = store.add_turn(conversation.id, text="Q", model="")
    store.save_text(reply.id, "whole")
    store.finish(reply.id, state=MessageState.COMPLETE, text="whole reply")
    store.save_text(reply.id, "whole")
    assert store.message(reply.id).text == "whole reply"


def test_another_open_store_leaves_a_live_reply_alone(store: ChatStore, path: Path) -> None:
    conversation = store.create_conversation()
    _, reply = store.add_turn(conversation.id, text="Q", model="")
    other = ChatStore.open(path)
    assert other.message(reply.id).state is MessageState.STREAMING
    other.close()
    assert store.message(reply.id).state is MessageState.STREAMING


def test_closing_in_the_middle_of_a_reply_marks_it_interrupted(path: Path) -> None:
    store = ChatStore.open(path)
    conversation = store.create_conversation()
    _, reply = store.add_turn(conversation.id, text="Q", model="")
    store.save_text(reply.id, "par", "thought")
    store.close()
    again = ChatStore.open(path)
    kept = again.message(reply.id)
    assert (kept.state, kept.text, kept.reasoning) == (MessageState.INTERRUPTED, "par", "thought")
    again.close()


@pytest.mark.allow_log("left to the next start")
def test_a_full_disk_does_not_keep_the_chats_from_being_read(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_self: object, sql: str, *_: object) -> int:
        raise DiskFull(path=str(path.parent))

    store = ChatStore.open(path)
    _, reply = store.add_turn(store.create_conversation().id, text="Q", model="")
    store.save_text(reply.id, "half")
    with monkeypatch.context() as patched:
        patched.setattr(Database, "execute", full)
        store.close()
        again = ChatStore.open(path)
        assert [(m.text, m.state) for m in again.path(reply.id)][-1] == ("half", MessageState.INTERRUPTED)
    again.close()
    last = ChatStore.open(path)
    assert last.message(reply.id).state is MessageState.INTERRUPTED
    last.close()


def test_what_does_not_exist_is_said_so(store: ChatStore) -> None:
    with pytest.raises(ConversationMissing):
        store.conversation("gone")
    with pytest.raises(ConversationMissing):
        store.rename("gone", "x")
    with pytest.raises(ConversationMissing):
        store.add_turn("gone", text="x", model="")
    with pytest.raises(MessageMissing):
        store.message("gone")
    with pytest.raises(MessageMissing):
        store.finish("gone", state=MessageState.COMPLETE, text="")
    with pytest.raises(MessageMissing):
        store.choose("gone")
    with pytest.raises(MessageMissing):
        store.reopen("gone")
    assert store.messages("gone") == ()


def test_a_database_from_the_future_is_refused_and_nothing_is_left_beside_it(path: Path) -> None:
    steps = [Migration(number, "future", lambda _: None) for number in range(1, 100)]
    open_database(path, name="chats", migrations=steps).close()
    before = path.read_bytes()
    with pytest.raises(DatabaseFromTheFuture):
        ChatStore.open(path)
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_the_released_format_does_not_change(path: Path) -> None:
    """A change of the format is a new step, never another first one."""
    database = open_database(path, name="chats", migrations=MIGRATIONS[:1])
    schema = [sql for (sql,) in database.read("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name")]
    database.close()
    words = " ".join(" ".join(schema).split())
    assert application_id("chats") == 241117853
    assert hashlib.sha256(words.encode()).hexdigest()[:16] == "a0c90b622337bfd3"


def test_threads_share_one_store(store: ChatStore) -> None:
    conversation = store.create_conversation()

    def write() -> None:
        for _ in range(10):
            store.add_message(conversation.id, role="user", text="x")

    threads = [threading.Thread(target=write) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(store.messages(conversation.id)) == 30
