"""What the API takes and gives beside the documents of service.operations: requests, lists, outcomes."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, StrictBool, Tag

from service.operations.documents.status import Document
from service.operations.documents.utc_time import Instant

# botocore, dynamodbstreams 2012-08-10: shape SequenceNumber has 21 to 40 digits, shape ShardId at most 65 characters.
# Emulators hand out shorter numbers, so fewer digits are taken too.
_SEQUENCE_NUMBER = "^[0-9]{1,40}$"
_MAX_SHARD_ID = 65
MAX_ID = 200
"""Characters of an id. The control table's sort key holds it: at most 1024 bytes (Developer Guide, "Constraints")."""
# RFC 3339, section 5.6, without its leap second.
_TIME = (
    r"^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])[Tt ]([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
    r"(\.[0-9]+)?([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$"
)


VARIANT = "variant:"
"""Begins the name of a variant, which pydantic puts into an error's place, where it tells a caller nothing."""


def _one_of(*names: str) -> Callable[[Any], str | None]:
    """Chooses the variant whose own field is there; None if none is, or several."""

    def variant(value: Any) -> str | None:
        fields = value.model_dump(by_alias=True) if isinstance(value, BaseModel) else value
        given = [name for name in names if name in fields] if isinstance(fields, dict) else []
        return VARIANT + given[0] if len(given) == 1 else None

    return variant


def _sequence_number(text: str) -> str:
    if not re.fullmatch(_SEQUENCE_NUMBER[1:-1], text):
        raise ValueError("not a sequence number; expected a string of 21 to 40 digits")
    return text


def _time_text(value: object) -> object:
    if not isinstance(value, str) or not re.fullmatch(_TIME[1:-1], value):
        raise ValueError("expected a time with its offset from UTC, such as '2026-11-23T10:15:00Z'")
    return value


SequenceNumberText = Annotated[
    str,
    AfterValidator(_sequence_number),
    Field(json_schema_extra={"pattern": _SEQUENCE_NUMBER}, examples=["1100000000017454423009"]),
]


