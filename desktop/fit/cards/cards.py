"""Graphics cards that people may own or buy: resources/gpus.json, where each figure has its source (docs/gpus.md)."""

import re
from functools import cache, lru_cache

import msgspec

from desktop.errors import WrongUsage
from desktop.hardware.types import Vendor
from desktop.paths import resources_folder
from desktop.sizes import gib

_KEPT_PART = 32  # what a driver and a display keep of a card: 24 GiB report 23.3 GiB free
_MAKER = re.compile(r"\b(?:nvidia|geforce|amd|radeon|intel|apple)\b|\((?:r|tm)\)")
_DRIVER_WORDS = re.compile(r"\s*\((?!r\)|tm\))[^()]*\)\s*$")  # "AMD Radeon RX 6800 XT (RADV NAVI21)", as Vulkan says
_SEEN_PART = 0.85  # of its memory a driver states at least: ECC takes a sixteenth, firmware some hundred MiB

_SIZE = re.compile(r"(?P<number>\d{1,6}(?:[.,]\d{1,3})?)\s*(?P<unit>[MGT]?)(?:i?B)?", re.IGNORECASE)
_UNITS = {"M": 1 << 20, "G": 1 << 30, "T": 1 << 40}  # a "16 GB" card has 16 GiB
_LARGEST = 1 << 40


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """A card. memory: bytes; bandwidth: bytes per second, theoretical. unified: its memory is the machine's."""

    name: str
    memory: int
    bandwidth: int | None = None
    vendor: Vendor = "other"
    aliases: tuple[str, ...] = ()
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


def card_called(text: str) -> Card:
    """Return the card of a size ("16", "16 GB", "1.5GB") or of a name ("RTX 3060 12GB").

    A number alone is GB, and GB are GiB, as on a box; above 1,024 it is taken for a name. Raises WrongUsage where
    nobody knows the name, or where several cards have it.
    """
    match = _SIZE.fullmatch(text.strip())
    size = int(float(match["number"].replace(",", ".")) * _UNITS[match["unit"].upper() or "G"]) if match else 0
    return card_of_size(size) if 0 < size <= _LARGEST else find_card(text)


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


@lru_cache(maxsize=64)  # asked for every model that is priced; to look through the table takes longer than the price
def known_bandwidth(name: str, memory: int) -> int | None:
    """Bytes per second of a card that is here, by what its driver calls it and states of memory (bytes).

    None where the table does not have it, or has several such cards with different figures.
    """
    wanted = _as_drivers_write(name)
    found = {
        card.bandwidth
        for card in known_cards()
        if wanted in {_as_drivers_write(one) for one in (card.name, *card.aliases)} and _may_be(card, memory)
    }
    return found.pop() if len(found) == 1 else None


def _may_be(card: Card, memory: int) -> bool:
    """Whether a driver may state so much of this card; of shared memory the table has the largest configuration."""
    return memory <= card.memory and (card.unified or memory >= card.memory * _SEEN_PART)


def _as_drivers_write(name: str) -> str:
    return _plain(_DRIVER_WORDS.sub("", name)).removesuffix("graphics")


def _with_memory(card: Card) -> list[str]:
    return [f"{one} {card.memory >> 30}GB" for one in (card.name, *card.aliases)]


def _plain(name: str) -> str:
    return re.sub(r"[\s_-]", "", _MAKER.sub("", name.lower()))
