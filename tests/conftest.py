"""What holds for all tests: their order."""

from __future__ import annotations

from pathlib import Path

import pytest

JOURNEYS = Path(__file__).parent / "journeys"


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Journeys last: the browser's event loop runs in this thread until the end, and no other can begin beside it."""
    items.sort(key=lambda item: item.path.is_relative_to(JOURNEYS))
