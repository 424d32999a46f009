"""The settings: read once from the environment and `.env`, checked together, frozen.

Every problem is reported at once, in one ConfigurationError. The names, defaults and meanings are the contract's.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PrivateAttr, ValidationError, model_validator

from service.configuration.environment import PREFIX, given_settings, settings_with_origins, unknown_names
from service.configuration.hosts import is_loopback
from service.configuration.sides import Access, Side, SideName
from service.configuration.transform import load_transform
from service.configuration.values import (
    AttributeName,
    Host,
    Names,
    OptionalText,
    RoleArn,
    Secret,
    TableName,
    Url,
    blank_is_none,
    lower,
    upper,
)
from service.dynamodb_json.table_names import table_name, table_region
from service.errors import ConfigurationError

_PIPELINE_NAME = re.compile(r"(?!(.*/)?\.\.?(/|$))[a-zA-Z0-9_.:/-]{1,255}")  # a path loses its parts '.' and '..'


class StartFrom(enum.StrEnum):
    SNAPSHOT = "snapshot"
    TRIM_HORIZON = "trim_horizon"
    LATEST = "latest"


class WriteMode(enum.StrEnum):
    AUTO = "auto"
    STRICT = "strict"


class OnGap(enum.StrEnum):
    FAIL = "fail"
    SNAPSHOT = "snapshot"


class LogFormat(enum.StrEnum):
    TEXT = "text"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with one setting, for a person; other settings are named in it as in the environment."""

    field: str
    text: str

    @property
    def in_environment(self) -> str:
        return f"{PREFIX}{self.field.upper()}: {self.text}"

    @property
    def in_file(self) -> str:
        """The text with other settings named as in a file; tokens are never in one."""
        return re.sub(
            rf"{PREFIX}(\w+)", lambda name: name[0] if name[1].endswith("TOKEN") else name[1].lower(), self.text
        )


class _Misfits(ValueError):  # pydantic takes only ValueErrors from a validator
    def __init__(self, problems: list[Problem]) -> None:
        super().__init__()
        self.problems = problems


class Origins(dict[str, str]):
    """Where each value comes from, by the setting's name in lower case; what is not in there has its default.

    Equal to any other: the same values from other places are the same settings, and restart nothing.
    """

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Origins)

    __hash__ = None


class ProcessSettings(BaseModel):
    """What a process has once, however many pipelines it runs."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)

    queue_max_bytes: int = Field(default=64 * 1024 * 1024, ge=1)
    max_writes_per_second: float = Field(default=0, ge=0, le=1_000_000_000)
    shutdown_timeout_seconds: float = Field(default=20, ge=0, le=86400)
    admin_host: Host = "127.0.0.1"
    admin_port: int = Field(default=8080, ge=0, le=65535)
    admin_token: Secret = None
    read_token: Secret = None
    log_records: bool = False
    log_format: Annotated[LogFormat | None, BeforeValidator(blank_is_none), BeforeValidator(lower)] = None
    log_level: Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"], BeforeValidator(upper)] = "INFO"

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if problems := self._misfits():
            raise _Misfits(problems)
        return self

    def _misfits(self) -> list[Problem]:
        if self.admin_token is None and not is_loopback(self.admin_host):
            text = f"{self.admin_host} is not loopback; set {PREFIX}ADMIN_TOKEN to listen there"
            return [Problem("admin_host", text)]
        return []


class Settings(ProcessSettings):
    """One pipeline's settings. Build it with `load_settings`, which reports every problem for a person."""

    _origins: Origins = PrivateAttr(default_factory=Origins)
    source_table: TableName
    replica_table: TableName
    pipeline: OptionalText = None
    control_table: TableName = "dynamirror-control"
    source_region: OptionalText = None
    replica_region: OptionalText = None
    source_endpoint_url: Url = None
    replica_endpoint_url: Url = None
    streams_endpoint_url: Url = None
    source_role_arn: RoleArn = None
    replica_role_arn: RoleArn = None
    source_profile: OptionalText = None
    replica_profile: OptionalText = None
    start_at: Annotated[StartFrom, BeforeValidator(lower)] = StartFrom.SNAPSHOT
    create_replica: bool = False
    writers: int = Field(default=16, ge=1, le=1024)
    queue_max_records: int = Field(default=10_000, ge=1)
    write_mode: Annotated[WriteMode, BeforeValidator(lower)] = WriteMode.AUTO
    poll_interval_seconds: float = Field(default=0.25, gt=0, le=60)
    checkpoint_interval_seconds: float = Field(default=1, gt=0, le=3600)
    lease_seconds: float = Field(default=10, ge=1, le=3600)
    max_attempts: int = Field(default=10, ge=1)
    stamp_attribute: AttributeName = "timestamp"
    sequence_attribute: AttributeName = "dynamirror_sequence"
    include_attributes: Names = ()
    exclude_attributes: Names = ()
    on_gap: Annotated[OnGap, BeforeValidator(lower)] = OnGap.FAIL
    skip_ttl_deletes: bool = False
    transform: OptionalText = None
    verify_items_per_second: float = Field(default=0, ge=0, le=1_000_000_000)

    def _misfits(self) -> list[Problem]:
        problems = [*super()._misfits(), *self._of_tables(), *self._of_attributes()]
        if self.transform is not None:
            try:
                load_transform(self.transform)
            except ConfigurationError as error:
                problems.append(Problem("transform", str(error)))
        if self.pipeline is not None and not _PIPELINE_NAME.fullmatch(self.pipeline):
            text = "expected 1 to 255 letters, digits, '_', '.', ':', '/', '-', and no '.' or '..' between slashes"
            problems.append(Problem("pipeline", text))
        return problems

    def _of_tables(self) -> list[Problem]:
        found = []
        for side in ("source", "replica"):
            in_arn = table_region(getattr(self, f"{side}_table"))
            region = getattr(self, f"{side}_region")
            if in_arn and region and in_arn != region:
                text = f"{region} is not the region of {PREFIX}{side.upper()}_TABLE ({in_arn})"
                found.append(Problem(f"{side}_region", text))
        if self.side("source").identity == self.side("replica").identity:
            found.append(Problem("replica_table", "the replica is the source itself; name another table"))
        return found

    def _of_attributes(self) -> list[Problem]:
        found = []
        if self.stamp_attribute and self.stamp_attribute == self.sequence_attribute:
            found.append(Problem("sequence_attribute", f"must not be the same as {PREFIX}STAMP_ATTRIBUTE"))
        if both := sorted(set(self.include_attributes) & set(self.exclude_attributes)):
            found.append(Problem("exclude_attributes", f"also included: {', '.join(both)}"))
        return found

    @property
    def process(self) -> ProcessSettings:
        """Those of the process alone."""
        return ProcessSettings(**{name: getattr(self, name) for name in ProcessSettings.model_fields})

    @property
    def origins(self) -> Origins:
        return self._origins

    @property
    def pipeline_name(self) -> str:
        """The pipeline's name in the control table."""
        return self.pipeline or f"{table_name(self.source_table)}--{table_name(self.replica_table)}"

    @property
    def metadata_attributes(self) -> frozenset[str]:
        """The attributes that dynamirror adds to items, and that no comparison looks at."""
        return frozenset(name for name in (self.stamp_attribute, self.sequence_attribute) if name)

    def side(self, name: SideName) -> Side:
        table = getattr(self, f"{name}_table")
        region = getattr(self, f"{name}_region") or table_region(table)
        access = Access(region, getattr(self, f"{name}_profile"), getattr(self, f"{name}_role_arn"))
        return Side(table, getattr(self, f"{name}_endpoint_url"), access)


