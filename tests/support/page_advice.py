"""The page's advice is docs/troubleshooting.md's: `python -m tests.support.page_advice` writes it anew.

And that document as it is served, where the advice leads to.
"""

from __future__ import annotations

import json
import re

from api.routes.dashboard import PAGE
from api.routes.docs import TROUBLESHOOTING
from service.operations.documents.status import PipelineState
from tests.support.markdown import code, docs, quoted
from tests.support.troubleshooting_page import troubleshooting_page

FILE = PAGE.parent / "advice.js"
LETTERS = "Dead letters, differences and other symptoms"
SENTENCES = (
    LETTERS,
    *("Not ready", "Warnings", "Gaps", "Tables", "The control table", "Access and AWS", "Commands and the demo"),
    "States",  # the last one that explains a sentence is the one that is shown
)


def advice_file() -> str:
    """The sentences by a part of each, and the states; each with its section, cause and action."""
    sentences = {}
    for section in SENTENCES:
        for row in docs("troubleshooting").table(section):
            parts = quoted(row["symptom"])
            if row["symptom"].startswith("one of these with"):
                parts = code(row["symptom"])
            for part in parts:
                if " " in part:  # a single word may be said of anything
                    sentences[part] = _told(section, row)
    states: dict[str, list[str]] = {}
    for row in docs("troubleshooting").table("States"):
        for state in {state.value for state in PipelineState} & set(code(row["symptom"])):
            if not quoted(row["symptom"]) and "gap" not in row["symptom"]:
                states[state] = _told("States", row)
    (letters,) = [row for row in docs("troubleshooting").table(LETTERS) if row["symptom"].endswith("above 0")]
    lines = [
        "// What docs/troubleshooting.md says of what the service says. Written by tests.support.page_advice.",
        '"use strict";',
        "",
        "/** For a part of a sentence: its section there, the cause, what to do. */",
        "const ADVICE = {",
        *(f"  {_text(part)}: {_text(told)}," for part, told in sentences.items()),
        "};",
        "",
        "/** For a state of a pipeline. */",
        "const STATE_ADVICE = {",
        *(f"  {state}: {_text(told)}," for state, told in states.items()),
        "};",
        "",
        f"const LETTER_ADVICE = {_text(_told(LETTERS, letters))};",
    ]
    return "\n".join(lines) + "\n"


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _told(section: str, row: dict[str, str]) -> list[str]:
    return [section, _plain(row["cause"]), _plain(row["action"])]


def _plain(markdown: str) -> str:
    """Without marks, but for those around what is typed elsewhere than on the page."""
    text = re.sub(r"\[([^\]]+)\]\([^)]+\)", r"\1", markdown).replace("\\|", "|")
    return re.sub(r"`([^`]*)`", lambda code: code[0] if code[1].startswith("aws ") else code[1], text)


if __name__ == "__main__":
    FILE.write_text(advice_file())
    TROUBLESHOOTING.write_text(troubleshooting_page(), encoding="utf-8")
