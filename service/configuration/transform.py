"""Finds the user's transform: a function of their own that every item passes on its way to the replica."""

from __future__ import annotations

import functools
import importlib
import inspect
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from service.errors import ConfigurationError

Transform = Callable[[dict[str, Any]], dict[str, Any] | None]


def load_transform(reference: str) -> Transform:
    """The function that `module:function` names. Raises ConfigurationError for none, or one that never makes an item.

    The module, and what it imports, may lie in the working directory, after everything that is installed.
    """
    module_name, _, function_name = reference.partition(":")
    if not module_name or not function_name:
        raise ConfigurationError(f"{reference!r} is not module:function")
    if (here := str(Path.cwd())) not in sys.path:
        sys.path.append(here)
    try:
        module = importlib.import_module(module_name)
    except (Exception, SystemExit) as error:  # the user's code: whatever it raises, there is no transform
        raise ConfigurationError(f"the module {module_name!r} can't be imported: {_told(error)}") from error
    _source(module)
    if not hasattr(module, function_name):
        raise ConfigurationError(f"the module {module_name!r} has no {function_name!r}")
    transform: Transform = getattr(module, function_name)
    if not callable(transform):
        raise ConfigurationError(f"{reference!r} is not a function")
    if (misfit := _misfit(transform)) is not None:
        raise ConfigurationError(f"{reference!r} {misfit}; expected (item: dict) -> dict or None")
    return transform


def _misfit(transform: Transform) -> str | None:
    """Why it makes no item, whichever it is given: each change would become a dead letter."""
    called: Any = transform.func if isinstance(transform, functools.partial) else transform
    if isinstance(called, type):
        return None if issubclass(called, dict) else "is a class"
    if not inspect.isroutine(called):
        called = type(called).__call__
    if inspect.iscoroutinefunction(called) or inspect.isasyncgenfunction(called):
        return "is async, and nobody awaits it"
    if inspect.isgeneratorfunction(called):
        return "yields, and returns no item"
    try:
        inspect.signature(transform, follow_wrapped=False).bind({})
    except ValueError:  # a builtin that tells none
        return None
    except TypeError as error:
        return f"can't be called with an item: {error}"
    return None


def _told(error: BaseException) -> str:
    """Of the user's own errors not the text, which may quote anything, but where to look."""
    if isinstance(error, ImportError):
        return str(error)
    if isinstance(error, SyntaxError):
        return f"{error.msg} at {error.filename}:{error.lineno}"
    place = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} at {place.filename}:{place.lineno}"


def transform_source(reference: str) -> bytes:
    """The text of the module's file as it was loaded; empty where it has none, such as in an archive."""
    load_transform(reference)
    return _source(sys.modules[reference.partition(":")[0]])


@functools.cache
def _source(module: ModuleType) -> bytes:
    """Read once, with the import: a file that is replaced under a running process is not what runs."""
    try:
        return Path(module.__file__ or "").read_bytes()
    except (AttributeError, OSError):
        return b""
