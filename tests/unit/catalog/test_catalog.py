"""What becomes of models.json: what holds is offered, what does not is left out by name."""

import json
from pathlib import Path
from typing import Any

import pytest

from desktop.catalog.catalog import CatalogUnreadable, load_catalog
from desktop.errors import AppError


def entry(model_id: str = "tiny-1b", **changes: Any) -> dict[str, Any]:
    """A small entry that holds, with some of its fields changed (None takes a field out)."""
    shape = {"n_layer": 4, "n_embd": 64, "n_head": 4, "n_head_kv": 2, "head_dim_k": 16, "head_dim_v": 16}
    fields: dict[str, Any] = {
        "id": model_id,
        "name": "Tiny",
        "family": "Tiny",
        "publisher": "Nobody",
        "licence": "MIT",
        "parameters": 1_000_000,
        "active_parameters": 1_000_000,
        "architecture": "llama",
        "training_context": 2048,
        "tasks": ["chat"],
        "shape": shape,
        "quantizations": [{"name": "Q4_K_M", "repo": "owner/tiny-GGUF", "file": "tiny-Q4_K_M.gguf"}],
        "capability": {"generation": 3, "task_class": "general"},
        "source": [
            {
                "address": "https://example.org/card",
                "fields": ["licence", "parameters", "training_context", "shape", "quantizations"],
            }
        ],
    } | changes
    return {name: value for name, value in fields.items() if value is not None}


def write(path: Path, *entries: Any) -> Path:
    path.write_text(json.dumps({"format": 1, "models": entries}), encoding="utf-8")
    return path


def problems(path: Path) -> list[tuple[str, str]]:
    return [(problem.entry, problem.message) for problem in load_catalog(path).problems]


def test_a_bad_entry_is_left_out_by_name_and_the_others_are_kept(tmp_path: Path) -> None:
    file = write(tmp_path / "models.json", entry("first"), entry("broken", parameters="many"), entry("last"))
    catalog = load_catalog(file)
    assert [model.id for model in catalog.models] == ["first", "last"]
    assert [(problem.entry, "$.parameters" in problem.message) for problem in catalog.problems] == [("broken", True)]


def test_an_entry_that_is_no_text_is_left_out_and_the_others_are_kept(tmp_path: Path) -> None:
    file = write(tmp_path / "models.json", entry("first"), entry("spoilt"))
    file.write_bytes(file.read_bytes().replace(b"spoilt", b"spo\xfft"))
    catalog = load_catalog(file)
    assert [model.id for model in catalog.models] == ["first"]
    assert [problem.entry for problem in catalog.problems] == ["entry 2"]


def test_a_bottomless_entry_is_explained(tmp_path: Path) -> None:
    file = tmp_path / "models.json"
    file.write_text('{"format":1,"models":[' + "[" * 100_000 + "]" * 100_000 + "]}")
    with pytest.raises(CatalogUnreadable):
        load_catalog(file)


def test_a_bad_entry_without_an_id_is_named_by_its_place(tmp_path: Path) -> None:
    file = write(tmp_path / "models.json", entry("first"), {"name": "nameless"}, 7)
    assert [name for name, _ in problems(file)] == ["entry 2", "entry 3"]


def test_the_second_of_two_entries_with_one_id_is_left_out(tmp_path: Path) -> None:
    catalog = load_catalog(write(tmp_path / "models.json", entry(name="One"), entry(name="Two")))
    assert [model.name for model in catalog.models] == ["One"]
    assert [problem.entry for problem in catalog.problems] == ["tiny-1b"]


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"surprise": 1}, "surprise"),
        ({"id": "Not Kebab"}, "$.id"),
        ({"active_parameters": 2_000_000}, "active_parameters is larger"),
        ({"active_parameters": 1}, "without experts"),
        ({"n_expert": 8}, "belong together"),
        ({"quantizations": []}, "$.quantizations"),
        ({"released": "2026-05"}, "generation 5"),
        ({"languages": ["en"]}, "no source for languages"),
        ({"sampling": {"temperature": 0.7}}, "no source for sampling"),
        ({"licence": None}, "licence"),
        ({"source": []}, "$.source"),
        ({"source": [{"address": "https://example.org", "fields": ["shape", "size"]}]}, "unknown fields: size"),
    ],
)
def test_an_entry_that_does_not_hold_says_why(tmp_path: Path, changes: dict[str, Any], what: str) -> None:
    [(name, message)] = problems(write(tmp_path / "models.json", entry(**{"model_id": "odd", **changes})))
    assert what in message
    assert name == changes.get("id", "odd")


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"n_head_kv": [2, 2]}, "2 values for 4 layers"),
        ({"sliding_window": 512, "full_attention_interval": 2, "full_attention_layers": [1]}, "not both"),
        ({"full_attention_layers": [4]}, "beyond 3"),
        ({"sliding_window": 512, "recurrent": {"conv_kernel": 3}}, "not both"),
        ({"kv_lora_rank": 512}, "rope_dim"),
        ({"n_head_kv": 0}, "$.shape.n_head_kv"),
    ],
)
def test_a_shape_that_contradicts_itself_is_refused(tmp_path: Path, changes: dict[str, Any], what: str) -> None:
    shape = entry()["shape"] | changes
    [(_, message)] = problems(write(tmp_path / "models.json", entry(shape=shape)))
    assert what in message


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "truncated"),
        (b"\xff\xfe", "JSON"),
        (b'{"format": 1, "models": [', "truncated"),
        (b"[]", "object"),
        (b'{"format": 2, "models": []}', "format 2"),
    ],
)
def test_a_file_that_is_no_catalog_is_one_clear_error(tmp_path: Path, content: bytes, reason: str) -> None:
    file = tmp_path / "models.json"
    file.write_bytes(content)
    with pytest.raises(CatalogUnreadable) as caught:
        load_catalog(file)
    explained = caught.value.explain()
    assert str(file) in explained.message
    assert reason in explained.message
    assert "Install Snug again" in explained.hint


def test_a_missing_catalog_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(AppError, match="No such file"):
        load_catalog(tmp_path / "models.json")


def test_a_model_is_found_by_its_id_and_a_quantization_in_any_case(tmp_path: Path) -> None:
    catalog = load_catalog(write(tmp_path / "models.json", entry()))
    model = catalog.find("tiny-1b")
    assert model is not None
    assert catalog.find("tiny") is None
    quantization = model.quantization("q4_k_m")
    assert quantization is not None
    assert quantization.file == "tiny-Q4_K_M.gguf"
    assert quantization.size is None
    assert model.quantization("Q8_0") is None
