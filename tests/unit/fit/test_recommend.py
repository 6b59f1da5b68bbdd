"""Which models come first, and what is said about them."""

import random

import msgspec
import pytest

from desktop.catalog.catalog import load_catalog
from desktop.catalog.types import Catalog
from desktop.fit.advice.reasons import renewed_reasons
from desktop.fit.advice.recommend import ENOUGH_CHOICES, recommend
from desktop.fit.advice.rows import Learned
from desktop.fit.memory.placement import CPU
from desktop.fit.speeds.measured import MeasuredDevice, Probes
from desktop.fit.types import Choice, Recommendation
from desktop.gguf.types import GGML_TYPES_BY_NAME
from desktop.hardware.types import Disk, HardwareProfile
from desktop.paths import catalog_file
from tests.unit.fit.builders import GIB, catalog, device_speeds, machine, model, price_catalog, type_speed


def _reasons(choice: Choice) -> str:
    return " ".join(reason.render() for reason in choice.reasons)


def _notes(answer: Recommendation) -> str:
    return " ".join(note.render() for note in answer.notes)


def _random_machine(generator: random.Random) -> HardwareProfile:
    cards = tuple(generator.choice((4, 8, 12, 16, 24, 48)) for _ in range(generator.randint(0, 3)))
    return machine(cores=generator.choice((2, 4, 8, 16)), ram=generator.choice((8, 16, 32, 64, 128)), gpus=cards)


@pytest.fixture(scope="module")
def shipped() -> Catalog:
    return load_catalog(catalog_file())


def test_a_tiny_model_at_16_bits_never_beats_a_large_one_at_four() -> None:
    tiny = model("tiny", billions=0.135, quants=("F16",))
    large = model("large", billions=8, quants=("Q4_K_M",))
    answer = recommend(profile=machine(gpus=(12,)), catalog=catalog(tiny, large))
    assert [choice.model_id for choice in answer.choices] == ["large", "tiny"]
    assert "most capable" in _reasons(answer.choices[0])
    assert "Less capable than Large" in _reasons(answer.choices[1])


def test_a_newer_generation_comes_before_an_older_one_of_the_same_size() -> None:
    old, new = model("old", generation=2), model("new", generation=4)
    answer = recommend(profile=machine(gpus=(24,)), catalog=catalog(old, new))
    assert [choice.model_id for choice in answer.choices][:2] == ["new", "old"]


def test_loss_chooses_among_the_files_of_one_model_without_paying_for_nothing() -> None:
    entry = model("m")
    answer = recommend(profile=machine(gpus=(48,)), catalog=catalog(entry))
    assert answer.choices[0].quantization == "Q8_0"
    assert [choice.quantization for choice in answer.choices].count("Q8_0") == 1
    assert "lossless" in _reasons(answer.choices[0])
    small_card = recommend(profile=machine(gpus=(8,), ram=8), catalog=catalog(entry), minimum_speed=5)
    assert small_card.choices[0].quantization == "Q6_K"
    assert "Q8_0 would lose less" in _reasons(small_card.choices[0])


def test_a_large_model_that_only_fits_with_much_loss_gives_way_to_the_next_smaller_one() -> None:
    large = model("large", billions=14, quants=("Q2_K",))
    middle = model("middle", billions=8, quants=("Q4_K_M",))
    small = model("small", billions=4, quants=("Q4_K_M",))
    answer = recommend(profile=machine(gpus=(12,)), catalog=catalog(large, middle, small))
    assert [choice.model_id for choice in answer.choices] == ["middle", "large", "small"]
    assert "much loss" in _reasons(answer.choices[1])


def test_what_does_not_fit_says_how_much_is_missing_and_what_would_change_it() -> None:
    huge = model("huge", billions=70, quants=("Q4_K_M",))
    fair = model("fair", billions=3)
    answer = recommend(profile=machine(cores=8), catalog=catalog(huge, fair))
    assert {choice.model_id for choice in answer.choices} == {"fair"}
    (rejected,) = answer.rejected
    assert rejected.verdict == "does_not_fit"
    assert rejected.missing > 20 * GIB
    assert "GiB of memory are missing" in _reasons(rejected)
    assert "Huge would be more capable, but needs" in _reasons(answer.choices[0])


