"""The text of a TOML file: its values, and the line that a table or a key has, for whoever must correct it.

`tomllib` gives a line only for what is no TOML. The lines of all else are found by a second look at the text: each
line that is a table's header or begins with a key is read by itself.
"""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

from service.configuration.environment import text_of
from service.errors import ConfigurationError

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
Keys = tuple[str, ...]


class TomlText:
    def __init__(self, path: Path) -> None:
        """Raises ConfigurationError where the file is missing, can't be read, or is no TOML."""
        text = text_of(path)
        if text is None:
            raise ConfigurationError(f"{path}: there is no such file")
        try:
            self.values: dict[str, Any] = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:  # it says at which line and column
            raise ConfigurationError(f"{path}: {error}") from None
        self._path = path
        self._lines = _lines(text)

    def place(self, *keys: str) -> str:
        """Where the key stands, for a person: file, line, dotted path."""
        known = next((keys[:length] for length in range(len(keys), 0, -1) if keys[:length] in self._lines), None)
        line = f", line {self._lines[known]}" if known else ""
        dotted = ".".join(key if _BARE_KEY.fullmatch(key) else json.dumps(key) for key in keys)
        return f"{self._path}{line}, {dotted}" if keys else str(self._path)


def _lines(text: str) -> dict[Keys, int]:
    """The first line of each table and key; of some that stand within a line, or in an array's, none."""
    found: dict[Keys, int] = {}
    table: Keys = ()
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), start=1):
        if line.lstrip().startswith("["):
            keys = table = _keys(line) or table
        elif keys := _keys(line.partition("=")[0] + "= 0") if "=" in line else ():
            keys = (*table, *keys)
        for length in range(1, len(keys) + 1):
            found.setdefault(keys[:length], number)
    return found


def _keys(line: str) -> Keys:
    """Those that one line of TOML leads to; none where it is no whole statement."""
    try:
        value: Any = tomllib.loads(line)
    except tomllib.TOMLDecodeError:
        return ()
    keys: list[str] = []
    while isinstance(value, dict) and value:
        key, value = next(iter(value.items()))
        keys.append(key)
    return tuple(keys)
