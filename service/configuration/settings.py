"""The settings: read once from the environment and `.env`, checked together, frozen.

Every problem is reported at once, in one ConfigurationError. The names, defaults and meanings are the contract's.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from service.configuration.environment import PREFIX, given_settings, unknown_names
from service.configuration.hosts import bare, is_loopback
from service.configuration.transform import load_transform
from service.dynamodb_json.table_names import is_table, table_name, table_region
from service.errors import ConfigurationError

_PIPELINE_NAME = re.compile(r"[a-zA-Z0-9_.:/-]{1,255}")


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


def _blank_is_none(value: object) -> object:
    return None if isinstance(value, str) and not value.strip() else value


def _blank_is_empty(value: object) -> object:
    return "" if _blank_is_none(value) is None else value


def _names(value: object) -> object:
    if isinstance(value, str):
        return tuple(name.strip() for name in value.split(",") if name.strip())
    return value


def _table(value: str) -> str:
    if not is_table(value):
        raise ValueError("expected a table name (3 to 255 letters, digits, '_', '.', '-') or a table's ARN")
    return value


def _url(value: str | None) -> str | None:
    if value is not None and not re.match(r"https?://[^/\s]+", value):
        raise ValueError("expected a URL such as http://localhost:8000")
    return value


def _role(value: str | None) -> str | None:
    if value is not None and not re.fullmatch(r"arn:[a-z-]+:iam::\d{12}:role/.+", value):
        raise ValueError("expected a role's ARN such as arn:aws:iam::123456789012:role/reader")
    return value


def sendable(token: str) -> str:
    """Without what surrounds it, which would not come back in a header: a token from a file ends with its line.

    Raises ValueError for what no header can carry.
    """
    if not re.fullmatch(r"[!-~]+", token.strip()):
        raise ValueError("expected visible ASCII characters without spaces, as a header can carry them")
    return token.strip()


def _token(value: object) -> object:
    return sendable(value) if isinstance(value, str) else value


def _upper(value: object) -> object:
    return value.strip().upper() if isinstance(value, str) else value


def _lower(value: object) -> object:
    return value.strip().lower() if isinstance(value, str) else value


TableName = Annotated[str, AfterValidator(_table)]
OptionalText = Annotated[str | None, BeforeValidator(_blank_is_none)]
Url = Annotated[str | None, BeforeValidator(_blank_is_none), AfterValidator(_url)]
RoleArn = Annotated[str | None, BeforeValidator(_blank_is_none), AfterValidator(_role)]
Secret = Annotated[SecretStr | None, BeforeValidator(_token), BeforeValidator(_blank_is_none)]
Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_names)]
# botocore, dynamodb 2012-08-10: shape AttributeName (at most 65,535 characters); empty turns the attribute off.
AttributeName = Annotated[str, BeforeValidator(_blank_is_empty), Field(max_length=65535)]
Host = Annotated[str, AfterValidator(bare)]


class Settings(BaseSettings):
    """One pipeline's settings. Build it with `load_settings`, which reports every problem for a person."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", frozen=True)

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
    start_at: Annotated[StartFrom, BeforeValidator(_lower)] = StartFrom.SNAPSHOT
    create_replica: bool = False
    writers: int = Field(default=16, ge=1, le=1024)
    queue_max_records: int = Field(default=10_000, ge=1)
    queue_max_bytes: int = Field(default=64 * 1024 * 1024, ge=1)
    write_mode: Annotated[WriteMode, BeforeValidator(_lower)] = WriteMode.AUTO
    max_writes_per_second: float = Field(default=0, ge=0)
    poll_interval_seconds: float = Field(default=0.25, gt=0, le=60)
    checkpoint_interval_seconds: float = Field(default=1, gt=0, le=3600)
    lease_seconds: float = Field(default=10, ge=1, le=3600)
    shutdown_timeout_seconds: float = Field(default=20, ge=0)
    max_attempts: int = Field(default=10, ge=1)
    stamp_attribute: AttributeName = "timestamp"
    sequence_attribute: AttributeName = "dynamirror_sequence"
    include_attributes: Names = ()
    exclude_attributes: Names = ()
    on_gap: Annotated[OnGap, BeforeValidator(_lower)] = OnGap.FAIL
    skip_ttl_deletes: bool = False
    transform: OptionalText = None
    verify_items_per_second: float = Field(default=0, ge=0)
    admin_host: Host = "127.0.0.1"
    admin_port: int = Field(default=8080, ge=0, le=65535)
    admin_token: Secret = None
    read_token: Secret = None
    log_records: bool = False
    log_format: Annotated[LogFormat | None, BeforeValidator(_blank_is_none), BeforeValidator(_lower)] = None
    log_level: Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"], BeforeValidator(_upper)] = "INFO"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what `load_settings` hands over: it has read the environment, to see the unknown names too."""
        return (init_settings,)

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        problems = [*self._table_problems(), *self._attribute_problems(), *self._admin_problems()]
        if self.transform is not None:
            try:
                load_transform(self.transform)
            except ConfigurationError as error:
                problems.append(f"{PREFIX}TRANSFORM: {error}")
        if self.pipeline is not None and not _PIPELINE_NAME.fullmatch(self.pipeline):
            problems.append(f"{PREFIX}PIPELINE: expected 1 to 255 letters, digits, '_', '.', ':', '/', '-'")
        if problems:
            raise ValueError("\n".join(problems))
        return self

    def _table_problems(self) -> list[str]:
        found = []
        for side in ("source", "replica"):
            in_arn = table_region(getattr(self, f"{side}_table"))
            region = getattr(self, f"{side}_region")
            if in_arn and region and in_arn != region:
                name = f"{PREFIX}{side.upper()}"
                found.append(f"{name}_REGION: {region} is not the region of {name}_TABLE ({in_arn})")
        source = (self.source_table, self.source_region, self.source_endpoint_url, self.source_role_arn)
        replica = (self.replica_table, self.replica_region, self.replica_endpoint_url, self.replica_role_arn)
        if source == replica:
            found.append(f"{PREFIX}REPLICA_TABLE: the replica is the source itself; name another table")
        return found

    def _attribute_problems(self) -> list[str]:
        found = []
        if self.stamp_attribute and self.stamp_attribute == self.sequence_attribute:
            found.append(f"{PREFIX}SEQUENCE_ATTRIBUTE: must not be the same as {PREFIX}STAMP_ATTRIBUTE")
        if self.include_attributes and self.exclude_attributes:
            both = sorted(set(self.include_attributes) & set(self.exclude_attributes))
            if both:
                found.append(f"{PREFIX}EXCLUDE_ATTRIBUTES: also included: {', '.join(both)}")
        return found

    def _admin_problems(self) -> list[str]:
        if self.admin_token is None and not is_loopback(self.admin_host):
            return [f"{PREFIX}ADMIN_HOST: {self.admin_host} is not loopback; set {PREFIX}ADMIN_TOKEN to listen there"]
        return []

    @property
    def pipeline_name(self) -> str:
        """The pipeline's name in the control table."""
        return self.pipeline or f"{table_name(self.source_table)}--{table_name(self.replica_table)}"

    @property
    def metadata_attributes(self) -> frozenset[str]:
        """The attributes that dynamirror adds to items, and that no comparison looks at."""
        return frozenset(name for name in (self.stamp_attribute, self.sequence_attribute) if name)


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
    given = given_settings(environment)
    problems = unknown_names(given, KNOWN_NAMES)
    values: dict[str, Any] = {
        name: given[PREFIX + name.upper()] for name in Settings.model_fields if PREFIX + name.upper() in given
    }
    settings: Settings | None = None
    try:
        settings = Settings(**values, **overrides)
    except ValidationError as error:
        problems += _problems_of(error)
        problems += _problems_behind(error, values | overrides)
    if problems or settings is None:
        raise ConfigurationError("\n".join(dict.fromkeys(problems)))
    return settings


def _problems_behind(error: ValidationError, values: Mapping[str, Any]) -> list[str]:
    """What does not fit together among the good values: pydantic looks at that only when each is good."""
    bad = {str(problem["loc"][0]) for problem in error.errors() if problem["loc"]}
    if not bad:
        return []
    good = {"source_table": "a-source", "replica_table": "a-replica"} | {
        name: value for name, value in values.items() if name not in bad
    }
    try:
        Settings(**good)
    except ValidationError as second:
        return _problems_of(second)
    return []


def _problems_of(error: ValidationError) -> list[str]:
    problems = []
    for problem in error.errors(include_url=False, include_input=False):
        message = problem["msg"].removeprefix("Value error, ")
        if not problem["loc"]:
            problems += message.splitlines()
        elif problem["type"] == "missing":
            problems.append(f"{PREFIX}{str(problem['loc'][0]).upper()}: required, but not set")
        else:
            problems.append(f"{PREFIX}{str(problem['loc'][0]).upper()}: {message}")
    return problems
