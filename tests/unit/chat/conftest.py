from collections.abc import Iterator
from pathlib import Path

import pytest

from desktop.chat.store import ChatStore


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ChatStore]:
    store = ChatStore.open(tmp_path / "chats.sqlite3")
    yield store
    store.close()
