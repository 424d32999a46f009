"""The barrier: what the stream has brought since a page of a scan was asked for."""

from __future__ import annotations

from service.replication.writing.scan_barrier import FORGET_EVERY_PAGES, ScanBarrier
from tests.support.workbench import key


def test_a_slow_page_knows_what_was_brought_although_many_others_have_come_and_gone():
    brought = ScanBarrier()
    slow = brought.open_page()
    brought.note(key("a"))
    for _ in range(2 * FORGET_EVERY_PAGES):
        brought.close_page(brought.open_page())
    assert brought.has_brought(key("a"), slow)
    assert not brought.has_brought(key("b"), slow)
