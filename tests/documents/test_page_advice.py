"""The page says what to do in the words of docs/troubleshooting.md."""

from __future__ import annotations

from tests.support.page_advice import FILE, advice_file


def test_the_page_s_advice_is_the_document_s() -> None:
    assert FILE.read_text(encoding="utf-8") == advice_file(), "run: python -m tests.support.page_advice"
