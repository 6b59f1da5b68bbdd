"""Graphics cards that people may own or buy: resources/gpus.json, where each figure has its source (docs/gpus.md)."""

import re
from functools import cache

import msgspec

from desktop.errors import WrongUsage
from desktop.hardware.types import Vendor
from desktop.paths import resources_folder
from desktop.sizes import gib

_KEPT_PART = 32  # what a driver and a display keep of a card: 24 GiB report 23.3 GiB free
_MAKER = re.compile(r"\b(?:nvidia|geforce|amd|radeon|intel|apple)\b|\((?:r|tm)\)")


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """A card. memory: bytes; bandwidth: bytes per second, theoretical. unified: its memory is the machine's."""

    name: str
    memory: int
    bandwidth: int | None = None
    vendor: Vendor = "other"
    aliases: tuple[str, ...] = ()
    compute_capability: str | None = None
    unified: bool = False


class _Table(msgspec.Struct, frozen=True, kw_only=True):
    cards: tuple[Card, ...]


@cache
def known_cards() -> tuple[Card, ...]:
    """Return every card of the table."""
    return msgspec.json.decode((resources_folder() / "gpus.json").read_bytes(), type=_Table).cards


def free_of_card(size: int) -> int:
    """Bytes that are free on an idle card of `size` bytes, as an assumption."""
    return size - size // _KEPT_PART


def card_of_size(size: int) -> Card:
    """A card of which only the memory is known, in bytes."""
    return Card(name=f"GPU ({gib(size)})", memory=size)


def find_card(name: str) -> Card:
    """Return the card that people call `name` ("RTX 3060", "rtx3060 12gb"); its maker may be left out.

    Raises WrongUsage where nobody knows it, or where there are several of that name.
    """
    wanted = _plain(name)
    found = [card for card in known_cards() if wanted in {_plain(one) for one in (card.name, *card.aliases)}]
    if not found:
        found = [card for card in known_cards() if wanted in {_plain(one) for one in _with_memory(card)}]
    if len(found) == 1:
        return found[0]
    if found:
        sizes = " or ".join(f'"{found[0].aliases[-1]} {card.memory >> 30}GB"' for card in found)
        raise WrongUsage(reason=f'there are several cards called "{name}"; write {sizes}')
    raise WrongUsage(reason=f'no card called "{name}" is known; give its memory instead, like 16GB')


def _with_memory(card: Card) -> list[str]:
    return [f"{one} {card.memory >> 30}GB" for one in (card.name, *card.aliases)]


def _plain(name: str) -> str:
    return re.sub(r"[\s_-]", "", _MAKER.sub("", name.lower()))