class Request(BaseModel):
    """Unknown fields are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Nothing(Request):
    """This call takes no fields: leave the body out, or send `{}`."""


AskedTime = Annotated[Instant, BeforeValidator(_time_text)]


class ReplayFromSequenceNumber(Request):
    """Replay from one record on."""

    sequence_number: SequenceNumberText = Field(description="The first record that is replayed.")
    shard_id: str | None = Field(
        default=None, min_length=1, max_length=_MAX_SHARD_ID, description="Its shard; found by itself when left out."
    )
    dry_run: StrictBool = Field(default=False, description="Only tell what would change.")


class ReplayFromTime(Request):
    """Replay every record that the source made at this time or later."""

    from_time: AskedTime = Field(description="With its offset from UTC.", examples=["2026-11-23T10:15:00Z"])
    dry_run: StrictBool = Field(default=False, description="Only tell what would change.")


class ReplayFromHorizon(Request):
    """Replay everything that the stream still has."""

    from_: Literal["trim_horizon"] = Field(alias="from")
    dry_run: StrictBool = Field(default=False, description="Only tell what would change.")


ReplayRequest = Annotated[
    Annotated[ReplayFromSequenceNumber, Tag(VARIANT + "sequence_number")]
    | Annotated[ReplayFromTime, Tag(VARIANT + "from_time")]
    | Annotated[ReplayFromHorizon, Tag(VARIANT + "from")],
    Discriminator(
        _one_of("sequence_number", "from_time", "from"),
        custom_error_type="one_start",
        custom_error_message="expected an object with exactly one of 'sequence_number', 'from_time' and 'from'",
    ),
    Field(title="ReplayRequest"),
]


class StringKey(Request):
    S: str = Field(min_length=1, examples=["key1"])


class NumberKey(Request):
    N: str = Field(pattern=r"^[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?$", examples=["42"])


class BinaryKey(Request):
    """Base64."""

    B: str = Field(
        min_length=4,
        pattern=r"^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{4}|[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)$",
        examples=["3q2+7w=="],
    )


KeyValue = Annotated[
    Annotated[StringKey, Tag(VARIANT + "S")]
    | Annotated[NumberKey, Tag(VARIANT + "N")]
    | Annotated[BinaryKey, Tag(VARIANT + "B")],
    Discriminator(
        _one_of("S", "N", "B"),
        custom_error_type="key_value",
        custom_error_message="expected one value of DynamoDB JSON that a key can have: {'S': …}, {'N': …} or {'B': …}",
    ),
]


class ReplicateRequest(Request):
    """One item, by its key in DynamoDB JSON."""

    keys: dict[str, KeyValue] = Field(
        min_length=1, max_length=2, examples=[{"pk": {"S": "key1"}}, {"pk": {"S": "key1"}, "sk": {"N": "42"}}]
    )


class VerifyRequest(Request):
    repair: StrictBool = Field(default=False, description="Mend the differences in the replica.")
    sample: Annotated[float, Field(strict=True, gt=0, le=1)] | None = Field(
        default=None, description="Look at this fraction of the keys only; all of them when left out.", examples=[0.1]
    )


def _only_true(value: bool) -> bool:
    if not value:
        raise ValueError("expected true, or 'ids' instead")
    return value


class RedriveSome(Request):
    """Write these dead letters again."""

    ids: list[Annotated[str, Field(min_length=1, max_length=MAX_ID)]] = Field(min_length=1, max_length=100)


class RedriveAll(Request):
    """Write every dead letter again."""

    all_: Annotated[StrictBool, AfterValidator(_only_true)] = Field(alias="all", json_schema_extra={"const": True})


RedriveRequest = Annotated[
    Annotated[RedriveSome, Tag(VARIANT + "ids")] | Annotated[RedriveAll, Tag(VARIANT + "all")],
    Discriminator(
        _one_of("ids", "all"),
        custom_error_type="one_choice",
        custom_error_message="expected an object with exactly one of 'ids' (a list of ids) and 'all' (true)",
    ),
    Field(title="RedriveRequest"),
]


class Health(Document):
    alive: Literal[True] = True


class Readiness(Document):
    ready: Literal[True] = True


class Outcome(BaseModel):
    outcome: Literal["written", "deleted", "unchanged"] = Field(description="What was done to the replica's item.")


class DeadLetterEntry(BaseModel):
    """A change that could not be written."""

    id: str = Field(examples=["000001100000000017454423009"])
    shard_id: str = Field(examples=["shardId-00000001541626099285-f35f62ef"])
    sequence_number: str | None = Field(
        description="Of the newest record; null if it could not be read.", examples=["1100000000017454423009"]
    )
    event_name: str = Field(examples=["MODIFY"])
    keys: dict[str, Any] | None = Field(
        description="In DynamoDB JSON; null if the record could not be read.", examples=[{"pk": {"S": "key1"}}]
    )
    error: str = Field(
        description="Why it could not be written.", examples=["the item is over DynamoDB's limit of 400 KB"]
    )
    attempts: int = Field(
        description="Tries, of this record and of older ones of its key with the same cause.", examples=[1]
    )
    failed_at: Instant


class DeadLetterPage(BaseModel):
    items: list[DeadLetterEntry] = Field(description="By the sequence number of their first record.")
    cursor: str | None = Field(description="Give it to the next call to go on; null at the end.")


class DeadLetterDetail(DeadLetterEntry):
    record: Any = Field(
        description="The whole stream record as it came, item values included.",
        examples=[{"eventName": "MODIFY", "dynamodb": {"Keys": {"pk": {"S": "key1"}}}}],
    )


class Redriven(BaseModel):
    redriven: int = Field(description="Written now.", examples=[42])
    superseded: int = Field(
        description="Not needed any more: a newer state of the item was applied since.", examples=[1]
    )
    failed: int = Field(description="Refused again; they stay dead letters.")
