"""What the environment and `.env` set, read in one place: by the service, by its commands, by the health check.

Whatever is wrong with `.env` is a ConfigurationError that says where; never what stands there, which may be a token.
"""

from __future__ import annotations

import io
import os
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from dotenv import dotenv_values
from dotenv.parser import parse_stream

from service.errors import ConfigurationError

PREFIX = "DYNAMIRROR_"
ENV_FILE = ".env"
ENVIRONMENT = "the environment"
EMPTY_MEANS_OFF = frozenset({f"{PREFIX}STAMP_ATTRIBUTE", f"{PREFIX}SEQUENCE_ATTRIBUTE"})
"""Of all others a blank value counts as none, so that `${NAME:-}` in a file of a platform sets nothing."""

# What a file that some editors write begins with: UTF-16 in its two orders (RFC 2781, section 4.3).
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")


def given_settings(environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """The `DYNAMIRROR_` settings in effect, blank ones left out: the environment's, then those of `.env`.

    With `environment`, only what is in there. Raises ConfigurationError that lists every problem, one a line.
    """
    return {name: value for name, (value, _) in settings_with_origins(environment).items()}


def settings_with_origins(environment: Mapping[str, str] | None = None) -> dict[str, tuple[str, str]]:
    """The same, each with where it comes from: `.env` or `the environment`."""
    problems: list[str] = []
    given: dict[str, tuple[str, str]] = {}
    places = [(ENVIRONMENT, os.environ if environment is None else environment)]
    if environment is None:
        places.insert(0, (ENV_FILE, _of_file(problems)))
    for place, pairs in places:
        given |= {name: (value, place) for name, value in _set(pairs.items(), place, problems).items()}
    if problems:
        raise ConfigurationError("\n".join(problems))
    return given


def _set(pairs: Iterable[tuple[str, str]], place: str, problems: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    names: dict[str, str] = {}
    for spelled, value in pairs:
        name = spelled.upper()
        if not name.startswith(PREFIX):
            continue
        if name in names:
            problems.append(f"{name}: set twice in {place}, as {names[name]} and as {spelled}")
        names[name] = spelled
        if not _is_text(value):
            problems.append(f"{name}: what {place} has is no UTF-8 text")
        elif value.strip() or name in EMPTY_MEANS_OFF:
            found[name] = value
    return found


def _is_text(value: str) -> bool:
    """False where Python kept bytes that it could not read."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _of_file(problems: list[str]) -> dict[str, str]:
    try:
        text = text_of(Path(ENV_FILE)) or ""
    except ConfigurationError as error:
        problems.append(str(error))
        return {}
    if wrong := _wrong_lines(text):
        problems += wrong
        return {}
    return {name: value for name, value in dotenv_values(stream=io.StringIO(text)).items() if value is not None}


def text_of(path: Path) -> str | None:
    """None where there is no such file. Raises ConfigurationError that says where, and shows nothing of the text."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        if path.is_symlink():
            raise ConfigurationError(f"{path}: a link to a file that is not there") from None
        return None
    except IsADirectoryError:
        raise ConfigurationError(f"{path}: a directory; settings are read from a file of that name") from None
    except OSError as error:
        raise ConfigurationError(f"{path}: can't be read: {error.strerror}") from None
    if content.startswith(_UTF_16):
        raise ConfigurationError(f"{path}: the file is in UTF-16; save it as UTF-8")
    try:
        return content.decode("utf-8-sig")  # with the mark at its beginning that some editors write, or without
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        where = f"byte {error.start + 1}, in line {line}"
        raise ConfigurationError(f"{path}: not in UTF-8 at {where}; save the file as UTF-8") from None


def _wrong_lines(text: str) -> list[str]:
    problems: list[str] = []
    lines: dict[str, int] = {}
    for binding in parse_stream(io.StringIO(text)):
        # A statement begins where the one before ended, with the empty lines between.
        spaces = binding.original.string[: -len(binding.original.string.lstrip()) or None]
        line = binding.original.line + spaces.count("\n")
        if "\0" in binding.original.string:
            problems.append(f"{ENV_FILE}: line {line} holds a NUL byte")
        elif binding.error or (binding.key is not None and binding.value is None):
            problems.append(f"{ENV_FILE}: line {line} is no assignment such as NAME=value")
        elif binding.key is not None and (name := binding.key.upper()).startswith(PREFIX):
            if name in lines:
                problems.append(f"{ENV_FILE}: line {line} sets {name} again, which line {lines[name]} has set")
            lines[name] = line
    return problems


def unknown_names(given: Collection[str], known: Collection[str]) -> list[str]:
    """A problem for each name that is no setting."""
    problems = []
    for name in sorted(set(given) - set(known)):
        close = closest(name.removeprefix(PREFIX), [each.removeprefix(PREFIX) for each in known])
        problems.append(f"{name}: unknown setting" + (f" (did you mean {PREFIX}{close}?)" if close else ""))
    return problems


def closest(name: str, known: Collection[str]) -> str | None:
    import difflib  # needed for a mistake only

    return next(iter(difflib.get_close_matches(name, known, n=1)), None)
