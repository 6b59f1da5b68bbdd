"""When the window loads a model by itself, and when it waits for one that is coming back."""

import asyncio
from collections.abc import Callable
from typing import cast

import msgspec
import pytest

from desktop.engine.protocol import EngineFailure, EngineInfo, FailureKind, LoadedModel, LoadPlan
from desktop.engine.state import EnginePhase, EngineState
from desktop.errors import AppError, Phrase
from desktop.ui.model_loader import ModelLoader
from tests.ui.conftest import ChatPerson

Chat = Callable[..., ChatPerson]
PLAN = LoadPlan(model_path="/x.gguf", model_name="X", n_ctx=512)


def test_an_engine_that_starts_only_to_be_asked_still_needs_a_model(chat: Chat) -> None:
    person = chat()
    person.engine.become(EngineState(phase=EnginePhase.STARTING))
    assert person.shell.loader.is_needed()


def test_a_model_that_comes_back_after_a_crash_is_waited_for(chat: Chat) -> None:
    person = chat()
    person.engine.plan = PLAN
    for phase in (EnginePhase.CRASHED, EnginePhase.STARTING, EnginePhase.LOADING):
        person.engine.become(EngineState(phase=phase))
        assert not person.shell.loader.is_needed()
    person.engine.become(EngineState(phase=EnginePhase.CRASHED, breaker_open=True))
    assert person.shell.loader.is_needed()


def test_a_loaded_model_is_enough(chat: Chat) -> None:
    assert not chat().shell.loader.is_needed()


def test_what_the_engine_says_of_its_devices_stands_at_the_foot(chat: Chat) -> None:
    person = chat()
    assert person.window.status._device.text() == "CPU · 1 threads · 2 layers in main memory"


def test_after_too_many_crashes_the_person_is_asked_and_told_why(chat: Chat) -> None:
    person = chat()
    failure = EngineFailure(kind=FailureKind.KILLED, exit_code=-9)
    person.engine.become(EngineState(phase=EnginePhase.CRASHED, breaker_open=True, failure=failure))
    (notice,) = person.notices
    assert "killed" in notice.text
    assert notice.action == "Start it again"
    assert len(person.window.notices.texts()) == 1
    person.engine.become(EngineState(phase=EnginePhase.STARTING))
    assert person.window.notices.texts() == []


def test_after_crashes_that_memory_may_explain_half_the_context_is_offered(chat: Chat) -> None:
    person = chat()
    person.engine.plan = msgspec.structs.replace(PLAN, n_ctx=8192)
    failure = EngineFailure(kind=FailureKind.KILLED, exit_code=-9)
    person.engine.become(EngineState(phase=EnginePhase.CRASHED, breaker_open=True, failure=failure))
    (notice,) = person.notices
    assert notice.action == "Start it with 4096 tokens of context"
    assert "Half the context needs less memory." in notice.hint


def test_after_crashes_the_plan_that_worked_last_is_offered_and_loaded_as_it_is(chat: Chat) -> None:
    person = chat()
    offer = msgspec.structs.replace(PLAN, n_ctx=2048)
    person.engine.plan = msgspec.structs.replace(PLAN, n_ctx=32768)
    failure = EngineFailure(kind=FailureKind.KILLED, exit_code=-9)
    person.engine.become(EngineState(phase=EnginePhase.CRASHED, breaker_open=True, failure=failure, offer=offer))
    (notice,) = person.notices
    assert notice.action == "Start it as it worked last"
    assert "2048 tokens" in notice.hint
    loads: list[LoadPlan | None] = []
    loader = cast("ModelLoader", person.shell.loader)
    loader.load = lambda _reference, **how: loads.append(how["plan"])  # type: ignore[method-assign, assignment]
    assert notice.on_action is not None
    notice.on_action()
    assert loads == [offer]


def test_half_the_context_is_not_offered_for_what_it_cannot_mend(chat: Chat) -> None:
    person = chat()
    person.engine.plan = msgspec.structs.replace(PLAN, n_ctx=8192)
    failure = EngineFailure(kind=FailureKind.ILLEGAL_INSTRUCTION, exit_code=-4)
    person.engine.become(EngineState(phase=EnginePhase.CRASHED, breaker_open=True, failure=failure))
    (notice,) = person.notices
    assert notice.action == "Start it again"


async def a_long_load() -> LoadedModel:
    await asyncio.sleep(60)
    raise AssertionError("nobody waits that long")


@pytest.mark.allow_log("no-such-model")
def test_who_waits_for_a_model_waits_for_the_one_that_is_chosen_meanwhile(chat: Chat) -> None:
    person = chat()
    loader = cast("ModelLoader", person.shell.loader)

    async def wait_and_choose_another() -> str:
        loader._loading = asyncio.ensure_future(a_long_load())  # a load that takes its time
        waiting = asyncio.ensure_future(loader.ensure())
        await asyncio.sleep(0)
        loader.load("no-such-model")
        try:
            await waiting
        except AppError as error:
            return str(error)
        return "nothing was waited for"

    assert "no-such-model" in person.do(wait_and_choose_another())


def test_who_gives_up_waiting_is_not_kept(chat: Chat) -> None:
    person = chat()
    loader = cast("ModelLoader", person.shell.loader)

    async def wait_and_give_up() -> bool:
        loader._loading = asyncio.ensure_future(a_long_load())
        waiting = asyncio.ensure_future(loader.ensure())
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait([waiting])
        loader._loading.cancel()
        return waiting.cancelled()

    assert person.do(wait_and_give_up())


def test_what_was_given_up_for_memory_is_said_once_and_with_the_last_state(
    chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    lowered = "{device} ran out of memory, so the context was lowered from {before} to {after} tokens."

    async def load(*_: object, on_step: Callable[[Phrase], None], **__: object) -> LoadedModel | None:
        for after in (4096, 2048):
            on_step(Phrase.of(lowered, device="CUDA0", before=8192, after=after))
        on_step(Phrase.of("The KV cache is kept in q8_0."))
        return person.engine.loaded

    person = chat()
    monkeypatch.setattr("desktop.actions.load.load_model", load)
    person.until("the load", person.shell.loader.load("smollm2-135m").done)
    (text,) = person.window.notices.texts()
    assert text.count("tokens") == 1
    assert "8192 to 2048 tokens" in text
    assert text.endswith("q8_0.")


async def _no_cards() -> EngineInfo:
    return EngineInfo(version="test", system_info="", devices=(), supports_gpu_offload=False, supports_rpc=False)


@pytest.mark.allow_log("2 parts")
def test_a_split_that_the_machine_cannot_follow_is_said_and_loads_nothing(chat: Chat) -> None:
    person = chat()
    person.engine.start = _no_cards  # type: ignore[attr-defined]
    task = person.shell.loader.load("smollm2-135m", context=512, split=(20, 10))
    person.until("an end", task.done)
    assert person.notices[-1].kind == "bad"
    assert "2 parts" in person.notices[-1].text


@pytest.mark.allow_log("parts for 0 devices")
def test_while_a_split_is_being_loaded_another_split_takes_its_place_and_the_bare_model_does_not(chat: Chat) -> None:
    person = chat()
    person.engine.start = _no_cards  # type: ignore[attr-defined]
    first = person.shell.loader.load("smollm2-135m", context=512, split=(31,))
    assert person.shell.loader.load("smollm2-135m", context=512, split=(31,)) is first
    assert person.shell.loader.load("smollm2-135m") is first, "it is on its way, however it is split"
    second = person.shell.loader.load("smollm2-135m", context=512, split=(30,))
    assert second is not first
    person.until("an end", second.done)
    assert first.cancelled()
