"""What a person sees who writes before the model is there, or whose files cannot be opened."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import Qt

from desktop.chat.store import ChatStore
from desktop.paths import user_paths
from tests.ui.conftest import ChatPerson

Chat = Callable[..., ChatPerson]


class SlowLoad:
    """Stands in the place of a load that takes its time."""

    def __init__(self, person: ChatPerson) -> None:
        self.done = asyncio.Event()
        self.waited_for = 0
        person.shell.loader.ensure = self._ensure  # type: ignore[method-assign]

    async def _ensure(self) -> None:
        self.waited_for += 1
        await self.done.wait()


def test_escape_while_the_model_loads_takes_the_message_back(chat: Chat) -> None:
    person = chat(["Blue."])
    load = SlowLoad(person)
    person.say("What colour is the sea?")
    person.until("the wait", lambda: load.waited_for)
    assert person.view.is_busy()
    person.press(Qt.Key.Key_Escape)
    person.until("the end of the wait", lambda: not person.view.is_busy())
    load.done.set()
    person.live(0.1)
    assert person.engine.requests == []
    assert person.said() == []
    assert person.view.composer.text() == "What colour is the sea?"
    assert person.notices == []


def test_what_is_typed_while_the_model_loads_stays_in_the_composer(chat: Chat) -> None:
    person = chat(["Blue."])
    load = SlowLoad(person)
    person.say("What colour is the sea?")
    person.until("the wait", lambda: load.waited_for)
    person.type(" And the sky?")
    load.done.set()
    person.reply()
    assert person.said() == ["What colour is the sea?"]
    assert person.view.composer.text() == "And the sky?"
    person.view.new_chat_requested.emit()
    person.until("an empty chat", lambda: person.view.header.title() == "New chat")
    person = chat()
    person.until("the draft", lambda: person.view.composer.text() == "And the sky?")


def test_a_conversation_that_waits_for_the_model_is_busy_when_one_comes_back_to_it(chat: Chat) -> None:
    person = chat(["Blue."], ["Green."])
    person.say("What colour is the sea?")
    person.reply()
    load = SlowLoad(person)
    person.say("And the wood?")
    person.until("the wait", lambda: load.waited_for)
    person.view.new_chat_requested.emit()
    person.until("an empty chat", lambda: person.view.header.title() == "New chat")
    assert not person.view.is_busy()
    person.view.sidebar.conversation_chosen.emit(person.services.store.conversations()[0].id)
    person.until("the chat", person.replies)
    assert person.view.is_busy()
    assert person.replies()[0].visible_text() == "Blue."
    load.done.set()
    person.until("the second reply", lambda: person.replies()[-1].visible_text() == "Green.")
    person.until("its end", lambda: not person.view.is_busy())


@pytest.mark.allow_log("is damaged or is not a database")
def test_a_damaged_library_does_not_hide_the_conversations(chat: Chat, snug_home: Path) -> None:
    store = ChatStore.open(user_paths().chats_database)
    store.add_turn(store.create_conversation(title="The sea").id, text="What colour?", model="")
    store.close()
    user_paths().library_database.write_bytes(b"no database at all " * 100)
    person = chat()
    person.until("the conversation", lambda: person.said() == ["What colour?"])
    assert any("library.sqlite3" in notice.text for notice in person.notices)


@pytest.mark.allow_log("is damaged or is not a database")
def test_once_the_database_can_be_read_again_the_message_goes_out(chat: Chat, snug_home: Path) -> None:
    damaged = user_paths().chats_database
    damaged.parent.mkdir(parents=True)
    damaged.write_bytes(b"no database at all " * 100)
    person = chat(["Blue."])
    person.until("a banner", lambda: person.notices)
    assert "chats.sqlite3" in person.notices[-1].text
    damaged.rename(damaged.with_suffix(".aside"))
    person.say("What colour is the sea?")
    assert person.reply().visible_text() == "Blue."


def test_what_is_typed_before_the_page_is_filled_is_not_wiped_away(chat: Chat) -> None:
    person = chat(["Blue."])
    controller = person.window._controllers["chat"]
    person.type("What colour")
    person.do(controller._begin())  # type: ignore[attr-defined]
    assert person.view.composer.text() == "What colour"
    person.say(" is the sea?")
    assert person.reply().visible_text() == "Blue."
    assert person.said() == ["What colour is the sea?"]
    assert len(person.services.store.conversations()) == 1


def test_a_message_sent_before_the_page_is_filled_is_answered_in_sight(chat: Chat) -> None:
    person = chat(["Blue."])
    controller = person.window._controllers["chat"]
    person.say("What colour is the sea?")
    person.do(controller._begin())  # type: ignore[attr-defined]
    assert person.reply().visible_text() == "Blue."
    person.until("the end", lambda: not person.view.is_busy())
    assert person.view.header.title() == "What colour is the sea?"
