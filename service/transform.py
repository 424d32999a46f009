"""Finds the user's transform: a function of their own that every item passes on its way to the replica."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from service.errors import ConfigurationError

Transform = Callable[[dict[str, Any]], dict[str, Any] | None]


def load_transform(reference: str) -> Transform:
    """The function that `module:function` names. Raises ConfigurationError when there is none.

    The module, and what it imports, may lie in the working directory, after everything that is installed.
    """
    module_name, _, function_name = reference.partition(":")
    if not module_name or not function_name:
        raise ConfigurationError(f"{reference!r} is not module:function")
    if (here := str(Path.cwd())) not in sys.path:
        sys.path.append(here)
    try:
        module = importlib.import_module(module_name)
    except Exception as error:  # the user's code: whatever it raises, there is no transform
        raise ConfigurationError(f"the module {module_name!r} can't be imported: {error}") from error
    if not hasattr(module, function_name):
        raise ConfigurationError(f"the module {module_name!r} has no {function_name!r}")
    transform: Transform = getattr(module, function_name)
    if not callable(transform):
        raise ConfigurationError(f"{reference!r} is not a function")
    return transform
