"""The event source mapping as an operator sees it: what is wrong with it, and how long it has been off."""

from __future__ import annotations

import pytest

from service.lambda_mode.event_source_mapping import PipelineMapping
from service.operations.documents.status import PipelineState
from service.ports import SourceMapping
from tests.fakes.clock import EPOCH, FakeClock

HOUR = 3600.0


class Lambda:
    """ports.SourceMappings with what a test puts there."""

    def __init__(self, *found: SourceMapping) -> None:
        self.found = list(found)

    async def of_stream(self, stream_arn: str) -> list[SourceMapping]:
        return self.found

    async def switch(self, mapping_id: str, *, is_on: bool) -> None:
        raise AssertionError("nobody asked for it")


def mapping(state: str = "Enabled", *, result: str = "OK", reports: bool = True, off_for: float = 0.0) -> SourceMapping:
    return SourceMapping("id-1", "arn:function", state, result, reports, EPOCH - off_for)


async def seen(*found: SourceMapping) -> PipelineMapping:
    looked_at = PipelineMapping(Lambda(*found), "arn:stream", FakeClock())
    await looked_at.look_once()
    return looked_at


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (mapping(), []),
        (mapping(result="No records processed"), []),
        (mapping(result="PROBLEM: Function call failed"), ["the last batch of arn:function failed (PROBLEM"]),
        (mapping(reports=False), ["lacks ReportBatchItemFailures"]),
        (mapping(off_for=100 * HOUR), []),
        (mapping("Disabled", off_for=17 * HOUR), []),
        (mapping("Disabled", off_for=19 * HOUR), ["off for 19.0 hours, and a record is lost once it is 24 hours old"]),
    ],
)
async def test_what_is_wrong_is_told(found: SourceMapping, told: list[str]) -> None:
    warnings = (await seen(found)).warnings()

    assert len(warnings) == len(told)
    assert all(part in warning for part, warning in zip(told, warnings, strict=True))


async def test_a_mapping_that_is_off_is_a_pause_and_two_are_a_problem() -> None:
    assert (await seen(mapping("Disabled"))).state is PipelineState.PAUSED
    assert (await seen(mapping("Disabling"))).state is PipelineState.PAUSED
    assert (await seen(mapping("Updating"))).state is PipelineState.STARTING
    both = await seen(mapping(), mapping())
    assert both.state is PipelineState.FAILED
    assert both.problem is not None
    assert "2 event source mappings read arn:stream" in both.problem
