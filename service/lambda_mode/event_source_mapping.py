"""The event source mapping of the pipeline: looked at once in a while, switched for a pause."""

from __future__ import annotations

from datetime import datetime

from service.errors import DynamirrorError, RetryableError
from service.model import RETENTION_HOURS
from service.operations.console import ConflictError, UnavailableNowError
from service.operations.documents.status import PipelineState
from service.operations.documents.utc_time import moment
from service.operations.status.warnings import WARN_AFTER_HOURS
from service.ports import Clock, SourceMapping, SourceMappings

LOOK_EVERY_SECONDS = 5.0
SWITCH_SECONDS = 120.0
"""A mapping needs some seconds from `Disabling` to `Disabled`."""
SWITCH_POLL_SECONDS = 0.5
_STATES = {
    "Enabled": PipelineState.RUNNING,
    "Disabled": PipelineState.PAUSED,
    "Disabling": PipelineState.PAUSED,
}


class PipelineMapping:
    """The one mapping on the source's stream; implements console.Pausing by switching it.

    `problem` says why there is none, or none to choose.
    """

    def __init__(self, mappings: SourceMappings, stream_arn: str, clock: Clock) -> None:
        self._mappings = mappings
        self._stream_arn = stream_arn
        self._clock = clock
        self.seen: SourceMapping | None = None
        self._is_wanted_on: bool | None = None
        self.problem: str | None = "the event source mapping has not been looked at yet"

    @property
    def state(self) -> PipelineState:
        if self.seen is None:
            return PipelineState.FAILED
        return _STATES.get(self.seen.state, PipelineState.STARTING)

    @property
    def paused_since(self) -> datetime | None:
        """When the mapping was switched off, while it is."""
        seen = self.seen
        if seen is None or self.state is not PipelineState.PAUSED:
            return None
        return moment(seen.changed_at)

    def warnings(self) -> list[str]:
        seen = self.seen
        if seen is None:
            return []
        found = []
        if not seen.reports_failures:
            found.append(
                f"the mapping {seen.id} lacks ReportBatchItemFailures: what the function can't settle in time is lost; "
                "set it, then verify with repair"
            )
        if seen.last_result and not seen.last_result.startswith(("OK", "No records processed")):
            found.append(f"the last batch of {seen.function_arn} failed ({seen.last_result}): its log says why")
        hours = (self._clock.now() - seen.changed_at) / 3600
        if seen.state == "Disabled" and hours > WARN_AFTER_HOURS:
            found.append(
                f"the mapping {seen.id} has been off for {hours:.1f} hours, and a record is lost once it is "
                f"{RETENTION_HOURS} hours old: resume soon, or verify with repair afterwards"
            )
        return found

    async def look_periodically(self) -> None:
        """Until cancelled."""
        while True:
            await self.look_once()
            await self._clock.sleep(LOOK_EVERY_SECONDS)

    async def look_once(self) -> None:
        try:
            found = await self._mappings.of_stream(self._stream_arn)
        except DynamirrorError as error:
            self.seen, self.problem = None, str(error)
            return
        self.seen = found[0] if len(found) == 1 else None
        self.problem = None if self.seen else self._not_one(found)

    def _not_one(self, found: list[SourceMapping]) -> str:
        if not found:
            return f"no event source mapping reads {self._stream_arn}: create one, see deploy/lambda/template.yaml"
        told = ", ".join(f"{mapping.id} ({mapping.function_arn})" for mapping in found)
        return (
            f"{len(found)} event source mappings read {self._stream_arn}: {told}; switch the right one with "
            "aws lambda update-event-source-mapping --uuid ID --no-enabled"
        )

    async def pause(self, by: str = "") -> None:
        """Lambda keeps no note of `by`."""
        await self.switch(is_on=False)

    async def resume(self) -> None:
        await self.switch(is_on=True)

    async def switch(self, *, is_on: bool) -> None:
        """Returns when the mapping is as asked. Raises ConflictError, UnavailableNowError.

        Whoever waits for the other state gets a ConflictError at once: it will not come.
        """
        self._is_wanted_on = is_on
        await self.look_once()
        wanted = "Enabled" if is_on else "Disabled"
        is_asked = False
        give_up_at = self._clock.monotonic() + SWITCH_SECONDS
        while self._clock.monotonic() < give_up_at:
            if self._is_wanted_on is not is_on:
                raise ConflictError(
                    f"the mapping was asked to be {'off' if is_on else 'on'} meanwhile; look at its state"
                )
            is_asked = is_asked or await self._ask(is_on=is_on)
            if is_asked:
                await self.look_once()
                if self.seen is not None and self.seen.state == wanted:
                    return
            await self._clock.sleep(SWITCH_POLL_SECONDS)
        raise UnavailableNowError(f"the mapping is not {wanted} after {SWITCH_SECONDS:.0f} s; look at its state")

    async def _ask(self, *, is_on: bool) -> bool:
        """False while it is on its way to another state, and takes no order (Lambda: ResourceInUseException)."""
        if self.seen is None:
            raise ConflictError(self.problem or "there is no mapping")
        try:
            await self._mappings.switch(self.seen.id, is_on=is_on)
        except RetryableError as error:
            if error.cause == "ResourceInUseException":
                return False
            raise UnavailableNowError(f"{error}; try again") from error
        except DynamirrorError as error:
            raise ConflictError(str(error)) from error
        return True
