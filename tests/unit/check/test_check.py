"""`dynamirror check` on an outside whose parts can be broken: each fault that is planted is a line with its cure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from service.check.check import check
from service.check.findings import Finding, Findings, Outcome
from service.check.rights import rights
from service.errors import HaltError, RefusedError, ShardGoneError, UnavailableError
from service.model import (
    KeyAttribute,
    Position,
    Shard,
    ShardId,
    StreamDescription,
    StreamStatus,
    TableDescription,
    ViewType,
)
from service.pipeline_state import Checkpoint, Gap, Lease, LeaseRecord, PipelineRecord
from service.ports import ControlStore
from tests.fakes.schema_store import FakeSchemaStore
from tests.fakes.service import settings_of
from tests.fakes.world import World

KEYS = (KeyAttribute("pk", "S"),)
STREAM = "arn:aws:dynamodb:eu-west-1:1:table/master-table/stream/1"


def described(name: str, **more: Any) -> TableDescription:
    arn = f"arn:aws:dynamodb:eu-west-1:1:table/{name}"
    return TableDescription(name=name, arn=arn, region="eu-west-1", keys=KEYS, **more)


@dataclass
class Outside:
    """All is right, until a test breaks a part of it."""

    tables: dict[str, TableDescription | None] = field(
        default_factory=lambda: {
            "source": described(
                "master-table", stream_arn=STREAM, view_type=ViewType.NEW_IMAGE, item_count=1000, size_bytes=2_500_000
            ),
            "replica": described("replica-table"),
            "control": described("dynamirror-control"),
        }
    )
    described_stream: StreamDescription = field(
        default_factory=lambda: StreamDescription(
            STREAM, StreamStatus.ENABLED, ViewType.NEW_IMAGE, (Shard(ShardId("shard"), None, None, None),)
        )
    )
    errors: dict[str, Exception] = field(default_factory=dict)
    """What a call raises, by its name, or by `SIDE OPERATION`."""
    passing: dict[str, int] = field(default_factory=dict)
    """So often such an error comes; without an entry, always."""
    offset: float | None = 0.0
    schema: FakeSchemaStore = field(default_factory=FakeSchemaStore.migrated)
    world: World = field(default_factory=World)
    is_one_endpoint: bool = True
    asked: list[str] = field(default_factory=list)

    def _answer(self, call: str) -> None:
        self.asked.append(call)
        if call in self.errors and self.asked.count(call) <= self.passing.get(call, 100):
            raise self.errors[call]

    async def identity(self, side: str) -> str | None:
        self._answer(f"{side} identity")
        return f"arn:aws:sts::1:assumed-role/{side}"

    async def table(self, side: str) -> TableDescription | None:
        self._answer(f"{side} table")
        return self.tables[side]

    async def stream(self, source: TableDescription) -> StreamDescription:
        self._answer("stream")
        return self.described_stream

    async def read_stream(self, source: TableDescription, shard_id: ShardId) -> None:
        self._answer("read_stream")

    async def ask(self, side: str, operation: str, keys: tuple[KeyAttribute, ...]) -> None:
        self._answer(f"{side} {operation}")

    def address(self, side: str) -> str:
        return "https://dynamodb.eu-west-1.amazonaws.com"

    def clock_offset(self) -> float | None:
        return self.offset

    @property
    def control(self) -> ControlStore:
        return self.world.process("master-table--replica-table").control


def lease_of(record: LeaseRecord) -> Lease:
    return Lease(record.owner, record.generation)


async def found(outside: Outside, **settings: Any) -> Findings:
    return await check(settings_of(start_at="snapshot", **settings), outside, outside.world.clock)


def bad(findings: Findings) -> list[Finding]:
    return [each for each in findings.found if each.outcome in (Outcome.PROBLEM, Outcome.WARNING)]


async def test_where_all_is_right_it_says_so_and_what_the_first_copy_costs() -> None:
    findings = await found(Outside())
    assert bad(findings) == []
    assert findings.is_right
    start = findings.first_start
    assert start is not None
    # 2,500,000 bytes in reads of 4 KB; 1,000 items of 2,500 bytes, each in writes of 1 KB.
    assert (start.items, start.read_units, start.write_units) == (1000, 611, 3000)


async def test_nothing_is_changed() -> None:
    outside = Outside()
    await found(outside)
    assert outside.schema.changes == 0
    assert await outside.control.read_lease() is None


DENIED = RefusedError("PutItem failed: AccessDeniedException; allow dynamodb:PutItem on it", "AccessDeniedException")


@pytest.mark.parametrize(
    "right", rights(settings_of(start_at="snapshot")), ids=lambda each: f"{each.side} {each.operation}"
)
async def test_each_right_that_is_missing_is_a_line_with_what_to_allow(right: Any) -> None:
    outside = Outside(errors={f"{right.side} {right.operation}": DENIED})
    findings = await found(outside)
    told = bad(findings)
    assert [(each.topic, each.name) for each in told] == [(right.side, right.operation)]
    assert "allow dynamodb:PutItem" in told[0].text
    assert (told[0].outcome is Outcome.PROBLEM) is right.is_needed
    assert findings.is_right is not right.is_needed


FAULTS: dict[str, tuple[Callable[[Outside], None], str, str]] = {
    "no source": (lambda it: it.tables.update(source=None), "source", "does not exist"),
    "no replica": (lambda it: it.tables.update(replica=None), "replica", "DYNAMIRROR_CREATE_REPLICA=true"),
    "no stream": (
        lambda it: it.tables.update(source=described("master-table")),
        "source",
        "aws dynamodb update-table",
    ),
    "the stream is being switched off": (
        lambda it: setattr(it, "described_stream", replace(it.described_stream, status=StreamStatus.DISABLING)),
        "source",
        "DISABLING",
    ),
    "other keys": (
        lambda it: it.tables.update(replica=replace(described("replica-table"), keys=(KeyAttribute("pk", "N"),))),
        "replica",
        "the key schemas differ",
    ),
    "one table": (
        lambda it: it.tables.update(replica=it.tables["source"]),
        "replica",
        "is the source itself",
    ),
    "a foreign control table": (
        lambda it: setattr(it.schema, "present_keys", KEYS),
        "control",
        "DYNAMIRROR_CONTROL_TABLE",
    ),
    "no credentials": (
        lambda it: it.errors.update({"source identity": HaltError("GetCallerIdentity needs AWS credentials")}),
        "source",
        "needs AWS credentials",
    ),
    "an endpoint that nobody listens on": (
        lambda it: it.errors.update({"replica table": UnavailableError("can't connect", "NotSent")}),
        "replica",
        "can't connect",
    ),
    "the stream may not be read": (
        lambda it: it.errors.update(
            {"read_stream": RefusedError("allow dynamodb:GetRecords", "AccessDeniedException")}
        ),
        "source",
        "allow dynamodb:GetRecords",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_each_fault_is_one_problem_that_says_what_to_do(fault: str) -> None:
    outside = Outside()
    plant, topic, says = FAULTS[fault]
    plant(outside)
    findings = await found(outside)
    problems = [each for each in findings.found if each.outcome is Outcome.PROBLEM]
    assert [each.topic for each in problems] == [topic], problems
    assert says in problems[0].text
    assert not findings.is_right
    assert findings.first_start is None


async def test_what_comes_after_a_problem_is_looked_at_too() -> None:
    outside = Outside()
    outside.tables["source"] = None
    outside.errors["replica PutItem"] = DENIED
    problems = [each for each in (await found(outside)).found if each.outcome is Outcome.PROBLEM]
    assert [(each.topic, each.name) for each in problems] == [("source", "table"), ("replica", "PutItem")]


async def test_an_answer_that_is_lost_once_is_no_finding() -> None:
    outside = Outside(errors={"source table": UnavailableError("lost", "AnswerLost")}, passing={"source table": 1})
    assert bad(await found(outside)) == []
    assert outside.asked.count("source table") == 2


async def test_a_shard_that_leaves_the_list_meanwhile_is_no_question_of_rights() -> None:
    assert bad(await found(Outside(errors={"read_stream": ShardGoneError("gone")}))) == []


async def test_a_clock_that_is_off_is_a_warning() -> None:
    told = bad(await found(Outside(offset=-90.0)))
    assert [(each.outcome, each.topic) for each in told] == [(Outcome.WARNING, "clock")]
    assert "90 s ahead of AWS's" in told[0].text


async def test_an_index_that_refuses_the_stamp_is_a_warning() -> None:
    outside = Outside()
    outside.tables["replica"] = described("replica-table", indexes={"by time": (KeyAttribute("timestamp", "N"),)})
    told = bad(await found(outside))
    assert [each.outcome for each in told] == [Outcome.WARNING]
    assert "by time" in told[0].text


async def test_a_view_type_without_images_is_a_warning_of_its_cost() -> None:
    outside = Outside()
    outside.described_stream = replace(outside.described_stream, view_type=ViewType.KEYS_ONLY)
    assert "costs a read" in bad(await found(outside))[0].text


async def test_what_a_start_creates_is_no_problem_but_can_t_be_asked_for() -> None:
    outside = Outside(schema=FakeSchemaStore())
    outside.tables |= {"replica": None, "control": None}
    findings = await found(outside, create_replica=True)
    assert findings.is_right
    untold = {(each.topic, each.name): each.text for each in findings.found if each.outcome is Outcome.NOT_ASKED}
    assert "dynamodb:CreateTable" in untold["replica", "table"]
    assert "dynamodb:CreateTable" in untold["control", "table"]
    assert findings.first_start is not None
    assert findings.first_start.items == 1000


async def test_a_pipeline_that_has_run_goes_on_and_says_who_has_it() -> None:
    outside = Outside()
    control = outside.control
    lease = lease_of(await control.acquire_lease("somebody", None, 10, 1.0))
    shard = ShardId("shard")
    record = PipelineRecord(STREAM, {shard: Checkpoint(shard, position=Position(), read_up_to=1_750_000_000.0)})
    await control.adopt_progress(lease)
    await control.save_progress(lease, record)
    start = (await found(outside)).first_start
    assert start is not None
    assert "goes on from the positions of 1 shards, read up to 2025-06-15 15:06:40 UTC" in start.text
    assert "somebody had the pipeline last" in start.text
    assert start.items is None


@pytest.mark.parametrize(
    ("record", "on_gap", "problem"),
    [
        (PipelineRecord(f"{STREAM}-former"), "fail", "those of another stream"),
        (PipelineRecord(f"{STREAM}-former"), "snapshot", None),
        (PipelineRecord(STREAM, gaps=(Gap(None, None, 1.0, "the shard s vanished"),)), "fail", "the shard s vanished"),
        (PipelineRecord("arn:other/stream/2026"), "snapshot", "has replicated arn:other so far"),
    ],
)
async def test_a_gap_that_a_start_would_find_is_a_problem_unless_it_is_mended_by_itself(
    record: PipelineRecord, on_gap: str, problem: str | None
) -> None:
    outside = Outside()
    control = outside.control
    lease = lease_of(await control.acquire_lease("somebody", None, 10, 1.0))
    await control.adopt_progress(lease)
    await control.save_progress(lease, record)
    findings = await found(outside, on_gap=on_gap)
    if problem is None:
        assert findings.first_start is not None
        assert "finds a gap, which a snapshot mends by itself" in findings.first_start.text
    else:
        assert not findings.is_right
        assert problem in findings.found[-1].text
