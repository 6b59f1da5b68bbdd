"""What other hardware would change: the best choices of today beside those of a machine that is only thought of."""

from collections.abc import Sequence

import msgspec

from desktop.errors import QT_TRANSLATE_NOOP, Phrase
from desktop.fit.cards.cards import Card, known_cards
from desktop.fit.cards.what_if import imagine, used_cards
from desktop.fit.memory.placement import REMOTE
from desktop.fit.types import Choice, Recommendation, Speed
from desktop.hardware.types import HardwareProfile

SHOWN = 3
"""Choices that are set side by side."""

# Each card of another machine costs a token one way there and back: 16 KiB of hidden state at 1 Gbit/s and a round trip
# of 0.2 to 0.5 ms on a wire; in a wireless network several times as much. An assumption, nothing was measured.
_NETWORK_SECONDS = (0.5e-3, 2e-3)

_NOTHING_FITS = QT_TRANSLATE_NOOP("core", "Nothing of the catalog would fit, even then.")
_FIRST_AT_ALL = QT_TRANSLATE_NOOP("core", "{model} in {quantization} would fit; today nothing does.")
_MORE_CAPABLE = QT_TRANSLATE_NOOP(
    "core", "{model} in {quantization} would come first: more capable than {today}, by size and generation."
)
_LESS_CAPABLE = QT_TRANSLATE_NOOP(
    "core", "{model} in {quantization} would come first; today's {today} is more capable and would no longer do."
)
_FINER = QT_TRANSLATE_NOOP(
    "core", "{model} would still come first, in {quantization} instead of {today}, at about {factor} times the speed."
)
_FASTER = QT_TRANSLATE_NOOP("core", "The same model would come first, at about {factor} times the speed.")
_NO_CHANGE = QT_TRANSLATE_NOOP("core", "The same model would come first, about as fast as today.")
_NETWORK = QT_TRANSLATE_NOOP(
    "core",
    "Cards of other machines take whole layers over the network (llama.cpp RPC). Each adds about 0.5 to 2 ms to a "
    "token on a wired network: an assumption, nothing was measured.",
)
_ASSUMED_FREE = QT_TRANSLATE_NOOP(
    "core", "Of a card that is only thought of, 31/32 are taken for free; of its memory bandwidth, 65 to 90 % arrive."
)


class HardwareWish(msgspec.Struct, frozen=True, kw_only=True):
    """The machine to think of. cards: new ones; remote: in other machines. keep: beside those here. ram: bytes."""

    cards: tuple[Card, ...] = ()
    remote: tuple[Card, ...] = ()
    keep: bool = True
    ram: int | None = None

    @property
    def is_empty(self) -> bool:
        """Whether nothing would be different."""
        return not (self.cards or self.remote or self.ram or not self.keep)


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """today, then: the first choices, best first. change: what would be different; notes: what to know of it."""

    today: tuple[Choice, ...]
    then: tuple[Choice, ...]
    change: Phrase
    notes: tuple[Phrase, ...]


def imagined_profile(profile: HardwareProfile, wish: HardwareWish) -> HardwareProfile:
    """The machine that `wish` thinks of; without new cards and not keeping those here, one without any."""
    if wish.keep or wish.cards:
        return imagine(profile, gpus=wish.cards, ram=wish.ram, keep=wish.keep, remote=wish.remote)
    bare = msgspec.structs.replace(profile, gpus=(), silent_cards=(), backends=profile.backends or ("CPU",))
    return imagine(bare, ram=wish.ram, remote=wish.remote)


def has_cards(profile: HardwareProfile) -> bool:
    """Whether the engine uses, or may use, a graphics card of this machine."""
    return bool(used_cards(profile))


def compare(today: Recommendation, then: Recommendation, wish: HardwareWish) -> Comparison:
    """Set today's choices beside those of the machine that `wish` thinks of, and say what changed."""
    first = tuple(over_network(choice) for choice in _one_per_model(then.choices))
    now = _one_per_model(today.choices)
    notes = []
    if wish.remote:
        notes.append(Phrase.of(_NETWORK))
    if wish.cards or wish.remote:
        notes.append(Phrase.of(_ASSUMED_FREE))
    return Comparison(today=now, then=first, change=_change(now, first), notes=tuple(notes))


def with_exact(comparison: Comparison, today: Sequence[Choice], then: Sequence[Choice]) -> Comparison:
    """The same rows with the engine's own figures, as far as there are any; what does not fit by them is left out."""
    now = _answered(comparison.today, today)
    first = _answered(comparison.then, [over_network(choice) for choice in then])
    return msgspec.structs.replace(comparison, today=now, then=first, change=_change(now, first))


def over_network(choice: Choice) -> Choice:
    """The choice at the speed it has when some of its layers are in other machines."""
    hops = len({device for device in choice.placement.layers if device.startswith(REMOTE)})
    if not hops:
        return choice
    fast, slow = (hops * seconds for seconds in _NETWORK_SECONDS)
    speed = choice.speed
    slower = Speed(
        decode_low=1 / (1 / speed.decode_low + slow),
        decode_high=1 / (1 / speed.decode_high + fast),
        prefill=speed.prefill,
    )
    return msgspec.structs.replace(choice, speed=slower)


def card_names() -> tuple[str, ...]:
    """Every card of the table by a name that find_card understands, with its memory where the name alone is not one."""
    names = [card.name for card in known_cards()]
    return tuple(
        f"{card.name} {card.memory >> 30}GB" if names.count(card.name) > 1 else card.name for card in known_cards()
    )


def _answered(rows: Sequence[Choice], answers: Sequence[Choice]) -> tuple[Choice, ...]:
    exact = {(answer.model_id, answer.quantization): answer for answer in answers if answer.exact}
    renewed = (exact.get((row.model_id, row.quantization), row) for row in rows)
    return tuple(row for row in renewed if row.fits)


def _one_per_model(choices: Sequence[Choice]) -> tuple[Choice, ...]:
    best: dict[str, Choice] = {}
    for choice in choices:
        best.setdefault(choice.model_id, choice)
    return tuple(best.values())[:SHOWN]


def _change(today: Sequence[Choice], then: Sequence[Choice]) -> Phrase:
    if not then:
        return Phrase.of(_NOTHING_FITS)
    best = then[0]
    named = {"model": best.model_name, "quantization": best.quantization}
    if not today:
        return Phrase.of(_FIRST_AT_ALL, **named)
    now = today[0]
    if best.model_id != now.model_id:
        template = _LESS_CAPABLE if best.capability < now.capability else _MORE_CAPABLE
        return Phrase.of(template, today=now.model_name, **named)
    factor = best.speed.decode / now.speed.decode
    times = f"{factor:.1f}"
    if best.quantization != now.quantization:
        return Phrase.of(_FINER, today=now.quantization, factor=times, **named)
    return Phrase.of(_FASTER, factor=times) if abs(factor - 1) > 0.1 else Phrase.of(_NO_CHANGE)
