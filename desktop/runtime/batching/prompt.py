"""From a request to the tokens the model reads, and to what reads the reply."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from desktop.engine.protocol import Attachment, CountTokens, FailureKind, Generate
from desktop.runtime.failures import EngineError
from desktop.runtime.loading.model import Model
from desktop.runtime.loading.projector import MediaChunk, MediaPrompt, Piece, Projector
from desktop.runtime.replies.formats import ReplyFormat
from desktop.runtime.replies.reader import ReplyReader
from desktop.runtime.templates.template import Stretch
from desktop.runtime.templates.turns import size_of
from desktop.runtime.tokenizing import checked_tokens
from desktop.runtime.vocabulary import Vocabulary

RAW = ReplyFormat(reasoning=())
"""Of text that is continued as it is: nothing in it is a mark."""
SHORT_TOKEN = 16
"""Bytes; how long the longest token is takes a moment to find, and is not asked for texts that would fit with these."""
_INFILL_NAMES = ("prefix", "suffix", "middle")


class Prompt(NamedTuple):
    """tokens: to read. reply_format: how the reply is to be understood; reasoning_open: it begins inside a thought.

    media: what stands behind the pseudo tokens of images and recordings, by the first of each. as_given: these very
    tokens are to be read; otherwise any that spell the same text are as good.
    """

    tokens: list[int]
    reply_format: ReplyFormat
    reasoning_open: bool
    media: Mapping[int, MediaChunk] = MappingProxyType({})
    as_given: bool = False

    @property
    def cells(self) -> int:
        """Cells of the KV cache that it takes; with M-RoPE images take more than places."""
        return len(self.tokens) + sum(medium.cells - len(medium.tokens) for medium in self.media.values())


def build_prompt(
    model: Model, request: Generate | CountTokens, *, between: Callable[[], None] = lambda: None
) -> Prompt:
    """Render and tokenize. between: called between the two, which take seconds each where the text is large.

    Raises EngineError(NO_CHAT_TEMPLATE | BAD_CHAT_TEMPLATE | BAD_REQUEST | BAD_MEDIA | WRONG_PURPOSE).
    """
    if isinstance(request, Generate):
        _check_what_is_given(request)
        if not request.messages:
            _check_size(model, (request.prompt, request.suffix or ""))
            return _raw_prompt(model.vocabulary, request)
    if not request.messages:
        raise EngineError(FailureKind.BAD_REQUEST, "a conversation needs at least one message")
    if model.template_failure is not None:
        raise EngineError(FailureKind.BAD_CHAT_TEMPLATE, model.template_failure.detail)
    if model.template is None:
        raise EngineError(FailureKind.NO_CHAT_TEMPLATE, model=model.plan.model_name)
    words, template = model.vocabulary, model.template
    continue_last = isinstance(request, Generate) and request.continue_last
    files = [file for message in request.messages for file in message.attachments]
    projector = model.projector if files else None
    stretches = template.render(
        request.messages,
        continue_last=continue_last,
        tools=request.tools,
        options=request.template_options,
        media_marker=projector.marker if projector else "",
    )
    between()
    if isinstance(request, Generate) and not files:
        _check_size(model, [stretch.text for stretch in stretches])
    read = _read_files(words, projector, stretches, files) if projector else _read(words, stretches)
    if not read.tokens:
        raise EngineError(FailureKind.BAD_CHAT_TEMPLATE, "it makes an empty prompt")
    continued = request.messages[-1] if continue_last else None
    reasoning_open = template.reasoning_open(stretches, continued)
    return Prompt(read.tokens, template.reply_format, reasoning_open, read.chunks)


def text_size(request: Generate | CountTokens) -> int:
    """The characters that are rendered and tokenized."""
    raw = len(request.prompt) + len(request.suffix or "") if isinstance(request, Generate) else 0
    return raw + size_of(request.messages, request.tools)


def _check_size(model: Model, texts: Iterable[str]) -> None:
    """Raise EngineError(CONTEXT_FULL) for what does not fit whatever its tokens are, before they are made."""
    size = sum(len(text.encode("utf-8", "replace")) for text in texts)
    if size > model.n_ctx * SHORT_TOKEN and (longest := model.vocabulary.longest_token):
        fewest = -(-size // longest)
        if fewest >= model.n_ctx:
            raise EngineError(FailureKind.CONTEXT_FULL, needed=f"≥ {fewest + 1}", available=str(model.n_ctx))


def _read(words: Vocabulary, stretches: Sequence[Stretch]) -> MediaPrompt:
    tokens: list[int] = []
    for index, stretch in enumerate(stretches):
        add_bos = index == 0 and _adds_bos(words, stretch.text)
        tokens += words.tokenize(stretch.text, add_bos=add_bos, parse_special=not stretch.literal)
    return MediaPrompt(tokens, {})


def _read_files(
    words: Vocabulary, projector: Projector, stretches: Sequence[Stretch], files: Sequence[Attachment]
) -> MediaPrompt:
    left = deque(files)
    pieces = [piece for stretch in stretches for piece in _cut_at_files(stretch, projector.marker, left)]
    if left:
        raise EngineError(FailureKind.BAD_CHAT_TEMPLATE, "it leaves attached files out")
    tokens, chunks = projector.read(pieces)
    if _adds_bos(words, stretches[0].text):
        tokens = [words.bos, *tokens]
    if tokens and tokens[-1] < 0:  # there are no logits to begin a reply with after a file
        tokens = tokens + words.tokenize("\n")
    return MediaPrompt(tokens, chunks)


def _cut_at_files(stretch: Stretch, marker: str, left: deque[Attachment]) -> Iterator[Piece]:
    """The files of a stretch and the text around them; in a literal one, a marker is what a person wrote."""
    texts = [stretch.text] if stretch.literal else stretch.text.split(marker)
    for index, text in enumerate(texts):
        if index and not left:
            raise EngineError(FailureKind.BAD_CHAT_TEMPLATE, "it repeats attached files")
        if index:
            yield Piece(attachment=left.popleft())
        if text:
            yield Piece(text, stretch.literal)


def _adds_bos(words: Vocabulary, text: str) -> bool:
    return words.adds_bos and not (words.bos_text and text.startswith(words.bos_text))


def _check_what_is_given(request: Generate) -> None:
    given = [name for name in ("messages", "prompt", "prompt_tokens") if getattr(request, name)]
    if len(given) > 1:
        raise EngineError(FailureKind.BAD_REQUEST, f"{' and '.join(given)} are given, and one of them is answered")
    if request.suffix is not None and given not in ([], ["prompt"]):
        raise EngineError(FailureKind.BAD_REQUEST, f"suffix: it goes with a prompt, and {given[0]} are given")


def _raw_prompt(words: Vocabulary, request: Generate) -> Prompt:
    if request.prompt_tokens:
        tokens = checked_tokens(words, request.prompt_tokens, "prompt_tokens")
        return Prompt(tokens, RAW, reasoning_open=False, as_given=True)
    if request.suffix is not None:
        return Prompt(_infill(words, request.prompt, request.suffix), RAW, reasoning_open=False)
    text = request.prompt
    tokens = words.tokenize(text, add_bos=words.adds_bos, parse_special=True) if text else []
    if not tokens:
        raise EngineError(FailureKind.BAD_REQUEST, "there is nothing to answer: no message and no prompt")
    return Prompt(tokens, RAW, reasoning_open=False)


def _infill(words: Vocabulary, before: str, after: str) -> list[int]:
    """[BOS] [prefix] before [suffix] after [middle], as format_prompt_infill of tools/server/server-common.cpp.

    Without the names of other files that the server makes up, and nothing is cut off to fit.
    """
    missing = [name for name, token in zip(_INFILL_NAMES, words.infill_marks, strict=True) if token < 0]
    if missing:
        detail = f"it fills in no middle: its vocabulary marks no {', no '.join(missing)}"
        raise EngineError(FailureKind.WRONG_PURPOSE, detail)
    prefix, suffix, middle = words.infill_marks
    begin = [words.bos] if words.adds_bos else []
    return [*begin, prefix, *words.tokenize(before), suffix, *words.tokenize(after), middle]


def make_reader(model: Model, prompt: Prompt, request: Generate) -> ReplyReader:
    """Return what reads the reply to a prompt."""
    return ReplyReader(
        model.vocabulary,
        prompt.reply_format,
        stops=request.sampling.stop,
        reasoning_open=prompt.reasoning_open,
        tools=bool(request.tools),
        signatures=request.tools,
    )


def check_room(prompt: int, n_ctx: int) -> None:
    """Raise EngineError(CONTEXT_FULL) unless the prompt and one new token fit; nothing is ever left out silently."""
    if prompt >= n_ctx:
        raise EngineError(FailureKind.CONTEXT_FULL, needed=str(prompt + 1), available=str(n_ctx))
