"""What the API's tests ask for."""

from __future__ import annotations

import pytest

from tests.fakes.api import FakeApi


@pytest.fixture
def api() -> FakeApi:
    """The API without tokens, on loopback."""
    return FakeApi()
