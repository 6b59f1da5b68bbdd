"""Values of the catalog: what a model is, what prices it, and where each figure comes from.

Units: parameters and bytes are whole numbers, contexts and windows are tokens, dates are "YYYY-MM".
A figure that no source confirmed is None, never a guess.
"""

from typing import Annotated, Literal

import msgspec

Task = Literal["chat", "reasoning", "code", "small", "multilingual", "chinese", "moe", "vision", "tools"]
TaskClass = Literal["general", "reasoning", "code"]
LayerKind = Literal["full", "sliding", "recurrent"]

Count = Annotated[int, msgspec.Meta(ge=0)]
Positive = Annotated[int, msgspec.Meta(gt=0)]
Identifier = Annotated[
    str,
    msgspec.Meta(pattern=r"^[a-z0-9]+([.-][a-z0-9]+)*$", description="Kebab-case name, for example qwen3-8b."),
]
Month = Annotated[str, msgspec.Meta(pattern=r"^20[0-9]{2}-(0[1-9]|1[0-2])$")]
Sha256 = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}$")]
RepoName = Annotated[str, msgspec.Meta(pattern=r"^[\w.-]+/[\w.-]+$")]
GgufPath = Annotated[str, msgspec.Meta(pattern=r"^[^/\\].*\.gguf$")]
Address = Annotated[str, msgspec.Meta(pattern=r"^https://")]


_TRACED = (
    "licence",
    "released",
    "languages",
    "parameters",
    "active_parameters",
    "n_expert",
    "n_expert_used",
    "training_context",
    "shape",
    "sampling",
    "quantizations",
)
"""The fields of a model that must have a source where they are given; the others are names and tags of ours."""

_GENERATIONS: tuple[Month, ...] = ("2024-04", "2024-09", "2025-04", "2026-01")
"""The first month of generations 2, 3, 4 and 5."""


def generation_of(released: Month) -> int:
    """Return the generation of a model that came out in `released`: 1 before April 2024, 5 from 2026 on."""
    return 1 + sum(released >= first for first in _GENERATIONS)


