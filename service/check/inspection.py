"""What a check asks of the outside. Nothing is changed by it. Calls raise RetryableError, RefusedError, HaltError."""

from __future__ import annotations

from typing import Literal, Protocol

from service.model import KeyAttribute, ShardId, StreamDescription, TableDescription
from service.ports import ControlStore, SchemaStore

Side = Literal["source", "replica", "control"]


class Inspection(Protocol):
    async def identity(self, side: Side) -> str | None:
        """Whose credentials a side's requests carry, as STS names them; None where the endpoint is not AWS's."""

    async def table(self, side: Side) -> TableDescription | None:
        """None: there is no such table."""

    async def stream(self, source: TableDescription) -> StreamDescription:
        """With all its shards."""

    async def read_stream(self, source: TableDescription, shard_id: ShardId) -> None:
        """An iterator at the shard's tip, and one read of it: the two rights that reading takes."""

    async def ask(self, side: Side, operation: str, keys: tuple[KeyAttribute, ...]) -> None:
        """One request of this operation, such as `PutItem`, that can't change anything."""

    def address(self, side: Side) -> str:
        """The endpoint's URL."""

    def clock_offset(self) -> float | None:
        """Seconds by which AWS's clock is ahead of this machine's, by the answers so far."""

    @property
    def is_one_endpoint(self) -> bool:
        """Both tables are reached at the same address."""

    @property
    def control(self) -> ControlStore: ...

    @property
    def schema(self) -> SchemaStore: ...
