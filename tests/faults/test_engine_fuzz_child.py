"""Random and broken messages to the real child: it never crashes, ends every request once, and goes on serving."""

import asyncio
import contextlib
import random
import resource
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest

from desktop.childprocess import child_command, child_options
from desktop.engine.protocol import (
    Answer,
    AppMessage,
    AskStatus,
    Cancel,
    Done,
    EngineMessage,
    Generate,
    Load,
    Loaded,
    LoadFailed,
    LoadPlan,
    Open,
    Ping,
    Pong,
    PromptMessage,
    RequestFailed,
    Sampling,
    Shutdown,
    TextDelta,
)
from tests.support.engine_replies import plan_for, user
from tests.support.models.decoders import write_dense
from tests.support.protocol_fuzz import COMMANDS, broken_lines, random_message

pytestmark = [pytest.mark.asyncio, pytest.mark.skipif(sys.platform != "linux", reason="the memory limit is Linux's")]

MEMORY = 4 * 1024**3
"""Bytes of address space: a random plan may ask for more than the machine has."""
PATIENCE = 120.0
_ENDS = Done | RequestFailed | Answer
_OFTEN: tuple[type[msgspec.Struct], ...] = (Generate, Generate, Generate, Cancel, Load)
_FORMS: tuple[dict[str, Any], ...] = (
    {},
    {},
    {"grammar": 'root ::= "yes" | "no"'},
    {"json_schema": '{"type": "integer"}'},
    {"json_schema": '{"$ref": "#"}'},
    {"beams": 3},
    {"stop": ("e", "")},
    {"logprobs": 3},
)


_NOTHING: dict[str, Any] = {"messages": (), "prompt": "", "prompt_tokens": (), "suffix": None}
_PROMPTS: tuple[dict[str, Any], ...] = (
    {},
    _NOTHING | {"messages": tuple(user("Hi."))},
    _NOTHING | {"messages": tuple(user("Hi."))},
    _NOTHING | {"prompt_tokens": (40, 41, 42)},
    _NOTHING | {"prompt": "Hi."},
)


