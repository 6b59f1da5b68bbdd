"""Hardware that is not here: the same profile with other graphics cards, other RAM, cards of other machines."""

from collections.abc import Sequence

import msgspec

from desktop.engine.protocol import DeviceKind, EngineDevice, ImaginedDevice
from desktop.fit.cards.cards import Card, free_of_card
from desktop.fit.memory.placement import REMOTE
from desktop.hardware.types import Gpu, HardwareProfile

_SYSTEM_BASE = 2 << 30  # a desktop with a browser open takes about 2 GiB and a sixteenth of a larger memory
_SYSTEM_PART = 16


def imagine(
    profile: HardwareProfile,
    *,
    gpus: Sequence[Card] = (),
    ram: int | None = None,
    keep: bool = False,
    remote: Sequence[Card] = (),
) -> HardwareProfile:
    """Return the profile of a machine with these graphics cards and this RAM (bytes).

    The cards take the place of those that are here; with `keep` they come in addition. remote: cards of other
    machines, lent over the network; the engine has them before its own, and their machines' RAM is not counted.
    Without cards those of the profile stay, without `ram` the memory. What an imagined device has free is an
    assumption: 31/32 of a card; the RAM less 2 GiB and a sixteenth.
    """
    memory = profile.ram
    ram = ram or max((card.memory for card in gpus if card.unified), default=None)
    if ram is not None:
        available = max(ram - _SYSTEM_BASE - ram // _SYSTEM_PART, 0)
        memory = msgspec.structs.replace(memory, total=ram, available=available)
    if not gpus and not remote:
        return msgspec.structs.replace(profile, ram=memory)
    lent = tuple(_lent_card(index, card) for index, card in enumerate(remote))
    here = used_cards(profile) if keep or not gpus else ()
    new = tuple(_imagined_card(len(here) + index, card) for index, card in enumerate(gpus))
    cards = (*lent, *here, *new)
    backends = tuple(card.backend or "" for card in cards)
    return msgspec.structs.replace(profile, gpus=cards, ram=memory, backends=backends)


def used_cards(profile: HardwareProfile) -> tuple[Gpu, ...]:
    """The cards that the engine uses, each with a backend's name; while it was not asked, those that it may use."""
    if profile.backends:
        return tuple(gpu for gpu in profile.gpus if gpu.backend is not None)
    usable = [gpu for gpu in profile.gpus if gpu.unused_reason is None and not gpu.uses_ram]
    return tuple(msgspec.structs.replace(gpu, backend=gpu.backend or f"GPU{index}") for index, gpu in enumerate(usable))


def imagined_devices(profile: HardwareProfile) -> tuple[ImaginedDevice, ...] | None:
    """The cards of an imagined profile for the engine to plan with; None where one shares the main memory.

    The engine's dry run has no imagined memory that counts twice, so such machines keep to arithmetic.
    """
    cards = used_cards(profile)
    if any(card.uses_ram for card in cards):
        return None
    return tuple(
        ImaginedDevice(
            name=card.backend or "",
            memory_total=card.vram_total,
            memory_free=card.vram_free,
            remote=(card.backend or "").startswith(REMOTE),
        )
        for card in cards
    )


def as_engine_device(card: ImaginedDevice) -> EngineDevice:
    """A card that is not there, as the engine would name it if it was."""
    return EngineDevice(
        name=card.name,
        description=card.name,
        kind=DeviceKind.GPU,
        backend="imagined",
        memory_total=card.memory_total,
        memory_free=card.memory_free,
    )


def imagine_card(name: str, size: int) -> ImaginedDevice:
    """An idle card of `size` bytes."""
    return ImaginedDevice(name=name, memory_total=size, memory_free=free_of_card(size))


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


def _lent_card(index: int, card: Card) -> Gpu:
    lent = _imagined_card(index, card)
    return msgspec.structs.replace(lent, name=f"{card.name} ({REMOTE})", backend=f"{REMOTE}{index}", uses_ram=False)
