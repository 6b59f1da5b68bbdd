"""The catalog that ships: it holds, it is priced, every figure says where it was read."""

import hashlib
import json
import time
from collections import Counter
from pathlib import Path

import jsonschema  # type: ignore[import-untyped]
import pytest

from desktop.catalog.catalog import load_catalog
from desktop.catalog.schema import catalog_schema, schema_text
from desktop.catalog.types import AttentionShape, Catalog, CatalogModel
from desktop.gguf.header import read_header
from desktop.gguf.shards import parse_shard_name
from desktop.library.starter import STARTER_MODEL_ID, STARTER_QUANTIZATION, starter_model


@pytest.fixture(scope="module")
def catalog(project_root: Path) -> Catalog:
    return load_catalog(project_root / "models.json")


def found(catalog: Catalog, model_id: str) -> CatalogModel:
    model = catalog.find(model_id)
    assert model is not None
    return model


def test_every_entry_holds_and_there_are_thirty_families(catalog: Catalog) -> None:
    assert catalog.problems == ()
    assert len({model.family for model in catalog.models}) >= 30
    assert len({model.id for model in catalog.models}) == len(catalog.models)


def test_the_catalog_is_valid_by_its_schema_and_the_schema_is_current(project_root: Path) -> None:
    document = json.loads((project_root / "models.json").read_bytes())
    jsonschema.Draft202012Validator.check_schema(catalog_schema())
    jsonschema.Draft202012Validator(catalog_schema()).validate(document)
    committed = (project_root / "resources" / "models.schema.json").read_text(encoding="utf-8")
    assert committed == schema_text(), "run: python -m desktop.catalog.schema"


def test_the_schema_refuses_a_field_that_nobody_reads(project_root: Path) -> None:
    document = json.loads((project_root / "models.json").read_bytes())
    document["models"][0]["stars"] = 5
    with pytest.raises(jsonschema.ValidationError, match="stars"):
        jsonschema.Draft202012Validator(catalog_schema()).validate(document)


@pytest.mark.parametrize("task", ["chat", "reasoning", "code", "small", "multilingual", "chinese", "moe"])
def test_there_is_a_choice_for_every_task(catalog: Catalog, task: str) -> None:
    assert len([model for model in catalog.models if task in model.tasks]) >= 5


def test_moe_models_are_tagged_as_such(catalog: Catalog) -> None:
    assert [model.id for model in catalog.models if model.is_moe != ("moe" in model.tasks)] == []


def test_a_reasonable_model_fits_every_size_of_machine(catalog: Catalog) -> None:
    """Ten models whose weights are below 12 GB at four and a half bits: enough for 16 GB of memory."""
    assert len([model for model in catalog.models if 1e9 < model.parameters < 21e9]) >= 10
    assert any(model.parameters < 1e9 for model in catalog.models)
    assert any(model.parameters > 100e9 for model in catalog.models)


def test_files_are_named_as_the_hub_names_them(catalog: Catalog) -> None:
    for model in catalog.models:
        for quantization in model.quantizations:
            shard = parse_shard_name(quantization.file)
            assert quantization.shards == (shard.count if shard else 1), quantization.file
            assert quantization.name.lower() in quantization.file.lower(), quantization.file
            assert quantization.sha256 is None or quantization.size is not None, quantization.file


def test_no_two_entries_offer_the_same_file(catalog: Catalog) -> None:
    files = Counter((q.repo, q.file) for model in catalog.models for q in model.quantizations)
    assert [file for file, times in files.items() if times > 1] == []


