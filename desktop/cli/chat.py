"""`snug chat`: one reply to a prompt or to stdin, or a dialogue on a terminal. Nothing of it is stored."""

import argparse
import asyncio
import contextlib
import signal
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Self

import msgspec

from desktop.cli.output import is_terminal, print_error, print_json, print_note, write_stderr
from desktop.cli.recommend import check_context
from desktop.errors import QT_TRANSLATE_NOOP, AppError, Phrase, WrongUsage

if TYPE_CHECKING:
    from desktop.catalog.types import SamplingDefaults
    from desktop.engine.client import EngineClient
    from desktop.engine.protocol import Done, GenerationStats, LoadedModel, Sampling
    from desktop.services import Services

_SAMPLERS = ("temperature", "top_p", "max_length", "top_k", "min_p", "seed", "stop")
_NO_CONTROLS = {code: None for code in (*range(32), *range(127, 160)) if chr(code) not in "\n\t"}


class NothingAsked(WrongUsage):
    """There is neither a prompt nor anything on stdin."""

    message = QT_TRANSLATE_NOOP("core", "There is nothing to answer: the prompt is empty.")
    hint = QT_TRANSLATE_NOOP("core", 'Give a prompt, as in: snug chat "Why is the sky blue?"')


def add_parser(subparsers: Any) -> None:
    """Declare the verb."""
    parser = subparsers.add_parser(
        "chat",
        help="answer a prompt, or hold a dialogue on a terminal",
        description="Answers PROMPT, or what comes on stdin; on a terminal without a prompt it is a dialogue.",
    )
    parser.add_argument("prompt", nargs="?", metavar="PROMPT", help="what to answer; without it stdin is read")
    parser.add_argument("-m", "--model", help="a path, an installed id, a catalog id or a Hub name")
    parser.add_argument("--temperature", type=float, help="0 to 2; 0 always takes the likeliest word")
    parser.add_argument("--top-p", type=float, help="keep the likeliest words up to this share, above 0 to 1")
    parser.add_argument("--max-length", type=int, help="the most new tokens of a reply; 0 is up to the context's end")
    parser.add_argument("--top-k", type=int, help="keep this many of the likeliest words; 0 keeps all")
    parser.add_argument("--min-p", type=float, help="drop words below this share of the likeliest one, 0 to 1")
    parser.add_argument("--seed", type=int, help="the same seed gives the same reply")
    parser.add_argument("--stop", action="append", metavar="TEXT", help="end the reply here; may be repeated")
    parser.add_argument(
        "--beams", type=int, default=1, help="2 to 4: search for the likeliest whole reply, word by word"
    )
    parser.add_argument("--system", metavar="TEXT", help="what the model is told before the conversation")
    parser.add_argument("--context", type=int, metavar="TOKENS", help="how many tokens the conversation may hold")
    parser.add_argument("--json", action="store_true", help="print one JSON object when the reply is complete")
    parser.set_defaults(run=run)


async def run(arguments: argparse.Namespace, services: "Services") -> int:
    """Load the model, then answer once or hold a dialogue. Raises AppError."""
    dialogue = arguments.prompt is None and is_terminal(sys.stdin) and is_terminal(sys.stdout) and not arguments.json
    overrides = _overrides(arguments)
    prompt = "" if dialogue else await _prompt(arguments)
    chat = await _load(arguments, services, overrides)
    if dialogue:
        return await _hold_dialogue(chat)
    if arguments.json:
        return await _answer_json(chat, prompt)
    await chat.answer(prompt)
    return 0


async def _prompt(arguments: argparse.Namespace) -> str:
    from desktop.database import clean_text

    text = arguments.prompt
    if text is None:
        text = (await _read_stdin(None)).decode("utf-8", "replace")
    if not text.strip():
        raise NothingAsked
    return clean_text(text)


async def _read_stdin(most: int | None) -> bytes:
    """Read what comes on stdin: all of it, or what one read gives, up to `most` bytes.

    The thread is a daemon over the unbuffered descriptor: it may wait there for ever without keeping the program from
    ending, which sys.stdin's own lock would. Raises OSError.
    """
    from desktop.threads import in_daemon_thread

    def read() -> bytes:
        with open(0, "rb", buffering=0, closefd=False) as stream:
            return (stream.read() if most is None else stream.read(most)) or b""

    return await in_daemon_thread(read, name="snug-stdin")


