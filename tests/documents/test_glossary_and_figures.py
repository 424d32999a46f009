"""Numbers and words of the documents: the edge cases that the code names, what was measured, one word for one idea."""

from __future__ import annotations

import re

import pytest

from tests.support.markdown import README, ROOT, Document, docs


def test_each_edge_case_that_the_code_names_is_described() -> None:
    headings = docs("edge-cases").headings()[1:]
    numbers = [row["number"] for heading in headings for row in docs("edge-cases").table(heading)]
    assert numbers == [f"E{number}" for number in range(1, len(numbers) + 1)]
    files = [path for folder in ("service", "api", "tests") for path in (ROOT / folder).rglob("*.py")]
    named = {name for path in files for name in re.findall(r"\bE[1-9]\d*\b", path.read_text())}
    assert len(named) > 40  # the search still finds them
    assert named <= set(numbers)


def figures(value: str) -> tuple[float, str]:
    """`43,344 records/s` as its number and its unit."""
    number, _, unit = value.partition(" ")
    return float(number.replace(",", "")), unit


@pytest.mark.parametrize("heading", ["Measured", "Requests to AWS"])
def test_a_figure_is_about_what_was_measured(heading: str) -> None:
    """Within a fifth: a new run of the benchmarks on the same machine does not change what a reader learns."""
    rows = Document(ROOT / "benchmarks" / "RESULTS.md").table("Results")
    measured = {(row["case"], row["figure"]): figures(row["value"]) for row in rows}
    for row in docs("performance-and-cost").table(heading):
        (told, unit), (found, its_unit) = figures(row["value"]), measured[row["case"], row["figure"]]
        assert unit == its_unit, row
        assert told == pytest.approx(found, rel=0.2), row


# --- words


def without_what_the_code_says(document: Document) -> str:
    """The prose without quotes and code."""
    return re.sub(r'"[^"\n]*"|`[^`]*`', "", document.prose())


def test_the_glossary_has_each_word_once_and_in_order() -> None:
    words = [row["word"] for row in docs("glossary").table("Glossary")]
    assert words == sorted(set(words))


@pytest.mark.parametrize("name", ["README", *(path.stem for path in sorted((ROOT / "docs").glob("*.md")))])
def test_no_document_uses_a_word_that_the_glossary_avoids(name: str) -> None:
    if name in ("glossary", "metrics"):  # which lists them; which repeats the metrics' own texts
        return
    rows = docs("glossary").table("Words to avoid")
    avoided = [word.strip() for row in rows for word in row["avoid"].split(",")]
    text = without_what_the_code_says(README if name == "README" else docs(name))
    used = [word for word in avoided if re.search(rf"\b{word}(?:s|ed|ing)?\b", text, re.IGNORECASE)]
    assert not used
