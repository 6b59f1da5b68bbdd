"""What a person sees who chats."""

import asyncio
from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication, QInputMethodEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from desktop.engine.failure import explain_failure
from desktop.engine.protocol import EngineFailure, FailureKind, GenerationStats
from desktop.engine.state import EnginePhase, EngineState
from desktop.ui.pages.chat.message import OwnMessage
from desktop.ui.pages.chat.presenting import figures_line, foot_line
from desktop.ui.widgets.labels import ElidedLabel
from tests.support import looks
from tests.support.fake_engine import Finish, Thought
from tests.ui.conftest import ChatPerson

Chat = Callable[..., ChatPerson]

CRASH = explain_failure(EngineFailure(kind=FailureKind.KILLED, exit_code=-9))


def test_a_reply_streams_word_by_word_and_ends_with_its_figures(chat: Chat) -> None:
    gate = asyncio.Event()
    person = chat(["The sea", " is", gate, " blue."])
    person.say("What colour is the sea?")
    person.until("the first words", lambda: person.replies() and "The sea is" in person.replies()[0].visible_text())
    assert person.said() == ["What colour is the sea?"]
    assert person.view.is_busy()
    gate.set()
    reply = person.reply()
    assert reply.visible_text() == "The sea is blue."
    assert "10.0 tok/s" in reply.figures()
    assert "3 tokens" in reply.figures()
    assert "10.0 tok/s" in person.window.status.figures()
    assert person.view.composer.text() == ""
    assert not person.view.is_busy()


def test_conversations_are_there_again_after_a_restart(chat: Chat) -> None:
    person = chat(["Blue."])
    person.say("What colour is the sea?")
    person.reply()
    person = chat()
    assert person.view.header.title() == "What colour is the sea?"
    assert person.said() == ["What colour is the sea?"]
    assert person.reply().visible_text() == "Blue."
    assert person.view.sidebar.titles() == ["Today", "What colour is the sea?"]


def test_escape_stops_the_reply_and_keeps_what_was_said(chat: Chat) -> None:
    person = chat(["Once upon", asyncio.Event(), " a time"])
    person.say("Tell me a story")
    person.until("words", lambda: person.replies() and "Once" in person.replies()[0].visible_text())
    QTest.keyClick(person.window, Qt.Key.Key_Escape)
    reply = person.reply()
    assert reply.visible_text() == "Once upon"
    assert reply.mark() == "Stopped"
    assert reply.message.can_continue
    assert person.engine.cancelled == 1
    assert not person.view.is_busy()


def test_a_crash_in_mid_reply_keeps_the_words_marks_them_and_answers_the_next_message(chat: Chat) -> None:
    person = chat(["One, two", CRASH], ["Three."])
    person.say("Count")
    reply = person.reply()
    assert reply.visible_text() == "One, two"
    assert reply.mark().startswith("Interrupted")
    assert reply.message.can_continue
    person.say("Go on")
    person.until("the next reply", lambda: person.replies()[-1].visible_text() == "Three.")
    assert person.reply().mark() == ""


def test_continue_goes_on_after_the_words_that_were_said(chat: Chat) -> None:
    person = chat(["One, two", CRASH], [", three."])
    person.say("Count")
    reply = person.reply()
    reply.continue_requested.emit(reply.message.id)
    person.until("the rest", lambda: person.replies()[-1].visible_text() == "One, two, three.")
    assert person.engine.requests[-1].continue_last
    assert person.reply().mark() == ""


def test_another_answer_is_a_version_beside_the_first_and_both_can_be_read(chat: Chat) -> None:
    person = chat(["Blue."], ["Green."])
    person.say("What colour is the sea?")
    reply = person.reply()
    reply.regenerate_requested.emit(reply.message.id)
    person.until("the second", lambda: person.replies()[-1].visible_text() == "Green.")
    assert person.reply().message.versions == 2
    second = person.replies()[-1]
    second.version_wanted.emit(second.message.id, 1)
    person.until("the first", lambda: person.replies()[-1].visible_text() == "Blue.")


def test_the_sliders_act_on_the_next_reply(chat: Chat) -> None:
    person = chat(["a"], ["b"])
    sliders = person.view.inspector.sliders
    sliders["temperature"]._field.setValue(0.3)
    sliders["top_p"]._field.setValue(0.5)
    sliders["max_length"]._field.setValue(64)
    person.say("one")
    person.reply()
    first = person.engine.requests[0].sampling
    assert (first.temperature, first.top_p, first.max_length) == (0.3, 0.5, 64)
    sliders["temperature"]._slider.setValue(sliders["temperature"]._slider.maximum())
    person.say("two")
    person.until("the second request", lambda: len(person.engine.requests) == 2)
    assert person.engine.requests[1].sampling.temperature == 2.0


