"""Hardware that is not here: the same profile with other graphics cards or another amount of RAM."""

from collections.abc import Sequence

import msgspec

from desktop.fit.cards import Card, free_of_card
from desktop.hardware.types import Gpu, HardwareProfile

_SYSTEM_BASE = 2 << 30  # a desktop with a browser open takes about 2 GiB and a sixteenth of a larger memory
_SYSTEM_PART = 16


def imagine(profile: HardwareProfile, *, gpus: Sequence[Card] = (), ram: int | None = None) -> HardwareProfile:
    """Return the profile of a machine with these graphics cards and this RAM (bytes).

    Without `gpus` the cards stay as they are, without `ram` the memory. What an imagined device has free is an
    assumption: 31/32 of a card; the RAM less 2 GiB and a sixteenth.
    """
    cards = tuple(_imagined_card(index, card) for index, card in enumerate(gpus)) if gpus else profile.gpus
    backends = tuple(card.backend or "" for card in cards) if gpus else profile.backends
    memory = profile.ram
    ram = ram or max((card.memory for card in gpus if card.unified), default=None)
    if ram is not None:
        available = max(ram - _SYSTEM_BASE - ram // _SYSTEM_PART, 0)
        memory = msgspec.structs.replace(memory, total=ram, available=available)
    return msgspec.structs.replace(profile, gpus=cards, ram=memory, backends=backends)


def _imagined_card(index: int, card: Card) -> Gpu:
    return Gpu(
        name=card.name,
        vendor=card.vendor,
        vram_total=card.memory,
        vram_free=free_of_card(card.memory),
        backend=f"GPU{index}",
        bandwidth=card.bandwidth,
        uses_ram=card.unified,
    )
