"""docs/troubleshooting.md as the service serves it: to all, loading nothing, and with all that the page links to."""

from __future__ import annotations

import json
import re

import pytest

from api.routes import docs
from api.routes.dashboard import PAGE
from tests.fakes.api import ADMIN, FakeApi, problem_of

ADVICE = (PAGE.parent / "advice.js").read_text(encoding="utf-8")


def sections() -> set[str]:
    """Those that a link of the dashboard's advice may lead to."""
    told = re.findall(r'\[("[^"]+"), "', ADVICE)
    return {json.loads(section) for section in told}


async def test_it_is_open_to_all_and_loads_nothing():
    page = await FakeApi(admin_token=ADMIN).call("GET", "/troubleshooting")
    assert page.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    policy = page.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    assert re.findall(r'(?:src|href)="(?!data:|#|/")([^"]*)"', page.text) == []


async def test_every_link_of_the_advice_leads_to_a_heading_there():
    page = (await FakeApi().call("GET", "/troubleshooting")).text
    ids = set(re.findall(r'<h\d id="([^"]+)">', page))
    assert len(sections()) > 5
    for section in sections():
        assert re.sub(r"[^\w\- ]", "", section.lower()).replace(" ", "-") in ids, section
    for anchor in re.findall(r'href="#([^"]+)"', page):
        assert anchor in ids


async def test_without_its_file_it_is_404(tmp_path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(docs, "TROUBLESHOOTING", tmp_path / "none.html")
    assert "docs/troubleshooting.md" in problem_of(await FakeApi().call("GET", "/troubleshooting"))["detail"]
