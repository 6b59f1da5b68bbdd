"""The messages themselves: commands of the app, events of the engine child."""

import msgspec

from desktop.engine.protocol.devices import EngineDevice, EngineInfo
from desktop.engine.protocol.failures import EngineFailure
from desktop.engine.protocol.plans import LoadedModel, LoadPlan
from desktop.engine.protocol.requests import (
    ChosenToken,
    FinishReason,
    GenerationStats,
    Priority,
    PromptMessage,
    Sampling,
    Tool,
)

PROTOCOL_VERSION = 3


class Command(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag=True):
    """Base of what the app says."""


class Open(Command, frozen=True):
    """The first message: which protocol the app speaks."""

    version: int = PROTOCOL_VERSION


class Load(Command, frozen=True):
    """Load a model; answered by LoadProgress ... Loaded or LoadFailed. Replaces a loaded model.

    load_id: comes back in every answer, so that the end of a load that was given up is not taken for that of the next.
    """

    plan: LoadPlan
    load_id: int = 0


class CancelLoad(Command, frozen=True):
    """Give up the load that runs; it ends with LoadFailed(CANCELLED), or with Loaded when it was just done."""


class Generate(Command, frozen=True):
    """Answer a conversation; answered by deltas and one Done or RequestFailed.

    One of three is given. messages: the conversation. prompt: text to continue as it is, control tokens recognised.
    prompt_tokens: tokens to continue, read exactly as they are, nothing put before them.
    suffix: what is to come after the reply, which fills in the middle between prompt and suffix; control tokens are
    recognised in neither. None: the prompt is continued; "" is the end of a file.
    continue_last: the last message is the beginning of the reply. tools: functions the model may call.
    template_options: what the chat template is told besides ("enable_thinking": false).
    adapter_scales: one per adapter of the plan, in its order; None is what the plan says.
    context_shift: when the context is full, forget the oldest part (after the first keep_tokens) and go on, reported
    by ContextShifted; otherwise the reply ends as "context_full".
    conversation: a name by which ForgetConversations finds what is kept of it; the model does not see it.
    """

    request_id: str
    messages: tuple[PromptMessage, ...] = ()
    prompt: str = ""
    prompt_tokens: tuple[int, ...] = ()
    suffix: str | None = None
    sampling: Sampling = Sampling()
    continue_last: bool = False
    priority: Priority = "interactive"
    tools: tuple[Tool, ...] = ()
    template_options: dict[str, bool | int | str] = {}
    adapter_scales: tuple[float, ...] | None = None
    context_shift: bool = False
    keep_tokens: int = 0
    conversation: str = ""


class Embed(Command, frozen=True):
    """Embed texts with an embedding model; answered by Embedded or RequestFailed. normalize: to length 1."""

    request_id: str
    texts: tuple[str, ...]
    normalize: bool = True
    priority: Priority = "interactive"


class Rerank(Command, frozen=True):
    """Score documents against a query with a reranking model; answered by Reranked or RequestFailed."""

    request_id: str
    query: str
    documents: tuple[str, ...]
    priority: Priority = "interactive"


class CountTokens(Command, frozen=True):
    """How many tokens a conversation's prompt has; answered by TokensCounted or RequestFailed."""

    request_id: str
    messages: tuple[PromptMessage, ...]
    tools: tuple[Tool, ...] = ()
    template_options: dict[str, bool | int | str] = {}


class Tokenize(Command, frozen=True):
    """The tokens of a text, of whatever kind the loaded model is; answered by Tokenized or RequestFailed.

    add_special: with what the model wants around every text (BOS, SEP). parse_special: control tokens are recognised
    in it; otherwise all of it is what a person wrote. More than a million characters are refused: ask in pieces.
    """

    request_id: str
    text: str
    add_special: bool = False
    parse_special: bool = False


class Detokenize(Command, frozen=True):
    """The text of tokens, of whatever kind the loaded model is; answered by Detokenized or RequestFailed."""

    request_id: str
    tokens: tuple[int, ...]


class ForgetConversations(Command, frozen=True):
    """Drop what is kept of conversations, to be read again; answered by ConversationsForgotten or RequestFailed.

    conversations: as Generate named them; None is all that is kept, with and without a name. It goes from the KV cache
    and from RAM, and from the plan's disk folder whatever model it was kept for; so do files there of which cannot be
    told whose they are. Requests that have begun go on, and what they hold is not kept. What comes later is kept again.
    """

    request_id: str
    conversations: tuple[str, ...] | None = None


class Cancel(Command, frozen=True):
    """Stop a request; it ends with Done(finish_reason="cancelled")."""

    request_id: str


class AskStatus(Command, frozen=True):
    """Ask what the engine is doing; answered by Status. devices: with its devices, whose drivers are asked then."""

    nonce: int
    devices: bool = False


class Ping(Command, frozen=True):
    """Heartbeat; answered by Pong even while tokens are made."""

    nonce: int


class Shutdown(Command, frozen=True):
    """End the child in good order."""


