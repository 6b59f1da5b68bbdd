"""What the engine is asked for, and the figures of an answer. Times are seconds, lengths tokens."""

from typing import Literal

import msgspec

FinishReason = Literal["stop", "length", "cancelled", "context_full", "tool_calls"]
Role = Literal["system", "user", "assistant", "tool"]
Priority = Literal["interactive", "batch"]
MediaKind = Literal["image", "audio"]
LONGEST_LINE = 64 * 1024 * 1024
"""Bytes of one message of the engine; asyncio's own limit of 64 KiB is too small for a reply in one piece."""
MOST_BEAMS = 4
"""More cost more than they bring."""
CachedIn = Literal["none", "memory", "ram", "disk"]


class Attachment(msgspec.Struct, frozen=True, kw_only=True):
    """An image or a recording in a message: the bytes of its file (JPEG, PNG, WAV, MP3 ...)."""

    kind: MediaKind
    data: bytes


class ToolCall(msgspec.Struct, frozen=True, kw_only=True):
    """A call the model made; `arguments` is JSON text."""

    name: str
    arguments: str
    call_id: str = ""


class Tool(msgspec.Struct, frozen=True, kw_only=True):
    """A function the model may call; `parameters` is a JSON schema as text."""

    name: str
    description: str = ""
    parameters: str = "{}"


class PromptMessage(msgspec.Struct, frozen=True, kw_only=True):
    """One turn of a conversation as the model sees it.

    reasoning: of an assistant's turn, for the templates that keep it. tool_call_id, name: of a tool's answer.
    """

    role: Role
    content: str
    reasoning: str = ""
    attachments: tuple[Attachment, ...] = ()
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str = ""
    name: str = ""


class LogitBias(msgspec.Struct, frozen=True, kw_only=True):
    """Makes a token, or every token of a text, more or less likely; -inf is written as -1000000 (never)."""

    bias: float
    token: int | None = None
    text: str = ""


class Sampling(msgspec.Struct, frozen=True, kw_only=True):
    """How the next token is chosen.

    max_length: the most NEW tokens of one reply; 0: up to the end of the context. min_length: no end before.
    temperature 0 is greedy; seed None draws one. Off is: top_k 0, top_p 1, min_p 0, typical_p 1, top_n_sigma 0,
    xtc_probability 0, dynamic_temperature 0, dry_multiplier 0, mirostat 0, repeat_penalty 1, the other penalties 0.
    repeat_window, dry_window: tokens that are looked back on; -1 is the whole context.
    mirostat (1 or 2) takes the place of the other cuts. grammar: GBNF; json_schema: a JSON schema as text, "{}" is any
    JSON; one of both. logprobs: how many alternatives are told per token; -1 tells nothing, 0 the chosen token only.
    beams: 1 is no beam search; 2 to 4 return the likeliest of several continuations, greedily: no sampler acts,
    and a grammar is refused.
    """

    temperature: float = 0.8
    top_p: float = 0.95
    max_length: int = 1024
    min_length: int = 0
    top_k: int = 40
    min_p: float = 0.05
    typical_p: float = 1.0
    top_n_sigma: float = 0.0
    xtc_probability: float = 0.0
    xtc_threshold: float = 0.1
    dynamic_temperature: float = 0.0
    dynamic_exponent: float = 1.0
    repeat_penalty: float = 1.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    repeat_window: int = 64
    dry_multiplier: float = 0.0
    dry_base: float = 1.75
    dry_allowed_length: int = 2
    dry_window: int = -1
    dry_breakers: tuple[str, ...] = ("\n", ":", '"', "*")
    mirostat: Literal[0, 1, 2] = 0
    mirostat_tau: float = 5.0
    mirostat_eta: float = 0.1
    seed: int | None = None
    stop: tuple[str, ...] = ()
    ignore_end: bool = False
    logit_bias: tuple[LogitBias, ...] = ()
    grammar: str = ""
    json_schema: str = ""
    logprobs: int = -1
    beams: int = 1
    length_penalty: float = 1.0


class TokenLogprob(msgspec.Struct, frozen=True, kw_only=True):
    """A token and the natural logarithm of the model's own probability for it, before any sampler."""

    token: int
    text: str
    logprob: float


class ChosenToken(msgspec.Struct, frozen=True, kw_only=True):
    """A token of a reply, with the likeliest alternatives at its place, best first."""

    chosen: TokenLogprob
    top: tuple[TokenLogprob, ...] = ()


class GenerationStats(msgspec.Struct, frozen=True, kw_only=True):
    """Figures of one reply. Times in seconds, speeds in tokens per second (0 where nothing was measured).

    prompt_tokens: of the whole prompt; cached_tokens of them were not read again, and cached_in tells where they were.
    queued: seconds before its turn came; ttft counts from the request's arrival. drafted, accepted: tokens that
    speculation proposed, and those that the model agreed with. discarded: tokens a context shift took away.
    """

    prompt_tokens: int = 0
    cached_tokens: int = 0
    cached_in: CachedIn = "none"
    completion_tokens: int = 0
    queued: float = 0.0
    ttft: float = 0.0
    prefill_speed: float = 0.0
    decode_speed: float = 0.0
    seconds: float = 0.0
    context_used: int = 0
    seed: int = 0
    drafted: int = 0
    accepted: int = 0
    discarded: int = 0
