import pytest

from desktop.ui.card_names import short_card_name


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("NVIDIA GeForce RTX 3060", "RTX 3060"),
        ("NVIDIA RTX A4000", "RTX A4000"),
        ("GeForce RTX 4070 Ti SUPER", "RTX 4070 Ti SUPER"),
        ("AMD Radeon RX 7900 XTX", "RX 7900 XTX"),
        ("Radeon RX 7900 XTX", "RX 7900 XTX"),
        ("AMD Radeon Graphics", "Radeon Graphics"),
        ("Intel(R) Arc(TM) A770 Graphics", "Arc(TM) A770 Graphics"),
        ("Intel UHD Graphics", "UHD Graphics"),
        ("Apple M2", "Apple M2"),
    ],
)
def test_the_maker_is_left_out_and_what_tells_cards_apart_stays(name: str, short: str) -> None:
    assert short_card_name(name) == short
