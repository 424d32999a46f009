"""The reference at `/docs`: the OpenAPI document as one page for people, with a curl line for each call.

It is made here, without a script and without anything from another host, so that it also works where there is no way
out, and so that no foreign code sees a token.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterator
from html import escape
from typing import Any

from fastapi import APIRouter
from starlette.responses import HTMLResponse, Response

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
_STYLE = """
:root{color-scheme:light dark;font:16px/1.5 system-ui,sans-serif}
body{max-width:60rem;margin:0 auto;padding:1rem}
section{border-top:1px solid #8888;margin-top:2rem}
code,pre{font:14px/1.4 ui-monospace,monospace}
pre{overflow:auto;padding:.6rem;border:1px solid #8886;border-radius:.4rem}
table{border-collapse:collapse;width:100%}
th,td{text-align:left;vertical-align:top;padding:.3rem .8rem .3rem 0;border-bottom:1px solid #8884}
@media(max-width:40rem){th,td{display:block;border:0;padding:.1rem 0}tr{display:block;padding:.4rem 0}}
"""
_MAX_DEPTH = 6


def build(document: Callable[[], dict[str, Any]]) -> APIRouter:
    router = APIRouter(include_in_schema=False)
    page = functools.cache(lambda: Page(document()).html())

    @router.get("/docs")
    async def docs() -> Response:
        return HTMLResponse(page(), headers={"content-security-policy": _POLICY})

    return router


class Page:
    """Renders one OpenAPI document."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._document = document
        self._schemas: dict[str, Any] = document["components"]["schemas"]

    def html(self) -> str:
        about = self._document["info"]
        title = escape(f"{about['title']} {about['version']}")
        paragraphs = "".join(f"<p>{_marked(text)}</p>" for text in about["description"].split("\n\n"))
        return (
            "<!doctype html><html lang=en><meta charset=utf-8>"
            '<meta name=viewport content="width=device-width, initial-scale=1">'
            f"<title>{title}: admin API</title><style>{_STYLE}</style><body>"
            f"<h1>{title}: admin API</h1>{paragraphs}"
            '<p>For programs: <a href="/openapi.json">/openapi.json</a></p>'
            f"<nav><ul>{''.join(self._contents())}</ul></nav>{''.join(self._sections())}</body></html>"
        )

    def _operations(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        for path, operations in self._document["paths"].items():
            for method, operation in operations.items():
                yield method.upper(), path, operation

    def _contents(self) -> Iterator[str]:
        for method, path, _ in self._operations():
            yield f'<li><a href="#{_anchor(method, path)}"><code>{method} {escape(path)}</code></a></li>'

    def _sections(self) -> Iterator[str]:
        for method, path, operation in self._operations():
            yield f'<section id="{_anchor(method, path)}"><h2><code>{method} {escape(path)}</code></h2>'
            yield f"<p>{_marked(operation.get('description', ''))}</p>"
            yield from self._requests(method, path, operation)
            yield "<h3>Answers</h3><table>"
            for status, answer in sorted(operation["responses"].items()):
                yield f"<tr><th>{status}<td>{_marked(answer['description'])}"
            yield "</table>"
            for answer in operation["responses"].values():
                schema = answer.get("content", {}).get("application/json", {}).get("schema")
                if schema:
                    yield from self._fields(schema)
            yield "</section>"

    def _requests(self, method: str, path: str, operation: dict[str, Any]) -> Iterator[str]:
        token = '-H "Authorization: Bearer $DYNAMIRROR_ADMIN_TOKEN" ' if "security" in operation else ""
        call = f"curl {'' if method == 'GET' else f'-X {method} '}{token}http://127.0.0.1:8080{path}"
        content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
        examples = [each["value"] for each in content.get("examples", {}).values()]
        for example in examples or [self._example(content["schema"])] if content else [None]:
            body = f" -H 'Content-Type: application/json' -d '{json.dumps(example)}'" if example else ""
            yield f"<pre>{escape(call + body)}</pre>"
        if operation.get("parameters"):
            yield "<h3>Parameters</h3><table>"
            for each in operation["parameters"]:
                yield f"<tr><th><code>{escape(each['name'])}</code><td>{_marked(each.get('description', ''))}"
            yield "</table>"
        if content:
            yield "<h3>Body</h3>"
            yield from self._fields(content["schema"])

    def _fields(self, schema: dict[str, Any]) -> Iterator[str]:
        for variant in self._variants(schema):
            rows = "".join(self._rows(variant, ""))
            yield f"<p>{_marked(variant.get('description', ''))}</p><table>{rows}</table>"

    def _rows(self, schema: dict[str, Any], prefix: str) -> Iterator[str]:
        if prefix.count(".") > _MAX_DEPTH:
            return
        for name, field in schema.get("properties", {}).items():
            variants = self._variants(field)
            kinds = " or ".join(dict.fromkeys(_kind(each) for each in variants))
            text = _marked(field.get("description", ""))
            yield f"<tr><th><code>{escape(prefix + name)}</code><td>{escape(kinds)}<td>{text}"
            for each in variants:
                inner = self._variants(each["items"]) if "items" in each else [each]
                for one in inner:
                    yield from self._rows(one, f"{prefix}{name}{'[]' if 'items' in each else ''}.")

    def _variants(self, schema: dict[str, Any]) -> list[dict[str, Any]]:
        """The schemas that a value may have, references followed, without null."""
        if "$ref" in schema:
            return self._variants(self._schemas[schema["$ref"].rsplit("/", 1)[-1]])
        choices = schema.get("anyOf") or schema.get("oneOf")
        if choices:
            return [found for each in choices if each.get("type") != "null" for found in self._variants(each)]
        return [schema]

    def _example(self, schema: dict[str, Any]) -> Any:
        variant = self._variants(schema)[0]
        if "examples" in variant:
            return variant["examples"][0]
        required = variant.get("required", [])
        return {name: self._example(field) for name, field in variant.get("properties", {}).items() if name in required}


def _kind(schema: dict[str, Any]) -> str:
    if "const" in schema:
        return json.dumps(schema["const"])
    if "enum" in schema:
        return ", ".join(json.dumps(each) for each in schema["enum"])
    return str(schema.get("format") or schema.get("type", "any"))


def _anchor(method: str, path: str) -> str:
    return escape(f"{method}-{path.strip('/').replace('/', '-').replace('{', '').replace('}', '')}".lower())


def _marked(text: str) -> str:
    """Text as HTML, with `code`."""
    parts = escape(" ".join(text.split())).split("`")
    return "".join(f"<code>{part}</code>" if index % 2 else part for index, part in enumerate(parts))
