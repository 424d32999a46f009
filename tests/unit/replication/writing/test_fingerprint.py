"""Which settings count as shaping the replica's items."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from service.replication.writing.fingerprint import MIXED, remembered, shape_fingerprint
from tests.fakes.service import settings_of

TRANSFORM = "tests.support.transforms:choking"


def of(**settings: Any) -> str:
    return shape_fingerprint(settings_of(**settings))


def test_each_setting_that_shapes_items_counts():
    seen = {
        of(),
        of(include_attributes=("a",)),
        of(exclude_attributes=("a",)),
        of(exclude_attributes=("a", "b")),
        of(exclude_attributes=("a,b",)),
        of(transform=TRANSFORM),
        of(transform="tests.support.transforms:renaming"),
    }
    assert len(seen) == 7
    assert {len(found) for found in seen} == {32}


def test_neither_the_order_of_names_nor_what_is_ours_counts():
    assert of(exclude_attributes=("a", "b")) == of(exclude_attributes=("b", "a", "b"))
    assert of() == of(stamp_attribute="at", sequence_attribute="number", skip_ttl_deletes=True)


def load(folder: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a process that starts now would import it."""
    (folder / "shaping_transform.py").write_text(text)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    sys.modules.pop("shaping_transform", None)


def test_the_text_of_the_transforms_file_counts_as_it_was_loaded(tmp_path, monkeypatch):
    text = "def shape(item):\n    return item\n"
    load(tmp_path, text, monkeypatch)
    first = of(transform="shaping_transform:shape")

    (tmp_path / "shaping_transform.py").write_text(text + "# replaced under the running process\n")
    assert of(transform="shaping_transform:shape") == first

    load(tmp_path, text + "# loaded by the next\n", monkeypatch)
    assert of(transform="shaping_transform:shape") != first

    load(tmp_path, text, monkeypatch)
    assert of(transform="shaping_transform:shape") == first


def test_a_transform_without_a_file_counts_by_its_reference():
    assert of(transform="builtins:dict") == of(transform="builtins:dict") != of(transform="builtins:repr")


def test_settings_that_were_mixed_once_stay_mixed():
    assert remembered(None, "a") == remembered("a", "a") == "a"
    assert remembered("a", "b") == remembered(MIXED, "a") == remembered(MIXED, "b") == MIXED
