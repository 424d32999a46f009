"""Where each setting's value comes from, for a person who asks why it is what it is."""

from __future__ import annotations

from collections.abc import Mapping

DEFAULT = "default"


class Origins(dict[str, str]):
    """By the setting's name, in lower case; what is not in there has its default.

    Equal to any other: the same values from other places are the same settings, and restart nothing.
    """

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Mapping)

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = None

    def of(self, name: str) -> str:
        return self.get(name, DEFAULT)
