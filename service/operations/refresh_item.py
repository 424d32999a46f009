"""Copies one item's present state from the source, safely beside the stream."""

from __future__ import annotations

import asyncio
import base64
from decimal import Decimal
from typing import Any, Literal

import msgspec

from service.dynamodb_json.keys import KeyReader
from service.errors import ChangeError, DynamirrorError, HaltError, LeaseLostError
from service.model import ItemKey, TableDescription
from service.operations.console import ConflictError, InvalidError
from service.replication.job_flow import JobFlow
from service.replication.writing.guard import Outcome

# Developer Guide, "Constraints in Amazon DynamoDB": a partition key has at most 2048 bytes, a sort key 1024; a Number
# has up to 38 digits, and a magnitude from 1E-130 to 9.99E+125.
MOST_BYTES = (2048, 1024)
MOST_DIGITS = 38
EXPONENTS = range(-130, 126)


def key_from(keys: dict[str, Any], source: TableDescription) -> ItemKey:
    """The key that an operator wrote in DynamoDB JSON. Raises InvalidError that says what was expected."""
    expected = "{" + ", ".join(f'"{key.name}": {{"{key.type}": "…"}}' for key in source.keys) + "}"
    if set(keys) != {key.name for key in source.keys}:
        raise InvalidError(f"`keys` must hold exactly the key of {source.name}: {expected}")
    try:
        key = KeyReader(source.keys).read(msgspec.Raw(msgspec.json.encode(keys)))
    except (ValueError, msgspec.MsgspecError) as error:
        raise InvalidError(f"`keys` is not a key of {source.name}: expected {expected}") from error
    values = msgspec.json.decode(key)
    for attribute, most_bytes in zip(source.keys, MOST_BYTES, strict=False):
        complaint = _complaint(attribute.type, values[attribute.name][attribute.type], most_bytes)
        if complaint is not None:
            raise InvalidError(f"`keys` can't be a key of {source.name}: {attribute.name!r} {complaint}")
    return key


def _complaint(kind: str, value: str, most_bytes: int) -> str | None:
    """What DynamoDB would not take of a key's value in its canonical form."""
    if kind == "N":
        number = Decimal(value)
        digits = len(value.lstrip("-").replace(".", "").strip("0"))
        if digits > MOST_DIGITS:
            return f"has {digits} digits, at most {MOST_DIGITS} are possible"
        return "is beyond the range of DynamoDB's numbers" if number and number.adjusted() not in EXPONENTS else None
    size = len(base64.b64decode(value) if kind == "B" else value.encode())
    return f"has {size} bytes, at most {most_bytes} are possible" if size > most_bytes else None


async def replicate_item(flow: JobFlow, key: ItemKey) -> Literal["written", "deleted", "unchanged"]:
    """Raises ConflictError when the item can't be written, or the flow ends before it is."""
    done: asyncio.Future[Outcome | HaltError] = asyncio.get_running_loop().create_future()

    async def refresh() -> Outcome | HaltError:
        """What nobody foresaw of an operator's key is no reason to stop the flow, as it would be in a lane."""
        try:
            return await flow.guard.refresh_beside(key, deletes=True)  # an operator's own word, in an archive too
        except HaltError as error:
            return error

    async def carry() -> None:
        try:
            done.set_result(await flow.lanes.run(key, refresh))
        except DynamirrorError as error:
            done.set_exception(error)
        finally:
            done.cancel()  # nothing, unless the flow ended first

    if not flow.start_job(carry(), "replicate", is_awaited=True):
        raise ConflictError("the pipeline is stopping: ask again when it runs")
    await asyncio.wait([done])
    if done.cancelled():
        raise ConflictError("the pipeline stopped meanwhile: ask again when it runs")
    try:
        outcome = done.result()
    except ChangeError as error:
        raise ConflictError(f"the replica does not take the item: {error}") from error
    except (LeaseLostError, HaltError) as error:
        raise ConflictError(f"the pipeline stopped meanwhile: {error}") from error
    if isinstance(outcome, HaltError):
        raise ConflictError(f"the item was not copied: {outcome}") from outcome
    if outcome is Outcome.WRITTEN:
        return "written"
    return "deleted" if outcome is Outcome.DELETED else "unchanged"
