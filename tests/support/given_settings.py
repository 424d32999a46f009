"""Settings, and what is wrong with them."""

from __future__ import annotations

import pytest

from service.configuration.settings import load_settings
from service.errors import ConfigurationError

TABLES = {"DYNAMIRROR_SOURCE_TABLE": "master-table", "DYNAMIRROR_REPLICA_TABLE": "replica-table"}


def problems(**given: str) -> list[str]:
    """What is wrong with these settings, given without their prefix, beside two good tables."""
    with pytest.raises(ConfigurationError) as caught:
        load_settings(TABLES | {f"DYNAMIRROR_{name}": value for name, value in given.items()})
    return str(caught.value).splitlines()
