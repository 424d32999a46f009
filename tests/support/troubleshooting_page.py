"""The served page is docs/troubleshooting.md: `python -m tests.support.page_advice` writes it anew.

It stands alone: what links to other documents is their name there.
"""

from __future__ import annotations

from markdown_it import MarkdownIt
from markdown_it.token import Token

from tests.support.markdown import anchor, docs

_HEAD = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>dynamirror: troubleshooting</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="style.css">
<link rel="stylesheet" href="troubleshooting.css">
</head>
<body>
<p class="small"><a href="/">Dashboard</a></p>
"""


def troubleshooting_page() -> str:
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = markdown.parse(docs("troubleshooting").text)
    for before, token in zip([None, *tokens], tokens, strict=False):
        if before is not None and before.type == "heading_open":
            before.attrSet("id", anchor(token.content))
        if token.children:
            token.children = _without_links_elsewhere(token.children)
    return f"{_HEAD}{markdown.renderer.render(tokens, markdown.options, {})}</body>\n</html>\n"


def _without_links_elsewhere(tokens: list[Token]) -> list[Token]:
    kept, is_inside = [], False
    for token in tokens:
        if token.type == "link_open":
            is_inside = not str(token.attrGet("href")).startswith("#")
        if not (is_inside and token.type in ("link_open", "link_close")):
            kept.append(token)
    return kept
