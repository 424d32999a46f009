"""The service starts in the tests' own process here, many times in a test."""

from collections.abc import Iterator

import pytest

from tests.support.service_starts import thaw


@pytest.fixture(autouse=True, scope="module")
def thawed() -> Iterator[None]:
    yield
    thaw()
