"""Stored messages as the page shows them."""

from PySide6.QtCore import QCoreApplication

from desktop.chat.messages import Message, MessageState
from desktop.chat.store import ChatStore
from desktop.engine.protocol import GenerationStats
from desktop.ui import figures
from desktop.ui.bridge import render, sentences
from desktop.ui.pages.chat.shown import MarkKind, ShownMessage


def shown(message: Message, *, versions: int = 1, thought_seconds: float = 0.0) -> ShownMessage:
    """Put `message` into words."""
    mark, kind, hint = _mark(message)
    return ShownMessage(
        id=message.id,
        is_own=message.role == "user",
        text=message.text,
        reasoning=message.reasoning,
        thought_seconds=thought_seconds,
        streaming=message.state is MessageState.STREAMING,
        mark=mark,
        mark_kind=kind,
        hint=hint,
        can_continue=_can_continue(message),
        figures=figures_line(message.stats) if message.stats else "",
        figures_hint=guesses_hint(message.stats) if message.stats else "",
        version=message.version,
        versions=versions,
    )


def messages_with_versions(store: ChatStore, conversation_id: str) -> list[tuple[Message, int]]:
    """The shown branch, each message with how many versions stand beside it (1: none). Blocking."""
    messages = store.messages(conversation_id)
    return [(each, len(store.versions(each.id)) if each.role == "assistant" else 1) for each in messages]


def figures_line(stats: GenerationStats) -> str:
    """The figures of a reply: "42.1 tok/s · first word 0.21 s · 148 tokens"; one token alone has no speed.

    Where tokens were guessed ahead, also how many of the guesses were right.
    """
    words = QCoreApplication.translate("ChatWords", "first word {seconds} s · {tokens} tokens")
    if stats.completion_tokens == 1:
        words = QCoreApplication.translate("ChatWords", "first word {seconds} s · 1 token")
    rest = words.format(seconds=figures.seconds(stats.ttft), tokens=stats.completion_tokens)
    if stats.drafted:
        guesses = QCoreApplication.translate("ChatWords", "{accepted} of {drafted} guesses right")
        rest += " · " + guesses.format(accepted=stats.accepted, drafted=stats.drafted)
    return f"{speed_words(stats)} · {rest}" if stats.decode_speed else rest


def guesses_hint(stats: GenerationStats) -> str:
    """What the guesses among the figures are; "" where nothing was guessed."""
    if not stats.drafted:
        return ""
    words = QCoreApplication.translate(
        "ChatWords",
        "{drafted} tokens were guessed ahead (speculative decoding), and the model agreed with {accepted} of them. "
        "Guesses change how fast the reply comes, not how the model chooses.",
    )
    return words.format(drafted=stats.drafted, accepted=stats.accepted)


def foot_line(stats: GenerationStats) -> str:
    """The two figures at the foot of the window."""
    rest = QCoreApplication.translate("ChatWords", "first word {seconds} s").format(seconds=figures.seconds(stats.ttft))
    return f"{speed_words(stats)}    {rest}" if stats.decode_speed else rest


def speed_words(stats: GenerationStats) -> str:
    """The speed of the words: "42.1 tok/s"."""
    return QCoreApplication.translate("ChatWords", "{speed} tok/s").format(speed=figures.speed(stats.decode_speed))


def _can_continue(message: Message) -> bool:
    if message.role != "assistant" or not message.text:
        return False
    return message.state in (MessageState.INTERRUPTED, MessageState.STOPPED) or message.finish_reason == "length"


def _mark(message: Message) -> tuple[str, MarkKind, str]:
    translate = QCoreApplication.translate
    failure = render(message.failure.message) if message.failure else ""
    hint = render(message.failure.hint) if message.failure else ""
    if message.state is MessageState.INTERRUPTED:
        mark = translate("ChatWords", "Interrupted")
        return mark, "bad", failure or translate("ChatWords", "The words that were already said are kept.")
    if message.state is MessageState.STOPPED:
        return translate("ChatWords", "Stopped"), "quiet", sentences((failure, hint))
    if message.state is MessageState.FAILED:
        return translate("ChatWords", "Failed"), "bad", sentences((failure, hint))
    if message.finish_reason == "length":
        return translate("ChatWords", "Max length reached"), "quiet", ""
    return "", "none", ""
