import pytest

from desktop.sizes import gb, gib


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 MiB"), (312 << 20, "312 MiB"), (1 << 30, "1.0 GiB"), (5046586573, "4.7 GiB"), (-3 << 30, "-3.0 GiB")],
)
def test_memory_is_told_in_binary_units(size: int, text: str) -> None:
    assert gib(size) == text


@pytest.mark.parametrize(
    ("size", "text"), [(98_400_000, "98.4 MB"), (145_000_000, "0.14 GB"), (5_850_000_000, "5.85 GB")]
)
def test_a_file_is_told_as_the_hub_does(size: int, text: str) -> None:
    assert gb(size) == text