def test_reset_shows_while_a_value_differs_and_brings_the_default_back(chat: Chat) -> None:
    person = chat(["a"])
    temperature = person.view.inspector.sliders["temperature"]
    assert temperature._reset.isHidden()
    temperature._field.setValue(1.5)
    assert not temperature._reset.isHidden()
    temperature._reset.click()
    assert temperature.value() == 0.8
    assert temperature._reset.isHidden()


def test_moved_sliders_are_remembered(chat: Chat) -> None:
    person = chat()
    before = person.view.inspector.sliders["temperature"].value()
    person.view.inspector.sliders["temperature"]._field.setValue(0.3)
    person = chat()
    person.until("the slider", lambda: person.view.inspector.sliders["temperature"].value() != before)
    assert person.view.inspector.sliders["temperature"].value() == 0.3


def test_the_system_prompt_is_told_first(chat: Chat) -> None:
    person = chat(["Aye."])
    person.view.inspector.system_prompt.setPlainText("You are a pirate.")
    person.say("Hello")
    person.reply()
    assert person.engine.requests[0].messages[0].content == "You are a pirate."


def test_a_draft_stays_with_its_conversation(chat: Chat) -> None:
    person = chat(["Blue."])
    person.say("What colour is the sea?")
    person.reply()
    person.type("And the s")
    person.view.new_chat_requested.emit()
    person.until("an empty chat", lambda: person.view.header.title() == "New chat")
    assert person.view.composer.text() == ""
    person = chat()
    person.until("the draft", lambda: person.view.composer.text() == "And the s")


def test_enter_while_an_input_method_composes_does_not_send(chat: Chat) -> None:
    person = chat(["好"])
    edit = person.view.composer.edit
    person.type("ni")
    QApplication.sendEvent(edit, QInputMethodEvent("hao", []))
    person.press(Qt.Key.Key_Return)
    person.live(0.1)
    assert person.said() == []
    committed = QInputMethodEvent("", [])
    committed.setCommitString("好")
    QApplication.sendEvent(edit, committed)
    person.press(Qt.Key.Key_Return)
    person.reply()
    assert len(person.said()) == 1


def test_shift_enter_breaks_the_line(chat: Chat) -> None:
    person = chat()
    person.type("one")
    person.press(Qt.Key.Key_Return, Qt.KeyboardModifier.ShiftModifier)
    person.type("two")
    assert person.view.composer.text() == "one\ntwo"
    assert person.said() == []


def test_reasoning_folds_to_one_line(chat: Chat) -> None:
    person = chat([Thought("The sky is reflected."), "Blue."])
    person.say("Why?")
    reply = person.reply()
    assert reply.visible_text() == "Blue."
    assert reply._reasoning._toggle.text().startswith("Thought")
    assert reply._reasoning._body.isHidden()
    reply._reasoning._toggle.click()
    assert reply._reasoning._body.text() == "The sky is reflected."


def test_a_reply_that_reached_its_longest_says_so_and_can_go_on(chat: Chat) -> None:
    person = chat(["One,", Finish("length")])
    person.say("Count")
    assert person.reply().mark() == "Max length reached"
    assert person.reply().message.can_continue


def test_deleting_can_be_undone(chat: Chat) -> None:
    person = chat(["Blue."])
    person.say("What colour is the sea?")
    person.reply()
    person.view.header.delete_requested.emit()
    person.until("an empty list", lambda: person.view.sidebar.titles() == [])
    deleted = [conversation.id for conversation in person.services.store.conversations(trashed=True)]
    person.until("what the engine forgets", lambda: person.engine.forgotten == [deleted])
    undo = person.notices[-1].on_action
    assert undo is not None
    person.shell.loader.loaded.emit(person.engine.loaded)
    person.until("what the engine forgets with the next model", lambda: person.engine.forgotten == [deleted, deleted])
    undo()
    person.until("the chat", lambda: person.view.header.title() == "What colour is the sea?")
    assert person.reply().visible_text() == "Blue."


def test_copy_takes_the_reply_as_it_was_written(chat: Chat) -> None:
    person = chat(["Some **bold** words"])
    person.say("Hi")
    person.reply()._actions._copy.click()
    assert QGuiApplication.clipboard().text() == "Some **bold** words"
    assert person.reply().visible_text() == "Some bold words"


