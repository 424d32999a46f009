"""Copies one item's present state from the source, safely beside the stream."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from service.errors import ChangeError, HaltError, LeaseLostError
from service.keys import KeyReader
from service.model import ItemKey, TableDescription
from service.operations.console import ConflictError, InvalidError
from service.ports import Clock
from service.replication.guard import Outcome
from service.replication.replicator import Replicator


def key_from(keys: dict[str, Any], source: TableDescription) -> ItemKey:
    """The key that an operator wrote in DynamoDB JSON. Raises InvalidError that says what was expected."""
    expected = "{" + ", ".join(f'"{key.name}": {{"{key.type}": "…"}}' for key in source.keys) + "}"
    if set(keys) != {key.name for key in source.keys}:
        raise InvalidError(f"`keys` must hold exactly the key of {source.name}: {expected}")
    try:
        return KeyReader(source.keys).read(msgspec.Raw(msgspec.json.encode(keys)))
    except (ValueError, msgspec.MsgspecError) as error:
        raise InvalidError(f"`keys` is not a key of {source.name}: expected {expected}") from error


async def replicate_item(
    flow: Replicator, source: TableDescription, clock: Clock, keys: dict[str, Any]
) -> Literal["written", "deleted", "unchanged"]:
    """Raises InvalidError for what is no key, ConflictError when the item can't be written."""
    key = key_from(keys, source)
    flow.window.hold()  # and no mere extension: in a pause, or with a slow replica, it may take long
    try:
        outcome = await flow.lanes.run(key, lambda: flow.guard.refresh(key))
    except ChangeError as error:
        raise ConflictError(f"the replica does not take the item: {error}") from error
    except (LeaseLostError, HaltError) as error:
        raise ConflictError(f"the pipeline stopped meanwhile: {error}") from error
    finally:
        flow.window.release(clock.now())
    if outcome is Outcome.WRITTEN:
        return "written"
    return "deleted" if outcome is Outcome.DELETED else "unchanged"
