"""From a request to the tokens the model reads."""

from typing import NamedTuple

from desktop.engine.protocol import CountTokens, FailureKind, Generate
from desktop.runtime.failures import EngineError
from desktop.runtime.model import Model
from desktop.runtime.replies.formats import ReplyFormat

RAW = ReplyFormat(reasoning=())
"""Of text that is continued as it is: nothing in it is a mark."""


class Prompt(NamedTuple):
    """tokens: to read. reply_format: how the reply is to be understood; reasoning_open: it begins inside a thought."""

    tokens: list[int]
    reply_format: ReplyFormat
    reasoning_open: bool


def build_prompt(model: Model, request: Generate | CountTokens) -> Prompt:
    """Render and tokenize. Raises EngineError(NO_CHAT_TEMPLATE | BAD_CHAT_TEMPLATE | BAD_REQUEST | BAD_MEDIA)."""
    if isinstance(request, Generate) and not request.messages:
        return _raw_prompt(model, request.prompt)
    if not request.messages:
        raise EngineError(FailureKind.BAD_REQUEST, "a conversation needs at least one message")
    if model.template_failure is not None:
        raise EngineError(FailureKind.BAD_CHAT_TEMPLATE, model.template_failure.detail)
    if model.template is None:
        raise EngineError(FailureKind.NO_CHAT_TEMPLATE, model=model.plan.model_name)
    words, template = model.vocabulary, model.template
    continue_last = isinstance(request, Generate) and request.continue_last
    stretches = template.render(
        request.messages, continue_last=continue_last, tools=request.tools, options=request.template_options
    )
    tokens: list[int] = []
    for index, stretch in enumerate(stretches):
        doubled = bool(words.bos_text) and stretch.text.startswith(words.bos_text)
        add_bos = index == 0 and words.adds_bos and not doubled
        tokens += words.tokenize(stretch.text, add_bos=add_bos, parse_special=not stretch.literal)
    if not tokens:
        raise EngineError(FailureKind.BAD_CHAT_TEMPLATE, "it makes an empty prompt")
    continued = request.messages[-1] if continue_last else None
    return Prompt(tokens, template.reply_format, template.reasoning_open(stretches, continued))


def _raw_prompt(model: Model, text: str) -> Prompt:
    words = model.vocabulary
    tokens = words.tokenize(text, add_bos=words.adds_bos, parse_special=True) if text else []
    if not tokens:
        raise EngineError(FailureKind.BAD_REQUEST, "there is nothing to answer: no message and no prompt")
    return Prompt(tokens, RAW, reasoning_open=False)


def check_room(prompt: int, n_ctx: int) -> None:
    """Raise EngineError(CONTEXT_FULL) unless the prompt and one new token fit; nothing is ever left out silently."""
    if prompt >= n_ctx:
        raise EngineError(FailureKind.CONTEXT_FULL, needed=str(prompt + 1), available=str(n_ctx))
