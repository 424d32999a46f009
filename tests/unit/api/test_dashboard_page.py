"""The dashboard's page as it is put together: one document that loads nothing and allows nothing that it was not."""

from __future__ import annotations

import re

from api.routes.dashboard import PAGE, assembled, content_security_policy
from tests.fakes.api import FakeApi


def test_the_page_is_one_document_with_every_file_of_its_folder_in_it():
    html = assembled(PAGE)
    for file in PAGE.parent.iterdir():
        if file != PAGE and file.stem not in ("docs", "troubleshooting"):  # pages of their own
            assert file.read_text(encoding="utf-8") in html, f"{file.name} is not in the page"
    assert not re.search(r"<script[^>]+src|<link[^>]+stylesheet", html)
    assert not re.search(r"https?://(?!www\.w3\.org/)", html), "only the names of XML's vocabularies"


def test_the_page_uses_nothing_that_its_policy_refuses():
    markup = re.sub(r"<(script|style)>.*?</\1>", "", assembled(PAGE), flags=re.DOTALL)
    assert not re.search(r"\s(on\w+|style)=", markup)
    scripts = "".join(file.read_text(encoding="utf-8") for file in PAGE.parent.glob("*.js"))
    assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(|new Function", scripts)


async def test_the_policy_allows_each_script_of_the_page_by_its_hash():
    answer = await FakeApi().call("GET", "/")
    assert answer.headers["content-security-policy"] == content_security_policy(answer.text)
    scripts = answer.text.count("<script>")
    policy = answer.headers["content-security-policy"]
    assert policy.split("style-src")[0].count("'sha256-") == scripts == len(list(PAGE.parent.glob("*.js")))
    assert "unsafe" not in policy
