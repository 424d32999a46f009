"""The two pages and the OpenAPI document: complete, and without a way out of this service."""

from __future__ import annotations

import base64
import hashlib
import re

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


async def test_docs_load_their_files_from_this_service_and_nothing_from_elsewhere():
    """The whole of it, in a browser, is tests/acceptance/test_docs_page.py."""
    api = FakeApi(admin_token=ADMIN)
    page = await api.call("GET", "/docs")
    policy = dict(each.strip().split(" ", 1) for each in page.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["connect-src"] == "'self'"
    assert (policy["script-src"].split()[0], policy["style-src"]) == ("'self'", "'self'")
    assert "unsafe" not in page.headers["content-security-policy"]
    loaded = re.findall(r'(?:src|href)="(?!data:)([^"]+)"', page.text)
    assert loaded
    for path in loaded:
        assert path.startswith("/")
        found = await api.call("GET", path)
        assert (found.status_code, found.headers["x-content-type-options"]) == (200, "nosniff")


@pytest.mark.parametrize("path", ["/docs/none.js", "/docs/../app.py", "/docs/%2e%2e/main.py", "/docs//etc/passwd"])
async def test_docs_give_no_other_file(api: FakeApi, path):
    assert problem_of(await api.call("GET", path))["status"] == 404


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


async def test_each_call_has_an_operation_id_that_makes_a_good_name_for_a_client(api: FakeApi):
    paths = (await api.call("GET", "/openapi.json")).json()["paths"]
    names = [operation["operationId"] for operations in paths.values() for operation in operations.values()]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", name) for name in names)
    assert paths["/pause"]["post"]["operationId"] == "pause"
    assert paths["/pipelines/{name}/pause"]["post"]["operationId"] == "pause_pipeline"
    assert paths["/pipelines/{name}/replays/{id}"]["delete"]["operationId"] == "cancel_pipeline_replay"
