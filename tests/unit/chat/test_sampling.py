from pathlib import Path

import pytest

from desktop.catalog.types import SamplingDefaults
from desktop.chat.sampling import resolve_sampling
from desktop.engine.protocol import Sampling
from desktop.settings import MAX_LENGTH, MODEL_SAMPLING, TEMPERATURE, SamplingOverrides
from desktop.settings_store import SettingsStore


@pytest.fixture
def settings(tmp_path: Path) -> SettingsStore:
    return SettingsStore.open(tmp_path / "settings.json")


def test_where_nobody_says_anything_no_slider_falls_to_its_minimum(settings: SettingsStore) -> None:
    empty = resolve_sampling(explicit=SamplingOverrides(), settings=settings, card=SamplingDefaults())
    assert empty == Sampling()
    assert empty.temperature > 0
    assert empty.max_length > 0


def test_what_was_chosen_wins_step_by_step(settings: SettingsStore) -> None:
    card = SamplingDefaults(temperature=0.6, top_k=20)
    settings.set(TEMPERATURE, 0.3)
    settings.set(MAX_LENGTH, 99)

    def temperature(**explicit: float) -> float:
        chosen = SamplingOverrides(**explicit)  # type: ignore[arg-type]
        return resolve_sampling(explicit=chosen, settings=settings, card=card, model_id="m").temperature

    assert temperature() == 0.6
    settings.set(MODEL_SAMPLING, {"m": SamplingOverrides(temperature=0.9), "other": SamplingOverrides(temperature=1.5)})
    assert temperature() == 0.9
    assert temperature(temperature=1.1) == 1.1
    resolved = resolve_sampling(settings=settings, card=None)
    assert (resolved.temperature, resolved.max_length) == (0.3, 99)


def test_zero_is_a_choice_and_not_an_empty_value(settings: SettingsStore) -> None:
    explicit = SamplingOverrides(temperature=0, max_length=0, top_k=0)
    resolved = resolve_sampling(explicit=explicit, settings=settings, card=SamplingDefaults(temperature=0.6, top_k=20))
    assert (resolved.temperature, resolved.max_length, resolved.top_k) == (0, 0, 0)
