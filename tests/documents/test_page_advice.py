"""The page says what to do in the words of docs/troubleshooting.md."""

from __future__ import annotations

from api.routes.docs import TROUBLESHOOTING
from tests.support.page_advice import FILE, advice_file
from tests.support.troubleshooting_page import troubleshooting_page


def test_the_page_s_advice_is_the_document_s() -> None:
    assert FILE.read_text(encoding="utf-8") == advice_file(), "run: python -m tests.support.page_advice"


def test_the_served_page_is_the_document() -> None:
    found = TROUBLESHOOTING.read_text(encoding="utf-8")
    assert found == troubleshooting_page(), "run: python -m tests.support.page_advice"
