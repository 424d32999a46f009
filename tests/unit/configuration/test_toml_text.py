"""The line of a table or key, in every form that TOML has for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from service.configuration.toml_text import TomlText

TEXT = '''\
# a comment = 1
first = 1
"second one" = 2 # with a comment

[tables]
a.b = 1
[tables.inner]  # after a dotted key
c = """
d = 2
"""
list = [
  "x=y",
  "z",
]
[ tables . "dotted.name" ]
'c' = 3
[[many]]
e = { f = 1 }
'''


@pytest.fixture
def text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TomlText:
    monkeypatch.chdir(tmp_path)
    Path("a.toml").write_text(TEXT)
    return TomlText(Path("a.toml"))


@pytest.mark.parametrize(
    ("keys", "place"),
    [
        ((), "a.toml"),
        (("first",), "a.toml, line 2, first"),
        (("second one",), 'a.toml, line 3, "second one"'),
        (("tables",), "a.toml, line 5, tables"),
        (("tables", "a"), "a.toml, line 6, tables.a"),
        (("tables", "a", "b"), "a.toml, line 6, tables.a.b"),
        (("tables", "inner"), "a.toml, line 7, tables.inner"),
        (("tables", "inner", "c"), "a.toml, line 8, tables.inner.c"),
        (("tables", "inner", "list"), "a.toml, line 11, tables.inner.list"),
        (("tables", "dotted.name"), 'a.toml, line 15, tables."dotted.name"'),
        (("tables", "dotted.name", "c"), 'a.toml, line 16, tables."dotted.name".c'),
        (("many",), "a.toml, line 17, many"),
        (("many", "e", "f"), "a.toml, line 18, many.e.f"),
        (("tables", "inner", "not-there"), "a.toml, line 7, tables.inner.not-there"),
        (("not-there",), "a.toml, not-there"),
    ],
)
def test_the_place_of_a_key_is_its_line_or_the_one_of_what_it_belongs_to(
    text: TomlText, keys: tuple[str, ...], place: str
) -> None:
    assert text.place(*keys) == place


def test_a_file_of_windows_has_the_same_lines(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_bytes(b"\xef\xbb\xbf# a comment\r\n[tables.inner]\r\nc = 1\r\n")

    assert TomlText(tmp_path / "a.toml").place("tables", "inner", "c").endswith("a.toml, line 3, tables.inner.c")


def test_the_values_are_tomls(text: TomlText) -> None:
    assert text.values["tables"]["inner"]["list"] == ["x=y", "z"]
