from desktop.catalog.catalog import load_catalog
from desktop.fit.rating.capability import capability_of
from desktop.paths import catalog_file


def test_more_parameters_and_a_later_generation_rank_higher() -> None:
    score = {model.id: capability_of(model) for model in load_catalog(catalog_file()).models}
    assert score["smollm2-135m"] == min(score.values())
    assert score["qwen3-8b"] > score["qwen3-4b"] > score["qwen3-1.7b"]
    assert score["qwen3-8b"] > score["qwen2.5-7b"]
    assert score["qwen3-14b"] > score["qwen3-30b-a3b"] > score["qwen3-8b"]