class RecurrentShape(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The fixed state of a recurrent layer (Mamba, short convolution), F32, one per sequence.

    conv_kernel: width of the convolution; it keeps conv_kernel - 1 columns.
    inner_size, state_size, group_count: the `ssm.*` keys of the GGUF; None for a plain short
    convolution, which keeps n_embd values per column.
    """

    conv_kernel: Positive
    inner_size: Positive | None = None
    state_size: Positive | None = None
    group_count: Positive | None = None


class AttentionShape(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What prices a KV cache and the weights of one layer.

    n_layer: blocks, the output head not counted.
    n_head, n_head_kv: heads; a tuple has one value per layer, 0 where a layer keeps no KV cache.
    head_dim_k, head_dim_v: values per head in K and in V.
    head_dim_sliding: the same, K and V, in the sliding layers where they differ (Gemma 4).
    n_ff, n_ff_expert: width of the dense feed-forward block, and of one expert.
    sliding_window: tokens a sliding layer sees; None when no layer slides.
    full_attention_interval: every n-th layer (the n-th, the 2n-th, ...) sees the whole context;
        the others slide, or are recurrent when `recurrent` is given.
    full_attention_layers: the same as explicit indices from 0, where there is no regular interval.
    parallel_recurrence: every layer has attention AND a recurrent state side by side (Falcon-H1).
    kv_lora_rank, rope_dim: MLA (DeepSeek): the cache keeps one row of kv_lora_rank + rope_dim
        values per token and layer, and no V. head_dim_k and head_dim_v are then the
        uncompressed sizes.
    tied_embeddings: the output head reuses the token embeddings.
    """

    n_layer: Positive
    n_embd: Positive
    n_head: Positive | tuple[Count, ...]
    n_head_kv: Positive | tuple[Count, ...]
    head_dim_k: Positive
    head_dim_v: Positive
    head_dim_sliding: Positive | None = None
    vocab_size: Positive | None = None
    n_ff: Positive | None = None
    n_ff_expert: Positive | None = None
    tied_embeddings: bool | None = None
    sliding_window: Positive | None = None
    full_attention_interval: Positive | None = None
    full_attention_layers: tuple[Count, ...] | None = None
    recurrent: RecurrentShape | None = None
    parallel_recurrence: bool = False
    kv_lora_rank: Positive | None = None
    rope_dim: Positive | None = None

    def __post_init__(self) -> None:
        """Refuse a shape that contradicts itself (ValueError, which msgspec reports by path)."""
        for name in ("n_head", "n_head_kv"):
            heads = getattr(self, name)
            if isinstance(heads, tuple) and len(heads) != self.n_layer:
                raise ValueError(f"{name} has {len(heads)} values for {self.n_layer} layers")
        if self.full_attention_interval and self.full_attention_layers is not None:
            raise ValueError("give full_attention_interval or full_attention_layers, not both")
        if any(layer >= self.n_layer for layer in self.full_attention_layers or ()):
            raise ValueError(f"full_attention_layers names a layer beyond {self.n_layer - 1}")
        if self.sliding_window and self.recurrent:
            raise ValueError("layers either slide or are recurrent, not both")
        if (self.kv_lora_rank is None) != (self.rope_dim is None):
            raise ValueError("MLA needs both kv_lora_rank and rope_dim")

    def kv_heads(self, layer: int) -> int:
        """Return the KV heads of `layer` (from 0), 0 where the layer keeps no KV cache."""
        if isinstance(self.n_head_kv, tuple):
            return self.n_head_kv[layer]
        return 0 if self.layer_kind(layer) == "recurrent" else self.n_head_kv

    def layer_kind(self, layer: int) -> LayerKind:
        """Return what `layer` (from 0) keeps: the whole context, a window, or a fixed state."""
        if self._is_full(layer):
            return "full"
        return "sliding" if self.sliding_window else "recurrent"

    def _is_full(self, layer: int) -> bool:
        if self.full_attention_layers is not None:
            return layer in self.full_attention_layers
        if self.full_attention_interval is not None:
            return (layer + 1) % self.full_attention_interval == 0
        return self.parallel_recurrence or not (self.sliding_window or self.recurrent)


class CatalogQuantization(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One quantization of a model on the Hub.

    name: the quantization as its file names it, for example "Q4_K_M".
    file: path in the repository; of a split file the first shard.
    shards: number of files.
    size: bytes of all shards; None until the Hub was asked, unless a source confirmed it.
    sha256: of the single file; None until the Hub was asked, unless a source confirmed it.
    revision: commit of the repository that size and sha256 belong to.
    bundled: the same file comes with the set-up, so that it needs no network.
    """

    name: Annotated[str, msgspec.Meta(pattern=r"^[A-Z][A-Z0-9_]+$")]
    repo: RepoName
    file: GgufPath
    shards: Positive = 1
    size: Positive | None = None
    sha256: Sha256 | None = None
    revision: str | None = None
    bundled: bool = False


class SamplingDefaults(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Samplers that the publisher recommends; None where the publisher says nothing."""

    temperature: Annotated[float, msgspec.Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, msgspec.Meta(gt=0, le=1)] | None = None
    top_k: Count | None = None
    min_p: Annotated[float, msgspec.Meta(ge=0, le=1)] | None = None
    repeat_penalty: Annotated[float, msgspec.Meta(gt=0, le=2)] | None = None


class Capability(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What ranks a model before quantization is looked at, beside its parameters.

    generation: `generation_of` the month of release; a whole number, so that two models of one
        age differ by their parameters only.
    task_class: what the model was trained for most.
    """

    generation: Annotated[int, msgspec.Meta(ge=1, le=9)]
    task_class: TaskClass


class Source(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A document that states figures of an entry.

    address: where the document is read.
    fields: names of the entry's fields that it confirms.
    """

    address: Address
    fields: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]


class CatalogModel(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One model of the catalog, with what prices it and where that was read.

    parameters, active_parameters: weights in all, and those one token uses (equal when dense).
    architecture: `general.architecture` of the GGUF.
    training_context: tokens the model was trained for, without rope scaling by the user.
    n_expert, n_expert_used: experts per layer and per token; None when dense.
    quantizations: from the smallest file to the largest; empty is not allowed.
    """

    id: Identifier
    name: str
    family: str
    publisher: str
    licence: str
    parameters: Positive
    active_parameters: Positive
    architecture: str
    training_context: Positive
    tasks: Annotated[tuple[Task, ...], msgspec.Meta(min_length=1)]
    shape: AttentionShape
    quantizations: Annotated[tuple[CatalogQuantization, ...], msgspec.Meta(min_length=1)]
    capability: Capability
    source: Annotated[tuple[Source, ...], msgspec.Meta(min_length=1)]
    released: Month | None = None
    languages: tuple[str, ...] = ()
    n_expert: Positive | None = None
    n_expert_used: Positive | None = None
    sampling: SamplingDefaults = SamplingDefaults()

    def __post_init__(self) -> None:
        """Refuse an entry that contradicts itself (ValueError, which msgspec reports by path)."""
        if self.active_parameters > self.parameters:
            raise ValueError("active_parameters is larger than parameters")
        if (self.n_expert is None) != (self.n_expert_used is None):
            raise ValueError("n_expert and n_expert_used belong together")
        if not self.is_moe and self.active_parameters != self.parameters:
            raise ValueError("a model without experts uses all its parameters")
        names = [quantization.name for quantization in self.quantizations]
        if len(set(names)) != len(names):
            raise ValueError("two quantizations have the same name")
        self._check_generation()
        self._check_sources()

    def _check_generation(self) -> None:
        if self.released is not None and self.capability.generation != generation_of(self.released):
            raise ValueError(f"released {self.released} is generation {generation_of(self.released)}")

    def _check_sources(self) -> None:
        """Refuse a figure without a source, and a source for nothing."""
        confirmed = {field for source in self.source for field in source.fields}
        unknown = confirmed - set(self.__struct_fields__)
        if unknown:
            raise ValueError(f"source names unknown fields: {', '.join(sorted(unknown))}")
        stated = {name for name in _TRACED if getattr(self, name) not in (None, (), SamplingDefaults())}
        if not self.is_moe:
            stated.discard("active_parameters")
        missing = stated - confirmed
        if missing:
            raise ValueError(f"no source for {', '.join(sorted(missing))}")

    @property
    def is_moe(self) -> bool:
        """Whether only some experts work on each token."""
        return self.n_expert is not None

    @property
    def effective_parameters(self) -> float:
        """Parameters of a dense model of like capability: sqrt(total * active).

        The usual rule of thumb for mixtures of experts; an order for ranking, not a measurement.
        """
        return float((self.parameters * self.active_parameters) ** 0.5)

    def quantization(self, name: str) -> CatalogQuantization | None:
        """Return the quantization called `name` in any case, or None."""
        wanted = name.upper()
        return next((q for q in self.quantizations if q.name == wanted), None)


class CatalogProblem(msgspec.Struct, frozen=True, kw_only=True):
    """Why an entry of models.json was left out.

    entry: its id, or its position ("entry 3", from 1) when it has no readable id.
    message: what is wrong, with the path of the field, for the log and for `snug doctor`.
    """

    entry: str
    message: str


class Catalog(msgspec.Struct, frozen=True, kw_only=True):
    """The models that could be run, in the order of the file, and the entries that were rejected."""

    models: tuple[CatalogModel, ...]
    problems: tuple[CatalogProblem, ...] = ()

    def find(self, model_id: str) -> CatalogModel | None:
        """Return the model called `model_id`, or None."""
        return next((model for model in self.models if model.id == model_id), None)