def test_what_is_too_slow_is_left_out_and_said_to_be_an_estimate() -> None:
    entry, quick = model("thoughtful", billions=8), model("quick", billions=1)
    answer = recommend(profile=machine(cores=2), catalog=catalog(entry, quick))
    assert {choice.model_id for choice in answer.choices} == {"quick"}
    assert "tokens per second; 10 are wanted. This is an estimate." in _reasons(answer.rejected[0])
    assert "an estimate until it was measured" in _reasons(answer.choices[0])
    patient = recommend(profile=machine(cores=2), catalog=catalog(entry, quick), minimum_speed=1)
    assert patient.choices[0].model_id == "thoughtful"


def test_what_was_measured_is_not_called_an_estimate() -> None:
    probes = Probes({CPU: MeasuredDevice(device_speeds(*(type_speed(kind, 20.0) for kind in GGML_TYPES_BY_NAME)))})
    models = catalog(model("slow", billions=8), model("quick", billions=1))
    answer = recommend(profile=machine(cores=2), catalog=models, learned=Learned(probes))
    assert answer.rejected
    for choice in (*answer.choices, *answer.rejected):
        assert choice.speed.measured
        assert "estimate" not in _reasons(choice).replace("The size of the file is an estimate", "")
    assert "from what was measured on this machine" in _reasons(answer.choices[0])
    assert "estimates" not in _notes(answer)


def test_what_the_engine_said_renews_every_figure_of_the_words() -> None:
    models = catalog(model("large", billions=8), model("small", billions=1))
    nearly_full = msgspec.structs.replace(machine(cores=2), disk=Disk(path="/", total=GIB, free=1 << 20))
    answer = recommend(profile=nearly_full, catalog=models)
    first, left = answer.choices[0], answer.rejected[0]
    quick = msgspec.structs.replace(first.speed, decode_low=70.0, decode_high=90.0, measured=True)
    new = msgspec.structs.replace(first, speed=quick, download_size=7 * GIB)
    words = " ".join(one.render() for one in renewed_reasons(first, new, answer.budgets, disk_free=GIB))
    assert "About 70 to 90 tokens per second, from" in words
    assert "The file has 7.52 GB, and the disk has only 1.07 GB left" in words
    assert "disk" not in " ".join(
        one.render() for one in renewed_reasons(first, new, answer.budgets, disk_free=8 * GIB)
    )
    slow = msgspec.structs.replace(left.speed, decode_low=1.0, decode_high=1.0, measured=True)
    renewed = renewed_reasons(left, msgspec.structs.replace(left, speed=slow), answer.budgets, disk_free=GIB)
    assert "Would write only about 1.0 tokens per second; 10 are wanted." in [one.render() for one in renewed]


def test_a_model_that_was_not_trained_for_the_context_is_left_out() -> None:
    short, long = model("short", billions=2, context=4096), model("long", billions=1)
    answer = recommend(profile=machine(cores=8), catalog=catalog(short, long), context=16384)
    assert {choice.model_id for choice in answer.choices} == {"long"}
    assert "trained for 4096 tokens" in _reasons(answer.rejected[0])


def test_without_a_fitting_model_the_answer_says_so() -> None:
    answer = recommend(profile=machine(ram=1), catalog=catalog(model("m")))
    assert answer.choices == ()
    assert "No model of the catalog fits at 8192 tokens" in _notes(answer)
    assert recommend(profile=machine(), catalog=Catalog(models=())).choices == ()


def test_a_larger_card_is_named_when_it_would_change_the_answer() -> None:
    answer = recommend(profile=machine(gpus=(8,), ram=8), catalog=catalog(model("big", billions=20), model("m")))
    assert "With 8.0 GiB more graphics memory, Big in" in _notes(answer)


