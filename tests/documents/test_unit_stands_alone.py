"""tests/unit runs with nothing but the package, pytest, pytest-asyncio and hypothesis."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

from tests.support.markdown import ROOT

OF_THE_TESTS = {"pytest", "pytest_asyncio", "hypothesis"}
UNDERNEATH = {"aiobotocore", "botocore", "click", "starlette"}
"""What the package's own dependencies are made of."""


def imported(file: Path) -> Iterator[str]:
    """The modules that a file imports when it is imported itself."""
    found: list[ast.stmt] = list(ast.parse(file.read_text()).body)
    while found:
        each = found.pop()
        if isinstance(each, ast.Import):
            yield from (name.name for name in each.names)
        elif isinstance(each, ast.ImportFrom) and each.module:
            yield each.module
            yield from (f"{each.module}.{name.name}" for name in each.names)
        elif not isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef) and "TYPE_CHECKING" not in ast.dump(each):
            found += [child for child in ast.iter_child_nodes(each) if isinstance(child, ast.stmt)]


def file_of(module: str) -> Path | None:
    path = ROOT / module.replace(".", "/")
    return next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.exists()), None)


def reached() -> dict[str, Path]:
    """Every module that tests/unit imports, with the first file that does."""
    modules: dict[str, Path] = {}
    files = [ROOT / "tests" / "conftest.py", *sorted((ROOT / "tests" / "unit").rglob("*.py"))]
    while files:
        file = files.pop()
        for module in set(imported(file)) - set(modules):
            modules[module] = file
            if module.startswith("tests.") and (further := file_of(module)):
                files.append(further)
    return modules


def test_unit_imports_no_server_and_no_package_that_only_other_tests_need() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    own = {re.split(r"[^a-z0-9-]", each)[0].replace("-", "_") for each in project["dependencies"]}
    may_be = {*sys.stdlib_module_names, *own, *OF_THE_TESTS, *UNDERNEATH, "service", "api", "schemas", "tests"}
    modules = reached()
    assert len(modules) > 100
    strangers = {module: file for module, file in modules.items() if module.partition(".")[0] not in may_be}
    assert not strangers
    assert not {module: file for module, file in modules.items() if f"{module}.".startswith("tests.servers.")}
