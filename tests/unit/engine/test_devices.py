"""What is free on the engine's devices now, asked of the child that knows them."""

from pathlib import Path

import pytest

from desktop.engine import client as module
from desktop.engine import process
from desktop.engine.client import EngineClient
from tests.support.engine_replies import plan_for
from tests.support.stand_in_child import stand_in_child

pytestmark = pytest.mark.asyncio
_CARD = "dict(name='G0', description='A card', kind='gpu', backend='Vulkan', memory_total=10, memory_free=8)"
_NOW = "[dict(info['devices'][0], memory_free=3), dict(info['devices'][0], name='RPC0')]"


@pytest.fixture(autouse=True)
def a_card_that_fills_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A child with a card of which less is free than when it started, and a worker of the model that it loaded."""
    command = stand_in_child()
    command[-1] = command[-1].replace("devices=[]", f"devices=[{_CARD}]")
    command[-1] = command[-1].replace("active=3", f"devices={_NOW} if message['devices'] else []")
    monkeypatch.setattr(process, "child_command", lambda _role: command)


async def test_what_is_free_is_that_of_now_and_workers_of_a_model_are_no_device_of_the_engine() -> None:
    client = EngineClient()
    try:
        (before,) = (await client.start()).devices
        (now,) = await client.devices()
        await client.load(plan_for(Path("m.gguf")))
        assert (await client.status()).devices == ()
        assert await client.devices() == (now,)
    finally:
        await client.stop()
    assert (before.memory_free, now.memory_free) == (8, 3)
    assert now.name == before.name == "G0"


@pytest.mark.allow_log("did not say within 0 s")
async def test_a_child_that_does_not_say_in_time_is_believed_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DEVICES_TIMEOUT", 0)
    client = EngineClient()
    try:
        (device,) = await client.devices()
    finally:
        await client.stop()
    assert device.memory_free == 8
