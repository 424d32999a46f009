"""The two pages and the OpenAPI document: complete, and without a way out of this service."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest

from api.routes.dashboard import content_security_policy
from tests.fakes.api import ADMIN, FakeApi, problem_of

PAGE = "<style>b{}</style><script type='module'>let a = 1</script><script>\nlet b\n</script>"


def digest_of(text: str) -> str:
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"


def test_the_dashboard_may_run_only_the_scripts_and_styles_that_it_was_shipped_with():
    policy = dict(each.strip().split(" ", 1) for each in content_security_policy(PAGE).split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == f"{digest_of('let a = 1')} {digest_of(chr(10) + 'let b' + chr(10))}"
    assert policy["style-src"] == digest_of("b{}")
    assert policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == "'none'"
    assert "unsafe" not in content_security_policy(PAGE)


def test_a_page_without_scripts_may_run_none():
    assert "script-src 'none'" in content_security_policy("<p>")


async def test_without_its_page_the_dashboard_is_404(tmp_path):
    found = problem_of(await FakeApi(dashboard_page=tmp_path / "none.html").call("GET", "/"))
    assert found["status"] == 404


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.targets: set[str] = set()
        self.ids: set[str] = set()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.targets |= {value for name, value in attrs if name in ("href", "src", "action")}
        self.ids |= {value for name, value in attrs if name == "id"}


async def test_docs_show_every_call_and_need_nothing_from_elsewhere(api: FakeApi):
    page = (await api.call("GET", "/docs")).text
    links = _Links()
    links.feed(page)
    document = (await api.call("GET", "/openapi.json")).json()
    for path, operations in document["paths"].items():
        for method in operations:
            assert f"<code>{method.upper()} {path}</code>" in page
    assert "script" not in links.tags
    assert {target for target in links.targets if not target.startswith("#")} == {"/openapi.json"}
    assert {target[1:] for target in links.targets if target.startswith("#")} <= links.ids


async def test_docs_teach_with_a_curl_line_for_each_variant_of_a_body(api: FakeApi):
    page = (await api.call("GET", "/docs")).text
    for body in ("sequence_number", "from_time", "trim_horizon", "ids", "all"):
        assert re.search(rf"curl -X POST .*{body}", page)


@pytest.mark.parametrize("path", ["/status", "/pause", "/replay", "/dead-letters", "/dead-letters/{id}"])
async def test_the_document_says_that_a_token_is_needed(path):
    document = (await FakeApi(admin_token=ADMIN).call("GET", "/openapi.json")).json()
    for operation in document["paths"][path].values():
        assert operation["security"] == [{"token": []}]
        assert {"401", "403", "422", "500", "503"} <= operation["responses"].keys()


async def test_the_document_asks_for_no_token_where_none_is_set(api: FakeApi):
    document = (await api.call("GET", "/openapi.json")).json()
    assert "securitySchemes" not in document["components"]
    assert "security" not in document["paths"]["/pause"]["post"]


async def test_every_field_of_the_status_document_is_described_or_a_document_itself(api: FakeApi):
    schemas = (await api.call("GET", "/openapi.json")).json()["components"]["schemas"]
    documents = {"source", "replica", "lag", "queue", "shards", "totals", "rates", "gaps"}
    for name, field in schemas["Status"]["properties"].items():
        assert "description" in field or name in documents, name
