"""The world, for the tests here."""

from __future__ import annotations

import pytest

from tests.fakes.world import World


@pytest.fixture
def world():
    return World(seed=3)
