"""A child that hangs must not hang the tests with it."""

from pathlib import Path

import pytest

HERE = Path(__file__).parent
LIMIT = 60
"""Seconds; a load of the starter model takes less than one."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give each test of this folder a shorter time than the project's, unless it names its own."""
    for item in items:
        if HERE in item.path.parents and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(LIMIT))
