"""The file of many pipelines, for the tests here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from service.configuration.fleet_file import FleetFile, load_fleet
from service.errors import ConfigurationError
from tests.support.fleet_files import Load


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """From a text, and from an environment that is given by its names without the prefix."""
    monkeypatch.chdir(tmp_path)

    def loaded(text: str, **given: str) -> FleetFile:
        Path("fleet.toml").write_text(text)
        return load_fleet(Path("fleet.toml"), {f"DYNAMIRROR_{name}": value for name, value in given.items()})

    return loaded


@pytest.fixture
def problems(load: Load) -> Callable[..., list[str]]:
    def found(text: str, **given: str) -> list[str]:
        with pytest.raises(ConfigurationError) as caught:
            load(text, **given)
        return str(caught.value).splitlines()

    return found
