"""The item `lease`: who may write for the pipeline. Every call is one conditional request (I5)."""

from __future__ import annotations

from dataclasses import replace

from service.aws.control.attributes import Attributes, Plain, attribute, optional_text_of, understood, value_of
from service.aws.control.table import ControlTable, ItemDiffersError
from service.errors import LeaseLostError
from service.pipeline_state import Lease, LeaseRecord

LEASE = "lease"
_MINE = "#owner = :mine AND #generation = :generation"
_NOT_PAUSED_YET = "NOT (#is_paused = :yes AND attribute_exists(#paused_since))"
"""One that a former version or a hand has set has no time: the next call gives it one."""


class LeaseItems:
    """Implements service.ports.LeaseStore. A pause that was set before the first owner came lies in the item alone."""

    _table: ControlTable

    async def read_lease(self) -> LeaseRecord | None:
        found = await self._table.get(LEASE)
        return None if found is None or "owner" not in found else self._lease_record(found)

    async def acquire_lease(
        self, owner: str, seen: LeaseRecord | None, lease_seconds: float, now: float
    ) -> LeaseRecord:
        values = {":mine": owner, ":now": now, ":lease_seconds": lease_seconds, ":one": 1, ":no": False, ":next": 1}
        only_if = "attribute_not_exists(#owner)"
        if seen is not None:
            only_if = "#generation = :seen_generation AND #renewals = :seen_renewals"
            values |= {":seen_generation": seen.generation, ":seen_renewals": seen.renewals}
            values[":next"] = seen.generation + 1
        change = (
            "SET #owner = :mine, #generation = :next, #renewed_at = :now, #lease_seconds = :lease_seconds, "
            "#is_released = :no, #is_clean = :no, #is_paused = if_not_exists(#is_paused, :no), "
            "#taken_at = :now, #taken_generation = :next "
            "REMOVE #wanted_by, #reserved_for "
            "ADD #renewals :one"  # never set back: a new owner must not look like a former one that stands still
        )
        return self._lease_record(await self._changed(change, values, only_if))

    async def renew_lease(self, lease: Lease, now: float, behind_since: float | None = None) -> LeaseRecord:
        known, knowledge = _known(behind_since)
        values = {":now": now, ":one": 1, ":no": False, **_mine(lease), **knowledge}
        change = f"SET #renewed_at = :now{known} ADD #renewals :one"
        return self._lease_record(await self._changed(change, values, f"{_MINE} AND #is_released = :no"))

    async def release_lease(
        self, lease: Lease, is_clean: bool, now: float, behind_since: float | None = None, reserved_for: str = ""
    ) -> None:
        known, knowledge = _known(behind_since)
        values = {":now": now, ":yes": True, ":is_clean": is_clean, **_mine(lease), **knowledge}
        change = f"SET #is_released = :yes, #is_clean = :is_clean, #renewed_at = :now{known}"
        if reserved_for:
            change += ", #reserved_for = :reserved_for"
            values[":reserved_for"] = reserved_for
        await self._changed(change, values, _MINE)

    async def ask_for_lease(self, asker: str, seen: LeaseRecord) -> None:
        mine = _mine(Lease(seen.owner, seen.generation))
        values = {":asker": asker, ":no": False, ":one": 1, **mine}
        await self._changed("SET #wanted_by = :asker ADD #asks :one", values, f"{_MINE} AND #is_released = :no")

    async def set_paused(self, is_paused: bool, now: float | None = None, by: str = "") -> tuple[float, str]:
        if not is_paused:
            change = "SET #is_paused = :no REMOVE #paused_since, #paused_by"
            await self._table.update(LEASE, change, {":no": False})
            return 0.0, ""
        told = {"paused_since": now, "paused_by": by or None}
        known = {name: value for name, value in told.items() if value is not None}
        change = ", ".join(["SET #is_paused = :yes", *(f"#{name} = :{name}" for name in known)])
        if unknown := ", ".join(f"#{name}" for name in told if name not in known):
            change += f" REMOVE {unknown}"
        values = {":yes": True, **{f":{name}": value for name, value in known.items()}}
        try:
            await self._table.update(LEASE, change, values, only_if=_NOT_PAUSED_YET)
        except ItemDiffersError as paused:
            with understood(self._table.pipeline, LEASE):
                found = paused.found
                return attribute(found, "paused_since", float, 0.0), attribute(found, "paused_by", str, "")
        return now or 0.0, by

    async def _changed(self, change: str, values: Plain, only_if: str) -> Attributes:
        """Raises LeaseLostError where the lease is not as the condition has it."""
        try:
            return await self._table.update(LEASE, change, values, only_if=only_if)
        except ItemDiffersError as failed:
            raise self._lost(failed.found) from failed

    def _lease_record(self, found: Attributes) -> LeaseRecord:
        with understood(self._table.pipeline, LEASE):
            record = value_of(LeaseRecord, found)
            return record if record.is_paused else replace(record, paused_since=0.0, paused_by="")

    def _lost(self, found: Attributes) -> LeaseLostError:
        owner = optional_text_of(found, "owner")
        if owner is None:
            return LeaseLostError(f"the lease of pipeline {self._table.pipeline!r} is not as it was seen")
        generation = attribute(found, "generation", int, 0)
        return LeaseLostError(
            f"the lease of pipeline {self._table.pipeline!r} belongs to {owner} (generation {generation})"
        )


def _known(behind_since: float | None) -> tuple[str, dict[str, object]]:
    """What an owner adds to its lease; one that does not know it leaves what a former one knew."""
    if behind_since is None:
        return "", {}
    return ", #behind_since = :behind_since", {":behind_since": behind_since}


def _mine(lease: Lease) -> dict[str, object]:
    return {":mine": lease.owner, ":generation": lease.generation}
