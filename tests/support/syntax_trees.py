"""The code as its syntax trees: where a test of the documents looks for what the code says."""

from __future__ import annotations

import ast
import functools

from tests.support.markdown import ROOT


@functools.cache
def trees() -> list[ast.Module]:
    """Of each file of `service/`."""
    return [ast.parse(path.read_text()) for path in sorted((ROOT / "service").rglob("*.py"))]


def is_call(node: ast.AST, name: str) -> bool:
    """Whether it calls something of that name, of a module or an object too."""
    if not isinstance(node, ast.Call):
        return False
    function = node.func
    return (isinstance(function, ast.Name) and function.id == name) or (
        isinstance(function, ast.Attribute) and function.attr == name
    )
