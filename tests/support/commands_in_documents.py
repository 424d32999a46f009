"""The blocks of commands in every document.

A block says behind its fence where it belongs: `emulator`, `service` and `shell` are the three terminals of the
pipeline without AWS, `settings` is a start on tables of one's own, `demo` is tested by test_demo, `curl` is what to try
beside the demo, and `elsewhere` needs what is not here.
"""

from __future__ import annotations

from tests.support.markdown import README, ROOT, Block, Document, docs

TOKEN = "a-secret-of-yours"
PAGES = [
    *(README, *map(docs, ("walk-through", "commands", "admin-api", "lambda-or-container", "testing"))),
    *(Document(ROOT / f"{name}.md") for name in ("deploy/README", "deploy/helm/README", "CONTRIBUTING")),
]
"""In the order in which their blocks are run."""
BLOCKS = [block for page in PAGES for block in page.blocks() if block.language not in ("", "json")]


def blocks(tag: str) -> list[Block]:
    return [block for block in BLOCKS if block.tag == tag]