def _overrides(arguments: argparse.Namespace) -> Any:
    from desktop.database import clean_text
    from desktop.engine.protocol import MOST_BEAMS
    from desktop.settings import SamplingOverrides

    given = {name: getattr(arguments, name) for name in _SAMPLERS if getattr(arguments, name) is not None}
    check_context(arguments.context)
    if not 1 <= arguments.beams <= MOST_BEAMS:
        raise WrongUsage(reason=f"--beams must be 1 to {MOST_BEAMS}")
    if "stop" in given:
        given["stop"] = [clean_text(text) for text in given["stop"]]
    for name, value in given.items():
        try:
            msgspec.convert({name: value}, SamplingOverrides)
        except msgspec.ValidationError as error:
            option = "--" + name.replace("_", "-")
            wanted = str(error).partition(" - at ")[0].partition("` ")[2]
            raise WrongUsage(reason=f"{option} cannot be {value}: it must be {wanted}", detail=error) from error
    return msgspec.convert(given, SamplingOverrides)


async def _load(arguments: argparse.Namespace, services: "Services", overrides: Any) -> "_Chat":
    from desktop.actions.load import load_model
    from desktop.actions.models import find_model
    from desktop.chat.sampling import resolve_sampling
    from desktop.database import clean_text
    from desktop.settings import SYSTEM_PROMPT

    model = await asyncio.to_thread(find_model, services, arguments.model)
    given_up: list[Phrase] = []
    with _Progress(f"loading {model.name}") as progress:
        await load_model(services, model, context=arguments.context, on_progress=progress.show, on_step=given_up.append)
    for reason in given_up:
        print_note(f"note: {reason.render()}")
    sampling = resolve_sampling(
        explicit=overrides,
        settings=services.settings,
        card=_card(services, model.model_id),
        model_id=model.sampling_id,
    )
    system = arguments.system if arguments.system is not None else services.settings.get(SYSTEM_PROMPT)
    sampling = msgspec.structs.replace(sampling, beams=arguments.beams)
    return _Chat(services.engine, sampling, clean_text(system or ""), model.name)


def _card(services: "Services", model_id: str) -> "SamplingDefaults | None":
    from desktop.catalog.catalog import CatalogUnreadable

    try:
        entry = services.catalog.find(model_id) if model_id else None
    except CatalogUnreadable as error:
        print_note(f"note: {error.explain().message}. Samplers are not those of the model's publisher.")
        return None
    return entry.sampling if entry else None


