"""How large an item is for DynamoDB's limit of 400 KB.

The rules are the Developer Guide's, "DynamoDB item sizes and formats": names and text in UTF-8; a number about a byte
for two digits and one more; a document 3 bytes, and one for each of its elements. Rounded up where it says "about".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def item_size(item: Mapping[str, Mapping[str, Any]]) -> int:
    """Bytes of a whole item, names included."""
    return sum(len(name.encode()) + _value_size(value) for name, value in item.items())


def _value_size(value: Mapping[str, Any]) -> int:
    ((kind, content),) = value.items()
    match kind:
        case "S":
            return len(content.encode())
        case "N":
            return len(content) // 2 + 2
        case "B":
            return len(content) * 3 // 4  # it is in base64
        case "M":
            return 3 + len(content) + item_size(content)
        case "L":
            return 3 + sum(1 + _value_size(element) for element in content)
        case "BOOL" | "NULL":
            return 1
    raise ValueError(f"the control table holds no {kind}")
