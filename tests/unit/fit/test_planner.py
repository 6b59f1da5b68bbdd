"""What other hardware would change."""

import msgspec

from desktop.fit.advice.recommend import recommend
from desktop.fit.cards.cards import card_called, card_of_size, find_card, known_cards
from desktop.fit.cards.planner import (
    SHOWN,
    Comparison,
    HardwareWish,
    card_names,
    compare,
    has_cards,
    imagined_profile,
    over_network,
    with_exact,
)
from desktop.hardware.types import HardwareProfile
from tests.unit.fit.builders import GIB, catalog, machine, model

SHELF = catalog(
    model("small", billions=3), model("middle", billions=8), model("large", billions=32), model("huge", billions=120)
)


def asked(profile: HardwareProfile, wish: HardwareWish, *, minimum: float = 10.0) -> Comparison:
    today = recommend(profile=profile, catalog=SHELF, minimum_speed=minimum)
    then = recommend(profile=imagined_profile(profile, wish), catalog=SHELF, minimum_speed=minimum)
    return compare(today, then, wish)


def test_a_card_more_brings_a_larger_model_to_the_head() -> None:
    answer = asked(machine(gpus=(8,)), HardwareWish(cards=(card_of_size(24 * GIB),)))
    assert answer.today[0].model_id == "middle"
    assert answer.then[0].model_id == "large"
    assert answer.change.render() == (
        f"Large in {answer.then[0].quantization} would come first: more capable than Middle, by size and generation."
    )
    assert len({choice.model_id for choice in answer.then}) == len(answer.then) <= SHOWN
    assert {"GPU0", "GPU1"} <= set(answer.then[0].placement.layers), "the card that is here takes its part"


def test_a_card_instead_leaves_those_that_are_here_out() -> None:
    profile = machine(gpus=(24,))
    answer = asked(profile, HardwareWish(cards=(card_of_size(8 * GIB),), keep=False))
    assert (answer.today[0].model_id, answer.then[0].model_id) == ("large", "middle")
    assert "more capable and would no longer do" in answer.change.render()
    bare = imagined_profile(profile, HardwareWish(keep=False))
    assert not has_cards(bare)
    assert has_cards(profile)


def test_a_faster_card_of_the_same_size_changes_the_speed_alone() -> None:
    slow, fast = find_card("RTX 3060 12GB"), find_card("RTX 4070 SUPER")
    profile = imagined_profile(machine(), HardwareWish(cards=(slow,)))
    answer = asked(profile, HardwareWish(cards=(fast,), keep=False))
    assert answer.then[0].model_id == answer.today[0].model_id
    assert answer.change.render().endswith("times the speed.")
    same = asked(profile, HardwareWish(cards=(slow,), keep=False))
    assert same.change.render() == "The same model would come first, about as fast as today."


def test_more_main_memory_alone_is_thought_of_too() -> None:
    profile = machine(ram=4, cores=16)
    answer = asked(profile, HardwareWish(ram=64 * GIB), minimum=1)
    assert answer.then[0].capability > (answer.today[0].capability if answer.today else 0)
    assert answer.notes == ()


def test_where_nothing_fits_today_or_then_it_is_said() -> None:
    poor = machine(ram=1, free=0.5)
    answer = asked(poor, HardwareWish(cards=(card_of_size(16 * GIB),), ram=16 * GIB))
    assert answer.today == ()
    assert "today nothing does" in answer.change.render()
    assert asked(poor, HardwareWish(ram=GIB)).change.render() == "Nothing of the catalog would fit, even then."


def test_cards_of_other_machines_cost_the_way_there_and_say_so() -> None:
    profile, card = machine(gpus=(8,)), card_of_size(24 * GIB)
    far = asked(profile, HardwareWish(remote=(card,)))
    near = asked(profile, HardwareWish(cards=(card,)))
    assert far.then[0].model_id == near.then[0].model_id == "large"
    assert "RPC0" in far.then[0].placement.layers
    wish = HardwareWish(remote=(card,))
    raw = recommend(profile=imagined_profile(profile, wish), catalog=SHELF).choices[0]
    assert 0.9 * raw.speed.decode_low < far.then[0].speed.decode_low < raw.speed.decode_low
    assert 0.9 * raw.speed.decode_high < far.then[0].speed.decode_high < raw.speed.decode_high
    assert any("network" in note.render() for note in far.notes)
    assert not any("network" in note.render() for note in near.notes)
    assert over_network(near.then[0]) is near.then[0]


def test_the_engines_figures_take_the_place_of_estimates_and_what_does_not_fit_goes() -> None:
    answer = asked(machine(gpus=(8,)), HardwareWish(remote=(card_of_size(24 * GIB),)))
    first, second = answer.then[:2]
    exact = msgspec.structs.replace(first, exact=True, verdict="does_not_fit", missing=GIB)
    other = msgspec.structs.replace(second, exact=True, memory=first.memory)
    renewed = with_exact(answer, [], [exact, other])
    assert renewed.then[0].model_id == second.model_id
    assert renewed.then[0].exact
    assert renewed.then[0].memory == first.memory
    assert first.model_name not in renewed.change.render()
    assert renewed.today == answer.today
    assert with_exact(answer, [], []) == answer


def test_an_empty_wish_is_known() -> None:
    assert HardwareWish().is_empty
    assert not HardwareWish(ram=GIB).is_empty
    assert not HardwareWish(keep=False).is_empty


def test_every_card_of_the_table_is_found_by_the_name_that_is_offered() -> None:
    assert [card_called(name) for name in card_names()] == list(known_cards())