class _Progress:
    """A line on stderr while something takes long; only where a person looks."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._visible = is_terminal(sys.stderr)

    def __enter__(self) -> Self:
        return self

    def show(self, fraction: float) -> None:
        """Show how far it came, 0 to 1."""
        if self._visible:
            write_stderr(f"\r{self._title} {fraction:.0%} ")

    def __exit__(self, *_: object) -> None:
        if self._visible:
            write_stderr("\r\x1b[K")


class _Chat:
    """A conversation in memory, and how it is printed."""

    def __init__(self, engine: "EngineClient", sampling: "Sampling", system: str, model: str) -> None:
        from desktop.engine.protocol import PromptMessage

        self.model = model
        self.text, self.reasoning = "", ""
        self.messages: list[PromptMessage] = [PromptMessage(role="system", content=system)] if system else []
        self._engine = engine
        self._sampling = sampling
        self._plain = is_terminal(sys.stdout)
        self._person = is_terminal(sys.stderr)

    @property
    def loaded(self) -> "LoadedModel | None":
        """What the engine made of the model."""
        return self._engine.loaded

    async def answer(self, prompt: str) -> None:
        """Stream one reply to stdout; a partial one ends with a newline as well, and stays in the conversation."""
        try:
            done = await self.ask(prompt, stream=True)
        finally:
            if self.text and not self.text.endswith("\n"):
                self._write("\n")
        self._tell(done)

    async def ask(self, prompt: str, *, stream: bool) -> "Done":
        """Ask the engine; `text` and `reasoning` are what came, however it ends."""
        from desktop.engine.protocol import Done, PromptMessage, ReasoningDelta, TextDelta

        self.text, self.reasoning = "", ""
        self.messages.append(PromptMessage(role="user", content=prompt))
        try:
            async with contextlib.aclosing(
                self._engine.generate(messages=tuple(self.messages), sampling=self._sampling)
            ) as events:
                async for event in events:
                    if isinstance(event, TextDelta):
                        self.text += event.text
                        if stream:
                            self._write(event.text)
                    elif isinstance(event, ReasoningDelta):
                        self.reasoning += event.text
                        self._think(event.text)
                    elif isinstance(event, Done):
                        return event
        finally:
            if self.text:
                self.messages.append(PromptMessage(role="assistant", content=self.text))
            else:  # most templates refuse two questions in a row
                self.messages.pop()
        raise AppError(reason="the reply has no end")

    def _write(self, text: str) -> None:
        # What a model says must not steer the terminal.
        sys.stdout.write(text.translate(_NO_CONTROLS) if self._plain else text)
        sys.stdout.flush()

    def _think(self, text: str) -> None:
        if self._person:
            write_stderr(text.translate(_NO_CONTROLS))

    def _tell(self, done: "Done") -> None:
        if done.finish_reason == "context_full":
            print_note("note: the context is full, so the reply ends here; --context gives more")
        if self._person:
            if done.finish_reason == "length":
                print_note(f"note: cut at {done.stats.completion_tokens} tokens; --max-length gives more")
            print_note(_figures(done.stats))


def _figures(stats: "GenerationStats") -> str:
    """Figures of a reply; of guesses only where some were made."""
    line = f"{stats.completion_tokens} tokens · {stats.decode_speed:.1f} tok/s · first token {stats.ttft:.2f} s"
    return f"{line} · {stats.accepted} of {stats.drafted} guesses right" if stats.drafted else line


async def _answer_json(chat: _Chat, prompt: str) -> int:
    done = await chat.ask(prompt, stream=False)
    stats = done.stats
    print_json(
        {
            "model": chat.model,
            "text": chat.text,
            "reasoning": chat.reasoning,
            "finish_reason": done.finish_reason,
            "usage": {
                "prompt": stats.prompt_tokens,
                "completion": stats.completion_tokens,
                "cached": stats.cached_tokens,
            },
            "timings": {
                "ttft": stats.ttft,
                "prefill_speed": stats.prefill_speed,
                "decode_speed": stats.decode_speed,
            },
            "speculation": {
                "mode": chat.loaded.speculation if chat.loaded else None,
                "reason": (chat.loaded.speculation_reason or None) if chat.loaded else None,
                "drafted": stats.drafted,
                "accepted": stats.accepted,
            },
        }
    )
    return 0


# --- The dialogue ------------------------------------------------------------------------------------------------


async def _hold_dialogue(chat: _Chat) -> int:
    print_note(f"{chat.model} · Ctrl-C stops a reply, /exit or Ctrl-D ends")
    while True:
        sys.stdout.write("> ")
        sys.stdout.flush()
        try:
            line = await _read_line()
        except asyncio.CancelledError:
            print_note("")  # the terminal shows ^C on the prompt's line
            raise
        if line is None or line.strip() in {"/exit", "/quit", "/bye"}:
            if line is None:
                print_note("")
            return 0
        if line.strip():
            await _answer_stoppable(chat, line.strip())


async def _answer_stoppable(chat: _Chat, prompt: str) -> None:
    """Answer; Ctrl-C ends the reply and keeps the dialogue, and so does an explained error."""
    reply = asyncio.create_task(chat.answer(prompt))
    with _interrupt_cancels(reply):
        try:
            await reply
        except asyncio.CancelledError:
            this = asyncio.current_task()
            if this is not None and this.cancelling():
                raise
            print_note("stopped")
        except AppError as error:
            print_error(error)


@contextlib.contextmanager
def _interrupt_cancels(task: "asyncio.Task[None]") -> Iterator[None]:
    loop = asyncio.get_running_loop()
    before = signal.signal(signal.SIGINT, lambda *_: loop.call_soon_threadsafe(task.cancel))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


async def _read_line() -> str | None:
    """Return the next line of the terminal, None at its end."""
    from desktop.database import clean_text

    data = await _read_stdin(65_536)
    return clean_text(data.decode("utf-8", "replace")) if data else None
