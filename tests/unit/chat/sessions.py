"""Short ways to hold a conversation with a fake engine and to see what is kept of it."""

from collections.abc import AsyncGenerator

from desktop.chat.messages import Message
from desktop.chat.session import ChatSession, ReplyEvent
from desktop.chat.store import ChatStore
from desktop.engine.protocol import Sampling
from tests.support.fake_engine import FakeEngine

SAMPLING = Sampling(temperature=0.0)


def session_with(store: ChatStore, engine: FakeEngine, system_prompt: str = "") -> ChatSession:
    return ChatSession(store, engine, store.create_conversation(system_prompt=system_prompt).id)


async def read(events: AsyncGenerator[ReplyEvent, None]) -> list[ReplyEvent]:
    return [event async for event in events]


def last(store: ChatStore, session: ChatSession) -> Message:
    return store.messages(session.conversation_id)[-1]