class RawChild:
    """A child at the other end of two pipes, without the owner's code between."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.ends: Counter[str] = Counter()
        self.outcomes: Counter[str] = Counter()
        self.twice = 0
        self.text: Counter[str] = Counter()
        self.errors = b""
        self._pongs: dict[int, asyncio.Event] = {}
        self._news = asyncio.Event()
        self._tasks = [asyncio.create_task(self._read()), asyncio.create_task(self._read_errors())]

    def say(self, *lines: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(b"".join(line + b"\n" for line in lines))

    def tell(self, *messages: msgspec.Struct) -> None:
        self.say(*map(msgspec.json.encode, messages))

    async def answers_ping(self, nonce: int) -> None:
        event = self._pongs.setdefault(nonce, asyncio.Event())
        self.tell(Ping(nonce=nonce))
        assert self.process.stdin is not None
        try:
            async with asyncio.timeout(PATIENCE):
                await self.process.stdin.drain()
                await event.wait()
        except (TimeoutError, ConnectionError) as error:
            await asyncio.wait(self._tasks, timeout=1)
            raise AssertionError(f"exit {self.process.returncode}; {self.last_lines()}") from error

    async def has_ended(self, request_ids: Iterable[str]) -> None:
        waiting = set(request_ids)
        deadline = asyncio.get_running_loop().time() + PATIENCE
        while waiting := {name for name in waiting if not self.ends[name]}:
            self._news.clear()
            left = deadline - asyncio.get_running_loop().time()
            if self._tasks[0].done() or left <= 0:
                pytest.fail(f"no end: {waiting}; exit {self.process.returncode}; {self.last_lines()}")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), left)

    def last_lines(self) -> str:
        return "\n".join(line[:300].decode("utf-8", "replace") for line in self.errors.splitlines()[-40:])

    async def has_answered(self, lines: int) -> None:
        """Wait for as many ends as there were requests and unreadable lines; one whose id is in use ends without."""
        async with asyncio.timeout(PATIENCE):
            while self.ends.total() < lines:
                await asyncio.sleep(0.01)

    async def _read(self) -> None:
        assert self.process.stdout is not None
        decoder = msgspec.json.Decoder(EngineMessage)
        while line := await self.process.stdout.readline():
            self._note(decoder.decode(line))
            self._news.set()
        self._news.set()

    def _note(self, event: EngineMessage) -> None:
        if isinstance(event, Pong) and event.nonce in self._pongs:
            self._pongs[event.nonce].set()
        elif isinstance(event, Loaded | LoadFailed | _ENDS):
            failure = getattr(event, "failure", None)
            self.outcomes[failure.kind if failure else type(event).__name__] += 1
            if isinstance(event, _ENDS):
                self.ends[event.request_id] += 1
                self.twice += "being answered already" in failure.detail if failure else 0
        elif isinstance(event, TextDelta):
            self.text[event.request_id] += len(event.text)

    async def _read_errors(self) -> None:
        assert self.process.stderr is not None
        while chunk := await self.process.stderr.read(1 << 16):
            self.errors = (self.errors + chunk)[-100_000:]

    async def end(self) -> int:
        assert self.process.stdin is not None
        self.process.stdin.close()
        code = await asyncio.wait_for(self.process.wait(), PATIENCE)
        await asyncio.gather(*self._tasks)
        return code


@asynccontextmanager
async def raw_child() -> AsyncIterator[RawChild]:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *child_command("engine"), stdin=pipe, stdout=pipe, stderr=pipe, limit=1 << 26, **child_options()
    )
    psutil.Process(process.pid).rlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    child = RawChild(process)
    try:
        yield child
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        await asyncio.gather(*child._tasks, return_exceptions=True)


class _Named(msgspec.Struct):
    request_id: str = ""


def _name_in(line: bytes) -> str:
    """The request that an unreadable line still names: the child answers it by that name."""
    try:
        return msgspec.json.decode(line, type=_Named).request_id
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""


class Fuzzer:
    """Makes lines and keeps the account of what must come back."""

    def __init__(self, seed: int, model: Path, child: RawChild) -> None:
        self.chance = random.Random(seed)
        self.sent: Counter[str] = Counter()
        self.refused = self.loads = self.nameless = 0
        self._model, self._child = model, child
        self._decoder = msgspec.json.Decoder(AppMessage)

    def one(self) -> None:
        message = self._message()
        line = msgspec.json.encode(message)
        for whole in [line] if self.chance.random() < 0.7 else broken_lines(line, self.chance):
            self._say(whole)
        if isinstance(message, Load) and self.chance.random() < 0.8:
            self._say(msgspec.json.encode(Load(plan=plan_for(self._model, n_ctx=256))))

    def _say(self, line: bytes) -> None:
        try:
            command = self._decoder.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError):
            self.refused += 1
            self.nameless += not _name_in(line)
            self._child.say(line)
            return
        if isinstance(command, Shutdown) or (isinstance(command, Open) and command != Open()):
            return  # the child would end, and rightly so
        self.loads += isinstance(command, Load)
        if not isinstance(command, Cancel) and (name := getattr(command, "request_id", None)) is not None:
            self.sent[name] += 1
        self._child.say(line)

    def _message(self) -> msgspec.Struct:
        kind = self.chance.choice((*COMMANDS, *_OFTEN))
        if kind is Load:
            return self._load()
        if "request_id" in kind.__struct_fields__:
            name = self.chance.choice(("r1", f"{kind.__name__} {self.chance.randrange(10**9)}"))
            if kind is Cancel and self.sent:
                name = self.chance.choice((name, *list(self.sent)[-5:]))
            return random_message(kind, self.chance, request_id=name, **self._bounds(kind))
        return random_message(kind, self.chance)

    def _bounds(self, kind: type[msgspec.Struct]) -> dict[str, object]:
        """Mostly one prompt that can be answered; a reply stays short, as time is what tests have least."""
        if kind is not Generate:
            return {}
        return {"sampling": self._sampling(), **self.chance.choice(_PROMPTS)}

    def _sampling(self) -> Sampling:
        """One with extremes everywhere, or one with a few of them, which has more of a chance to be served."""
        length = self.chance.choice((1, 1, 2, 3, 5, -1, 2**40))
        wild = random_message(Sampling, self.chance, max_length=length)
        if self.chance.random() < 0.2:
            return wild
        fields = self.chance.sample(Sampling.__struct_fields__, self.chance.randint(0, 3))
        tame = Sampling(max_length=5, **self.chance.choice(_FORMS))
        return msgspec.structs.replace(tame, **{name: getattr(wild, name) for name in fields})

    def _load(self) -> Load:
        plan: LoadPlan = plan_for(self._model, n_ctx=256)
        way = self.chance.random()
        if way < 0.6:
            wild = random_message(LoadPlan, self.chance)
            name = self.chance.choice(LoadPlan.__struct_fields__)
            plan = msgspec.structs.replace(plan, **{name: getattr(wild, name)})
        elif way < 0.8:
            plan = random_message(LoadPlan, self.chance)
        return Load(plan=plan, load_id=self.chance.choice((0, 1, 2**63)))


async def _serves_a_normal_request(child: RawChild, model: Path, name: str) -> None:
    child.tell(Load(plan=plan_for(model, n_ctx=256), load_id=77))
    child.tell(Generate(request_id=name, messages=tuple(user("Hi.")), sampling=Sampling(temperature=0.0, max_length=3)))
    await child.has_ended([name])
    assert child.text[name], child.last_lines()


@pytest.mark.timeout(1800)
async def test_random_messages_never_stop_the_child(tmp_path: Path, campaign_factor: int) -> None:
    model = write_dense(tmp_path)
    count, seed = (150, 20260101) if campaign_factor == 1 else (1000, 20260102)
    async with raw_child() as child:
        child.tell(Open())
        child.tell(Generate(request_id="early", messages=(PromptMessage(role="user", content="Hi."),)))
        await child.has_ended(["early"])
        child.tell(Load(plan=plan_for(model, n_ctx=256)))
        fuzzer = Fuzzer(seed, model, child)
        for number in range(count):
            fuzzer.one()
            if number % 10 == 9:
                await child.answers_ping(10**12 + number)
            if number % 50 == 49:
                await child.has_ended(fuzzer.sent)
                await _serves_a_normal_request(child, model, f"normal {number}")
        answers = 1 + count // 50 + fuzzer.sent.total() + fuzzer.refused
        await child.has_answered(answers)
        child.tell(AskStatus(nonce=5))
        await child.answers_ping(4)
        assert await child.end() == 0
    print(f"{count} messages: {fuzzer.refused} unreadable, {fuzzer.loads} loads, {fuzzer.sent.total()} requests")
    print({str(name): number for name, number in child.outcomes.most_common()})
    assert child.ends.total() == answers
    assert child.ends[""] == fuzzer.nameless + child.twice
    assert fuzzer.refused > count / 10
