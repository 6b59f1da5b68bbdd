"""Messages with images and recordings, for tests."""

from typing import Any

import pytest

from desktop.engine.client import EngineClient
from desktop.engine.failure import BadMedia
from desktop.engine.protocol import Attachment, PromptMessage, Sampling
from tests.support.engine_replies import reply_of

SHORT = Sampling(temperature=0.0, max_length=20)
ROOM: dict[str, Any] = {"n_ctx": 1024, "n_parallel": 4, "n_seq_max": 8, "n_outputs_max": 16}
SYSTEM = PromptMessage(role="system", content="You are helpful.")


def image(data: bytes) -> Attachment:
    return Attachment(kind="image", data=data)


def sound(data: bytes) -> Attachment:
    return Attachment(kind="audio", data=data)


def ask(*attachments: Attachment, words: str = "What?") -> list[PromptMessage]:
    return [SYSTEM, PromptMessage(role="user", content=words, attachments=attachments)]


def marked(count: int = 1) -> str:
    """What `ask` becomes, as the bare engine takes it."""
    turns = "<|im_start|>system\nYou are helpful.<|im_end|>\n<|im_start|>user\n" + "<__media__>" * count
    return f"{turns}What?<|im_end|>\n<|im_start|>assistant\n"


async def refused(client: EngineClient, *attachments: Attachment) -> str:
    with pytest.raises(BadMedia) as caught:
        await reply_of(client, ask(*attachments), SHORT)
    return str(caught.value)
