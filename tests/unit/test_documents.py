"""The documents say what the code does: every setting, metric and state is in the README."""

from __future__ import annotations

from pathlib import Path

import pytest

from service.config import PREFIX, Settings
from service.operations.status import PipelineState
from service.series import documentation

README = Path(__file__).parents[2].joinpath("README.md").read_text()


@pytest.mark.parametrize("name", [PREFIX + name.upper() for name in Settings.model_fields])
def test_the_readme_explains_each_setting(name: str) -> None:
    assert f"`{name}`" in README


def test_the_readme_has_the_table_of_all_metrics() -> None:
    assert documentation().strip() in README


@pytest.mark.parametrize("state", list(PipelineState))
def test_the_readme_says_what_to_do_in_each_state(state: PipelineState) -> None:
    assert f"state `{state.value}`" in README


def test_no_document_names_a_setting_that_does_not_exist() -> None:
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    named = {word.strip("`=,.:;()'\"").partition("=")[0] for word in README.split() if PREFIX in word}
    unknown = {name for name in named if name.startswith(PREFIX) and name != PREFIX} - known
    assert not unknown