AppMessage = (
    Open
    | Load
    | CancelLoad
    | Generate
    | Embed
    | Rerank
    | CountTokens
    | Tokenize
    | Detokenize
    | ForgetConversations
    | Cancel
    | AskStatus
    | Ping
    | Shutdown
)


class Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag=True):
    """Base of what the child says."""


class Hello(Event, frozen=True):
    """The first message: the child is up and this is what it can use."""

    version: int
    pid: int
    engine: EngineInfo


class LoadProgress(Event, frozen=True):
    """How far a load came, 0 to 1."""

    fraction: float
    load_id: int = 0


class Loaded(Event, frozen=True):
    """The model is ready."""

    model: LoadedModel
    load_id: int = 0


class LoadFailed(Event, frozen=True):
    """The load ended without a model."""

    failure: EngineFailure
    load_id: int = 0


class Queued(Event, frozen=True):
    """A request waits; position 1 is the next. Sent again when the position changes."""

    request_id: str
    position: int


class PromptProgress(Event, frozen=True):
    """Prefill: tokens read so far, of all."""

    request_id: str
    done: int
    total: int


class TextDelta(Event, frozen=True):
    """New text of a reply. tokens: the tokens behind it, where logprobs were asked for."""

    request_id: str
    text: str
    tokens: tuple[ChosenToken, ...] = ()


class ReasoningDelta(Event, frozen=True):
    """New text of a reply's reasoning block. tokens: as in TextDelta."""

    request_id: str
    text: str
    tokens: tuple[ChosenToken, ...] = ()


class ToolCallDelta(Event, frozen=True):
    """A piece of a tool call: the name comes first, arguments are JSON text in pieces. tokens: as in TextDelta.

    withdrawn: the call turned out to be none, or was cut: what was said of it is void, and comes as text. Every call
    that was not withdrawn is whole by Done. index counts the calls; that of a withdrawn one is not used again.
    """

    request_id: str
    index: int
    name: str
    arguments: str
    withdrawn: bool = False
    tokens: tuple[ChosenToken, ...] = ()


class ContextShifted(Event, frozen=True):
    """The context was full and the policy allowed to forget: `discarded` tokens after the first `kept` are gone."""

    request_id: str
    kept: int
    discarded: int


class Beams(Event, frozen=True):
    """The finished hypotheses of a beam search, best first: text and score (length-normalized log-probability)."""

    request_id: str
    texts: tuple[str, ...]
    scores: tuple[float, ...]


class Done(Event, frozen=True):
    """The end of a reply."""

    request_id: str
    finish_reason: FinishReason
    stats: GenerationStats


class Embedded(Event, frozen=True):
    """One vector per text, in order."""

    request_id: str
    vectors: tuple[tuple[float, ...], ...]
    prompt_tokens: int


class Reranked(Event, frozen=True):
    """One score per document, in order; higher is more relevant."""

    request_id: str
    scores: tuple[float, ...]
    prompt_tokens: int


class TokensCounted(Event, frozen=True):
    """Answer to CountTokens; context is what the model can hold."""

    request_id: str
    tokens: int
    context: int


class Tokenized(Event, frozen=True):
    """Answer to Tokenize. pieces: the bytes of each token, control tokens written out; not always whole UTF-8."""

    request_id: str
    tokens: tuple[int, ...]
    pieces: tuple[bytes, ...]


class Detokenized(Event, frozen=True):
    """Answer to Detokenize: the pieces of the tokens, control tokens written out; what is no UTF-8 is replaced."""

    request_id: str
    text: str


class ConversationsForgotten(Event, frozen=True):
    """Answer to ForgetConversations: how many kept states went, of all kinds, and their size in bytes.

    left: files that should have gone and could not be removed; the log says why.
    """

    request_id: str
    entries: int
    size: int
    left: int = 0


class RequestFailed(Event, frozen=True):
    """A reply that ended in a failure; other requests go on."""

    request_id: str
    failure: EngineFailure


class Status(Event, frozen=True):
    """Answer to AskStatus: what is going on in the child.

    cells_used: tokens in the KV cache, shared ones counted once, of cells_total. sequences: in use, of them
    sequences_idle wait for their next turn. ram_*, disk_*: entries and bytes of the cache's tiers. threads: that decode
    uses now. devices: where asked for, with the memory that is free at this moment.
    """

    nonce: int
    active: int = 0
    waiting: int = 0
    sequences: int = 0
    sequences_idle: int = 0
    cells_used: int = 0
    cells_total: int = 0
    ram_entries: int = 0
    ram_bytes: int = 0
    disk_entries: int = 0
    disk_bytes: int = 0
    threads: int = 0
    devices: tuple[EngineDevice, ...] = ()


class Pong(Event, frozen=True):
    """Answer to Ping."""

    nonce: int


ReplyPart = Queued | PromptProgress | TextDelta | ReasoningDelta | ToolCallDelta | ContextShifted | Beams | Done
"""What a reply consists of; Done is the last."""
Answer = Embedded | Reranked | TokensCounted | Tokenized | Detokenized | ConversationsForgotten
"""What answers a request in one piece."""
EngineMessage = Hello | LoadProgress | Loaded | LoadFailed | Pong | Status | ReplyPart | Answer | RequestFailed
