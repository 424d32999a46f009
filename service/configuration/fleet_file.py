"""The file of many pipelines: TOML, read as a whole and checked at once.

A value's layers, weakest first: the default, the environment, `[defaults]`, `[pipelines.NAME]`. Names are those of the
environment, in lower case and without the prefix. Every problem is reported, with its line, in one ConfigurationError.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, ValidationError, model_validator

from service.configuration.environment import PREFIX, closest, settings_with_origins, unknown_names
from service.configuration.fleet_conflicts import conflicts
from service.configuration.settings import KNOWN_NAMES, SAMPLE_TABLES, Problem, ProcessSettings, Settings, checked
from service.configuration.toml_text import TomlText
from service.dynamodb_json.table_names import table_region
from service.errors import ConfigurationError

_PROCESS = frozenset(ProcessSettings.model_fields)
_SECRETS = frozenset({"admin_token", "read_token"})
_OF_ONE_PIPELINE = frozenset({"pipeline", "source_table", "replica_table"})
_AT_TOP = _PROCESS - _SECRETS
_OF_PIPELINES = frozenset(Settings.model_fields) - _PROCESS - {"pipeline"}
_OF_DEFAULTS = _AT_TOP | _OF_PIPELINES - _OF_ONE_PIPELINE
_TABLES = frozenset({"defaults", "pipelines", "discover"})
_PLACE_OF_TABLE = "{source_table}"


def _one_or_more(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _for_each_table(value: str) -> str:
    if _PLACE_OF_TABLE not in value:
        raise ValueError(f"expected {_PLACE_OF_TABLE} in it, or all tables would have one replica")
    return value


class Discover(BaseModel):
    """Which tables have a pipeline without a line of their own: those of a matching name that have every tag."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    source_tables: Annotated[tuple[str, ...], BeforeValidator(_one_or_more)] = ()
    """Shell patterns; none: every name."""
    source_tags: Mapping[str, str] = {}
    replica_table: Annotated[str, AfterValidator(_for_each_table)]

    @model_validator(mode="after")
    def _says_which(self) -> Self:
        if not self.source_tables and not self.source_tags:
            raise ValueError("give source_tables, source_tags or both")
        return self

    def replica_of(self, table: str) -> str:
        return self.replica_table.replace(_PLACE_OF_TABLE, table)

    def matches(self, table: str) -> bool:
        """By its name."""
        return not self.source_tables or any(fnmatchcase(table, pattern) for pattern in self.source_tables)

    def source_of(self, replica: str) -> str | None:
        """The name of a matching table whose replica would be called so, whether there is one or not."""
        before, _, after = self.replica_table.rpartition("/")[2].partition(_PLACE_OF_TABLE)
        source = replica.removeprefix(before).removesuffix(after)
        is_one = bool(self.source_tables) and before + source + after == replica and self.matches(source)
        return source if is_one else None


@dataclass(frozen=True, slots=True)
class FleetFile:
    """What the file says: each pipeline that it names has its settings, with the process's in them."""

    process: ProcessSettings
    pipelines: Mapping[str, Settings]
    discover: Discover | None = None
    defaults: Mapping[str, Any] = field(default_factory=dict, repr=False)  # with the tokens of the environment
    origins: Mapping[str, str] = field(default_factory=dict)
    """Where the defaults come from, and the tables that are discovered."""

    def discovered(self, table: str) -> Settings:
        """The pipeline of a table that was discovered. Raises ConfigurationError, as for a replica's name too long."""
        assert self.discover is not None
        tables = {"source_table": table, "replica_table": self.discover.replica_of(table)}
        settings, problems = checked({**self.defaults, **tables}, self.origins)
        if problems:
            raise ConfigurationError("\n".join(f"{problem.field}: {problem.in_file}" for problem in problems))
        return settings

    @property
    def any_discovered(self) -> Settings:
        """As every discovered pipeline's, but for the names of its tables."""
        return self.discovered(SAMPLE_TABLES["source_table"])


def load_fleet(path: Path, environment: Mapping[str, str] | None = None) -> FleetFile:
    """The file and the environment. Raises ConfigurationError that lists every problem, one a line."""
    reading = _Reading(path, settings_with_origins(environment))
    file = reading.file()
    if reading.problems:
        raise ConfigurationError("\n".join(dict.fromkeys(reading.problems)))
    return file


