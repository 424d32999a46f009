"""The image, built when the first of these tests asks for it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.container import image
from tests.support.container.buildah import container


@pytest.fixture(scope="session")
def image_name() -> str:
    return image.built()


@pytest.fixture
def box(image_name: str) -> Iterator[str]:
    """A container of the image; nothing runs in it yet."""
    with container(image_name) as name:
        yield name