KNOWN_NAMES = frozenset(PREFIX + name.upper() for name in Settings.model_fields)


def known_settings(environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """What is given, by its full name, its values unlooked at: for who asks a service rather than being one.

    Raises ConfigurationError for a name that is no setting, and for a `.env` that can't be read.
    """
    given = given_settings(environment)
    if problems := unknown_names(given, KNOWN_NAMES):
        raise ConfigurationError("\n".join(problems))
    return given


def load_settings(environment: Mapping[str, str] | None = None, **overrides: Any) -> Settings:
    """Settings from the environment and `.env`. Raises ConfigurationError that lists every problem, one a line.

    With `environment` given, only that is read, and no `.env`.
    """
    given = settings_with_origins(environment)
    problems = unknown_names(given, KNOWN_NAMES)
    named = {name.removeprefix(PREFIX).lower(): given[name] for name in given.keys() & KNOWN_NAMES}
    values = {name: text for name, (text, _) in named.items()}
    settings, wrong = checked(values | overrides, {name: origin for name, (_, origin) in named.items()})
    problems += [problem.in_environment for problem in wrong]
    if problems:
        raise ConfigurationError("\n".join(problems))
    return settings


SAMPLE_TABLES = {"source_table": "a-source", "replica_table": "a-replica"}
"""For a look at settings without tables of their own."""


def checked(values: Mapping[str, Any], origins: Mapping[str, str] | None = None) -> tuple[Settings, list[Problem]]:
    """The settings, and all that is wrong with the values. `origins`: where these come from.

    Where something is, the settings hold defaults for what is bad, and serve only to look on.
    """
    problems: list[Problem] = []
    while True:  # what does not fit together among good values: pydantic looks at that only when each is good
        try:
            settings = Settings(**values)
            settings._origins = Origins(origins or {})
            return settings, list(dict.fromkeys(problems))
        except ValidationError as error:
            problems += _problems_of(error)
        bad = {problem.field for problem in problems}
        good = SAMPLE_TABLES | {name: value for name, value in values.items() if name not in bad}
        # What does not fit may be a default, or one of the samples: then nothing is left that could be left out.
        values = good if good != values else SAMPLE_TABLES


def _problems_of(error: ValidationError) -> list[Problem]:
    problems: list[Problem] = []
    for problem in error.errors(include_url=False, include_input=False):
        misfits = problem.get("ctx", {}).get("error")
        if isinstance(misfits, _Misfits):
            problems += misfits.problems
        elif problem["type"] == "missing":
            problems.append(Problem(str(problem["loc"][0]), "required, but not set"))
        else:
            problems.append(Problem(str(problem["loc"][0]), problem["msg"].removeprefix("Value error, ")))
    return problems