def test_the_reader_who_scrolled_up_is_left_in_peace(chat: Chat) -> None:
    gate = asyncio.Event()
    long = "\n\n".join(f"Paragraph {number}" for number in range(80))
    person = chat([long, gate, "\n\nmore\n\nand more"])
    person.say("Go")
    bar = person.view.messages.verticalScrollBar()
    person.until("a long text", lambda: bar.maximum() > 500 and bar.value() == bar.maximum())
    bar.setValue(100)
    gate.set()
    person.reply()
    person.live(0.1)
    assert bar.value() == 100
    person.view.messages.scroll_to_end()
    assert bar.value() == bar.maximum()


def test_long_conversations_are_drawn_from_their_end_and_the_rest_on_demand(chat: Chat) -> None:
    person = chat(["ok"])
    person.say("Hello")
    person.reply()
    store, conversation = person.services.store, person.services.store.conversations()[0]
    for number in range(60):
        store.add_message(conversation.id, role="user", text=f"message {number}")
    person = chat()
    person.until("the end", lambda: person.said() and person.said()[-1] == "message 59")
    assert len(person.view.messages.widgets()) == 20
    for shown in (40, 60, 62):
        person.view.messages.show_earlier()
        assert len(person.view.messages.widgets()) == shown
    assert person.said()[0] == "Hello"


def test_the_foot_says_how_the_engine_is(chat: Chat) -> None:
    person = chat()
    assert person.window.status.state() == "Ready"
    person.engine.become(EngineState(phase=EnginePhase.CRASHED, restart_in=0.0))
    assert person.window.status.state() == "The engine crashed and is starting again"
    person.engine.become(EngineState(phase=EnginePhase.LOADING, progress=0.4))
    assert person.window.status.state() == "Loading the model: 40 %"


def test_searching_finds_words_inside_messages(chat: Chat) -> None:
    person = chat(["It is blue."], ["Paris."])
    person.say("What colour is the sea?")
    person.reply()
    person.view.new_chat_requested.emit()
    person.until("an empty chat", lambda: person.view.header.title() == "New chat")
    person.say("The capital of France?")
    person.reply()
    QTest.keyClicks(person.view.sidebar.search, "blue")
    person.until("fewer results", lambda: len(person.view.sidebar.titles()) < 3)
    assert person.view.sidebar.titles() == ["Today", "What colour is the sea?"]


def test_a_pasted_book_is_shown_without_being_measured(chat: Chat) -> None:
    person = chat(["Long."])
    person.view.composer.edit.insertPlainText("A line.\n" * 5_000)
    person.press(Qt.Key.Key_Return)
    person.reply()
    text = next(own for own in person.view.messages.widgets() if isinstance(own, OwnMessage))._text
    assert text.ideal_width(500) == 500, "its lines would be found shorter"


def test_a_reply_of_one_token_has_no_speed(styled: QApplication) -> None:
    stats = GenerationStats(completion_tokens=1, ttft=0.2)
    assert figures_line(stats) == "first word 0.20 s · 1 token"
    assert foot_line(stats) == "first word 0.20 s"


def test_a_reply_shows_how_many_guesses_were_right_and_explains_them_on_hover(chat: Chat) -> None:
    person = chat(["The sea", " is", " blue.", Finish(drafted=80, accepted=61)])
    person.say("What colour is the sea?")
    reply = person.reply()
    assert reply.figures().endswith("3 tokens · 61 of 80 guesses right")
    figures = next(label for label in reply.findChildren(ElidedLabel) if label.text() == reply.figures())
    assert "80 tokens were guessed ahead (speculative decoding)" in figures.toolTip()


def test_a_reply_without_guesses_does_not_speak_of_them(chat: Chat) -> None:
    person = chat(["The sea", " is", " blue."])
    person.say("What colour is the sea?")
    reply = person.reply()
    assert "guess" not in reply.figures()
    assert not any("guess" in label.toolTip() for label in reply.findChildren(ElidedLabel))


def test_a_hint_stands_below_a_text_that_is_cut(styled: QApplication) -> None:
    with looks.shown(ElidedLabel("some words that are long")) as label:
        label.set_hint("what they mean")
        label.resize(2000, 20)
        assert "some words" not in label.toolTip()
        label.resize(30, 20)
        assert "some words that are long\nwhat they mean" in label.toolTip()
        label.setText("x")
        assert "what they mean" in label.toolTip()
