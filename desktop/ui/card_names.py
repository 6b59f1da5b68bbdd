"""What a graphics card is called where there is little room."""

_MAKERS = ("NVIDIA ", "AMD ", "Intel(R) ", "Intel ")
_FAMILIES = ("GeForce ", "Radeon ")


def short_card_name(name: str) -> str:
    """A card's name without its maker and family ("RTX 3060"); "Graphics" alone would tell nobody which one it is."""
    for maker in _MAKERS:
        name = name.removeprefix(maker)
    for family in _FAMILIES:
        rest = name.removeprefix(family)
        if rest != "Graphics":
            name = rest
    return name
