"""Sentences of the status for a person: what is not as it should be, of what, and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping

from service.configuration.settings import Settings
from service.dynamodb_json.table_names import table_name
from service.model import RETENTION_HOURS, RETENTION_SECONDS
from service.operations.documents.utc_time import moment, utc_text
from service.preflight import WARN_OF_CLOCK_SECONDS
from service.replication.replicator import Replicator

WARN_AFTER_HOURS = 18


def warnings(
    flow: Replicator | None,
    settings: Settings,
    *,
    now: float,
    lag_seconds: float | None,
    is_paused: bool,
    clock_offset: float | None,
    throttles: Mapping[str, str],
) -> list[str]:
    """Beside those that were observed. A sentence stays as it is for as long as what it tells of does.

    `throttles`: what each target that throttles was told last; empty where no limit was named.
    """
    found: list[str] = []
    if flow is not None:
        found += flow.requests.refused_reads.values()
        listings = flow.readers.listings
        if listings.blind_since(now) is not None:
            found.append(f"the stream's shards can't be listed, so new ones are not found: {listings.failure}")
    if (told := throttles.get("replica")) is not None:
        found.append(
            f"the replica throttles: {table_name(settings.replica_table)} takes less than the stream brings; raise its "
            f"capacity{_limit(told)}"
        )
    if (told := throttles.get("source")) is not None:
        found.append(
            f"the source throttles: {table_name(settings.source_table)} gives less than has to be read from it; raise "
            f"its read capacity{_limit(told)}"
        )
    if (told := throttles.get("stream")) is not None:
        found.append(f"the stream throttles: end other readers of it, AWS allows two for each shard{_limit(told)}")
    if (told := throttles.get("control")) is not None:
        found.append(f"the control table throttles: raise the capacity of {settings.control_table}{_limit(told)}")
    if clock_offset is not None and abs(clock_offset) >= WARN_OF_CLOCK_SECONDS:
        found.append(
            f"this machine's clock is {abs(clock_offset):.0f} s {'behind' if clock_offset > 0 else 'ahead of'} AWS's: "
            "set it (NTP); times are told by AWS's clock meanwhile"
        )
    if lag_seconds is not None and lag_seconds > WARN_AFTER_HOURS * 3600:
        paused = ", and the pipeline is paused: resume it" if is_paused else ""
        found.append(
            f"the replica is {lag_seconds / 3600:.1f} hours behind{paused}; a record is lost once it is "
            f"{RETENTION_HOURS} hours old{_first_loss(now - lag_seconds + RETENTION_SECONDS, now)}"
        )
    return found


def _first_loss(at: float, now: float) -> str:
    return f", the oldest one at {utc_text(moment(at))}" if at > now else ", and the oldest ones are"


def _limit(told: str) -> str:
    """AWS's own words say which it is: the table's capacity, its maximum, a partition's, the account's."""
    return f", or the limit that AWS names: {told}" if told else "; AWS leaves requests undone and names no limit"