class _Reading:
    """One reading of a file; `problems` fills on the way."""

    def __init__(self, path: Path, given: Mapping[str, tuple[str, str]]) -> None:
        self.problems = unknown_names(given, KNOWN_NAMES)
        self._text = text = TomlText(path)
        self._file = path.name
        named = {name.removeprefix(PREFIX).lower(): given[name] for name in given.keys() & KNOWN_NAMES}
        environment = {name: value for name, (value, _) in named.items()}
        for name in sorted(_OF_ONE_PIPELINE & environment.keys()):
            self.problems.append(f"{PREFIX}{name.upper()}: is for one pipeline; unset it beside a file of pipelines")
            del environment[name]
        top = {name: value for name, value in text.values.items() if name not in _TABLES}
        self._top = self._settings((), top, _AT_TOP)
        self._defaults = self._settings(("defaults",), self._table("defaults"), _OF_DEFAULTS)
        self._values = environment | self._top | self._defaults
        self._origins = {name: origin for name, (_, origin) in named.items()}
        self._origins |= dict.fromkeys(self._top, self._file) | dict.fromkeys(self._defaults, self._in("defaults"))
        self._of_all: list[Problem] = []

    def file(self) -> FleetFile:
        for name in sorted(self._top.keys() & self._defaults.keys()):
            if self._top[name] != self._defaults[name]:
                self._tell(("defaults", name), "has another value at the top of the file; give it once")
        settings, self._of_all = checked(SAMPLE_TABLES | self._values)
        for problem in self._of_all:
            if problem.field in self._defaults or problem.field in self._top:
                table = ("defaults",) if problem.field in self._defaults else ()
                self._tell((*table, problem.field), problem.in_file)
            else:
                self.problems.append(problem.in_environment)
        read = {name: self._pipeline(name, given) for name, given in self._table("pipelines").items()}
        pipelines = {name: settings for name, settings in read.items() if settings is not None}
        for name, why in conflicts(pipelines):
            self._tell(("pipelines", name), why)
        has_discover = "discover" in self._text.values
        if not read and not has_discover:
            self._tell((), "names no pipeline; add a table [pipelines.NAME], or [discover]")
        discover = self._discover() if has_discover else None
        origins = self._origins | dict.fromkeys(SAMPLE_TABLES, self._in("discover"))
        return FleetFile(settings.process, pipelines, discover, self._values, origins)

    def _in(self, table: str) -> str:
        """As an origin of values."""
        return f"[{table}] of {self._file}"

    def _pipeline(self, name: str, given: Any) -> Settings | None:
        """Its settings, as far as they are good; None where nothing can be said about its tables."""
        table = ("pipelines", name)
        if not isinstance(given, dict):
            self._tell(table, "expected a table, such as [pipelines.orders]")
            return None
        own = self._settings(table, given, _OF_PIPELINES)
        inherited = self._inherited(own)
        origins = {each: origin for each, origin in self._origins.items() if each in inherited}
        origins |= dict.fromkeys((*own, "pipeline"), self._in(f"pipelines.{name}"))
        settings, problems = checked({**inherited, **own, "pipeline": name or "?"}, origins)
        for problem in problems:
            if problem.field in own:
                self._tell((*table, problem.field), problem.in_file)
            elif problem not in self._of_all:  # what all have is told once
                self._tell(table, f"{problem.field}: {problem.in_file}")
        return None if _OF_ONE_PIPELINE & {problem.field for problem in problems} else settings

    def _inherited(self, own: Mapping[str, Any]) -> dict[str, Any]:
        """What all say, but for the region of a table whose own ARN names one."""
        said = {f"{side}_region" for side in ("source", "replica") if table_region(str(own.get(f"{side}_table")))}
        return {name: value for name, value in self._values.items() if name not in said}

    def _discover(self) -> Discover | None:
        try:
            discover = Discover(**self._table("discover"))
        except ValidationError as error:
            for each in error.errors(include_url=False, include_input=False):
                keys = ("discover", *(str(key) for key in each["loc"][:1]))
                self._tell(keys, _WORDS.get(each["type"]) or each["msg"].removeprefix("Value error, "))
            return None
        source = SAMPLE_TABLES["source_table"]
        tables = {"source_table": source, "replica_table": discover.replica_of(source)}
        for problem in checked({**self._values, **tables})[1]:
            if problem not in self._of_all:
                self._tell(("discover",), f"{problem.field}: {problem.in_file}")
        return discover

    def _table(self, name: str) -> dict[str, Any]:
        table = self._text.values.get(name, {})
        if isinstance(table, dict):
            return table
        self._tell((name,), f"expected a table, such as [{name}]")
        return {}

    def _settings(self, table: tuple[str, ...], given: Mapping[str, Any], allowed: frozenset[str]) -> dict[str, Any]:
        """Those that may stand in this table."""
        found = {}
        for name, value in given.items():
            if name not in allowed:
                self._tell((*table, name), _why_not(name, allowed))
            elif isinstance(value, bool) and Settings.model_fields[name].annotation in (int, float):
                self._tell((*table, name), "expected a number")  # pydantic would take true for 1
            else:
                found[name] = value
        return found

    def _tell(self, keys: tuple[str, ...], text: str) -> None:
        self.problems.append(f"{self._text.place(*keys)}: {text}")


_WORDS = {"missing": "required, but not set", "extra_forbidden": "unknown setting"}


def _why_not(name: str, allowed: frozenset[str]) -> str:
    if name in _SECRETS:
        return f"secrets come from the environment: set {PREFIX}{name.upper()}"
    if name == "pipeline":
        return "the name of its table is the pipeline's name: [pipelines.NAME]"
    if name in _PROCESS:
        return "belongs to the process: put it before the first table of the file"
    if name in _OF_ONE_PIPELINE:
        return "belongs to one pipeline: put it into [pipelines.NAME]"
    if name in Settings.model_fields:
        return "belongs to a pipeline: put it into [pipelines.NAME], or for all of them into [defaults]"
    likely = closest(name, allowed)
    return "unknown setting" + (f" (did you mean {likely}?)" if likely else "")
