"""The kit is asked for each test anew, and forgets what a test has registered."""

from collections.abc import Iterator

import pytest

from armour_core import registry


@pytest.fixture(autouse=True)
def fresh_registry() -> Iterator[None]:
    yield
    registry.refresh()