def _counted(shape: AttentionShape) -> int | None:
    """Parameters of a dense transformer without its norms and biases; None where this count does not apply."""
    dense = isinstance(shape.n_head, int) and isinstance(shape.n_head_kv, int) and shape.recurrent is None
    if not dense or shape.n_ff is None or shape.vocab_size is None or shape.kv_lora_rank:
        return None
    assert isinstance(shape.n_head, int)
    assert isinstance(shape.n_head_kv, int)
    attention = shape.n_embd * (shape.head_dim_k + shape.head_dim_v) * (shape.n_head + shape.n_head_kv)
    embeddings = shape.vocab_size * shape.n_embd * (1 if shape.tied_embeddings else 2)
    return shape.n_layer * (attention + 3 * shape.n_embd * shape.n_ff) + embeddings


def test_shape_and_parameters_tell_the_same_story(catalog: Catalog) -> None:
    counted = {model.id: (model, _counted(model.shape)) for model in catalog.models if not model.is_moe}
    known = {name: (model.parameters, count) for name, (model, count) in counted.items() if count}
    assert len(known) >= 40
    assert {name: pair for name, pair in known.items() if not 0.995 < pair[1] / pair[0] <= 1} == {}


@pytest.mark.parametrize(
    ("model_id", "parameters"),
    [
        ("smollm2-135m", 134_515_008),
        ("qwen3-8b", 8_190_735_360),
        ("llama-3.1-8b", 8_030_261_248),
        ("gemma-2-9b", 9_241_705_984),
        ("gpt-oss-20b", 20_914_757_184),
        ("glm-4.7-flash", 29_943_393_920),
        ("phi-4", 14_659_507_200),
    ],
)
def test_parameters_are_those_the_hub_counts(catalog: Catalog, model_id: str, parameters: int) -> None:
    assert found(catalog, model_id).parameters == parameters


def with_kv_cache(shape: AttentionShape) -> int:
    """How many layers keep one, of the whole context or of a window."""
    return sum(shape.kv_heads(layer) > 0 for layer in range(shape.n_layer))


def test_which_layers_keep_the_whole_context(catalog: Catalog) -> None:
    gemma = found(catalog, "gemma-3-1b").shape
    assert [layer for layer in range(26) if gemma.layer_kind(layer) == "full"] == [5, 11, 17, 23]
    assert with_kv_cache(gemma) == 26
    hybrid = found(catalog, "qwen3.5-9b").shape
    assert [hybrid.layer_kind(layer) for layer in range(4)] == ["recurrent"] * 3 + ["full"]
    assert with_kv_cache(hybrid) == 8
    assert (hybrid.kv_heads(2), hybrid.kv_heads(3)) == (0, 4)
    assert with_kv_cache(found(catalog, "lfm2-1.2b").shape) == 6
    wide = found(catalog, "gemma-4-31b").shape
    assert (wide.kv_heads(0), wide.kv_heads(5)) == (16, 4)
    assert with_kv_cache(found(catalog, "qwen3-8b").shape) == 36


def test_the_starter_entry_describes_the_file_that_comes_with_the_set_up(catalog: Catalog) -> None:
    file = Path(starter_model().path)
    model = found(catalog, STARTER_MODEL_ID)
    quantization = model.quantization(STARTER_QUANTIZATION)
    assert quantization is not None
    assert quantization.bundled
    assert quantization.size == file.stat().st_size
    assert quantization.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    metadata = read_header(file).metadata
    assert metadata["general.architecture"] == model.architecture
    shape = model.shape
    assert [metadata[f"llama.{key}"] for key in ("block_count", "embedding_length", "feed_forward_length")] == [
        shape.n_layer,
        shape.n_embd,
        shape.n_ff,
    ]
    assert [metadata[f"llama.attention.{key}"] for key in ("head_count", "head_count_kv")] == [
        shape.n_head,
        shape.n_head_kv,
    ]
    assert metadata["llama.context_length"] == model.training_context


def test_the_catalog_is_read_in_a_blink(project_root: Path) -> None:
    def seconds() -> float:
        start = time.thread_time()  # what others have of the processor is not counted
        load_catalog(project_root / "models.json")
        return time.thread_time() - start

    assert min(seconds() for _ in range(10)) < 0.05  # about 0.002 s