def test_what_is_installed_and_a_full_disk_are_said() -> None:
    entry = model("m", billions=1, quants=("Q8_0",))
    full = machine()
    full = msgspec.structs.replace(full, disk=msgspec.structs.replace(full.disk, free=1000))
    (choice,) = recommend(profile=full, catalog=catalog(entry)).choices
    assert "the disk has only" in _reasons(choice)
    (here,) = recommend(profile=full, catalog=catalog(entry), installed={("m", "Q8_0")}).choices
    assert here.installed
    assert "Already on this computer." in _reasons(here)


def test_a_gemma_with_a_quantized_cache_is_warned_about() -> None:
    entry = model("g", architecture="gemma3", billions=1)
    (choice, *_) = recommend(profile=machine(), catalog=catalog(entry), kv="q8_0").choices
    assert "Gemma family" in _reasons(choice)


def test_cards_that_the_engine_does_not_use_do_not_count() -> None:
    profile = machine(gpus=(24,))
    unused = msgspec.structs.replace(profile.gpus[0], backend=None, unused_reason="no CUDA in this build")
    answer = recommend(
        profile=msgspec.structs.replace(profile, gpus=(unused,), backends=("CPU",)), catalog=catalog(model("m"))
    )
    assert [budget.name for budget in answer.budgets] == [CPU]
    assert "No graphics card is used" in _notes(answer)


@pytest.mark.parametrize("cores", [2, 4, 8])
def test_a_16_gb_machine_without_a_card_gets_ten_choices_from_the_shipped_catalog(shipped: Catalog, cores: int) -> None:
    answer = recommend(profile=machine(cores=cores, ram=16), catalog=shipped)
    assert len(answer.choices) >= ENOUGH_CHOICES
    best = answer.choices[0]
    assert best.quality.word != "poor"
    assert 1e9 < best.download_size < 6e9
    assert all(choice.reasons for choice in (*answer.choices, *answer.rejected))
    assert "No graphics card is used" in _notes(answer)


def test_every_choice_fits_is_fast_enough_and_stands_in_order(shipped: Catalog) -> None:
    generator = random.Random(31)
    for _ in range(25):
        profile = _random_machine(generator)
        answer = recommend(profile=profile, catalog=shipped, context=generator.choice((2048, 8192, 32768)))
        budgets = {budget.name: budget for budget in answer.budgets}
        for choice in answer.choices:
            assert choice.speed.decode >= 10
            for part in choice.memory:
                assert part.total + budgets[part.device].margin <= budgets[part.device].free
            assert len(choice.placement.layers) == choice.n_layer + 1
            assert sum(choice.placement.tensor_split) == choice.n_gpu_layers
        once = {choice.model_id: choice.capability for choice in answer.choices if choice.quality.kld <= 0.1}
        assert list(once.values()) == sorted(once.values(), reverse=True)
        assert not {choice.model_id for choice in answer.choices} & {choice.model_id for choice in answer.rejected}


def test_more_memory_never_makes_the_best_choice_less_capable(shipped: Catalog) -> None:
    best = [
        recommend(profile=machine(cores=8, ram=32, gpus=(size,)), catalog=shipped).choices[0].capability
        for size in (4, 6, 8, 12, 16, 24, 32, 48, 80)
    ]
    assert best == sorted(best)


def test_more_context_never_needs_less_and_every_row_is_priced(shipped: Catalog) -> None:
    for profile in (machine(), machine(gpus=(12, 8))):
        rows = [price_catalog(profile=profile, catalog=shipped, context=n) for n in (1024, 8192, 65536)]
        assert len(rows[0]) == sum(len(entry.quantizations) for entry in shipped.models)
        for short, middle, long in zip(*rows, strict=True):
            kv = [sum(part.kv for part in choice.memory) for choice in (short, middle, long)]
            assert kv == sorted(kv)
            if not (short.kept or middle.kept or long.kept):  # with experts behind, all layers are on the cards
                assert short.n_gpu_layers >= middle.n_gpu_layers >= long.n_gpu_layers
            if {short.verdict, long.verdict} <= {"fits", "partial"}:
                assert short.speed.decode >= long.speed.decode
