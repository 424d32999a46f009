"""A night: two tables on an emulator, the proxy before them, and the installed command that replicates through it."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from typing import Any, Self

from service.replication.requests.replica_watch import LOOK_EVERY_SECONDS as REPLICA_LOOK_SECONDS
from tests.servers import Server, create_streamed_table, scan, sdk_client, set_stream
from tests.support.chaos.faults import Outage, Role
from tests.support.chaos.night_product import Watched
from tests.support.chaos.proxy import Proxy
from tests.support.chaos.proxy_record import METADATA, digest_of
from tests.support.patience import PATIENCE_SECONDS

POLL_SECONDS = 0.1
NUMBERS_APART = 10**26
"""By how much a stream's sequence numbers begin lower than those of the one before it; an emulator's are lower."""
BATCH = 25
"""The items of one BatchWriteItem, at most."""
UniqueName = Callable[[str], str]
TIP_SECONDS = 3.0
"""A lag below this, with nothing unapplied, is the time since the shards were last read to their tips."""


class Night:
    """`async with Night(...) as night`: the tables are there, the proxy answers, nothing replicates yet."""

    def __init__(
        self,
        server: Server,
        unique_name: UniqueName,
        *,
        seed: int = 0,
        shards: int = 1,
        keys: Mapping[str, str] | None = None,
        streams: int = 0,
        **settings: object,
    ) -> None:
        """`streams`: how often the source's stream may be created anew, each time with lower numbers."""
        self.server = server
        self.seed = seed
        self.source, self.replica = unique_name("source"), unique_name("replica")
        self.control = unique_name("control")
        self._shards = shards
        self._raised_by = streams * NUMBERS_APART
        self.keys = dict(keys or {"key": "S"})
        self.settings: dict[str, object] = {
            "control_table": self.control,
            "start_at": "trim_horizon",
            "lease_seconds": 10,
            "checkpoint_interval_seconds": 0.3,
            "poll_interval_seconds": 0.1,
        } | settings
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        try:
            await self._open()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def _open(self) -> None:
        self.dynamodb = await self._stack.enter_async_context(sdk_client(self.server.endpoint_url, attempts=3))
        self.arn = await create_streamed_table(self.dynamodb, self.source, keys=self.keys)
        await create_streamed_table(self.dynamodb, self.replica, keys=self.keys)
        roles = {self.source: Role.SOURCE, self.replica: Role.REPLICA, self.control: Role.CONTROL}
        proxy = Proxy(self.server.endpoint_url, roles, seed=self.seed, key_names=tuple(self.keys))
        self.proxy = await self._stack.enter_async_context(proxy)
        assert self.arn is not None
        self.stream = await self.proxy.show_stream(self.arn, shards=self._shards, raised_by=self._raised_by)
        self.product = await self.another("first")

    async def __aexit__(self, *error: Any) -> None:
        await self._stack.aclose()

    async def another(self, name: str, **settings: object) -> Watched:
        """One more process for the same pipeline, behind a door of its own; it is not started."""
        url = await self.proxy.door(name)
        behind = Server(name, url, self.server.process_id)
        product = Watched(behind, (self.source, self.replica), **(self.settings | settings))
        return await self._stack.enter_async_context(product)

    async def put(self, **item: Any) -> None:
        """A source item in DynamoDB JSON: `put(key={"S": "a"}, n={"N": "1"})`."""
        await self.dynamodb.put_item(TableName=self.source, Item=item)

    async def put_all(self, items: list[dict[str, Any]]) -> None:
        """In this order, in few requests; no key may be there twice."""
        for start in range(0, len(items), BATCH):
            requests = [{"PutRequest": {"Item": item}} for item in items[start : start + BATCH]]
            answer = await self.dynamodb.batch_write_item(RequestItems={self.source: requests})
            assert not answer["UnprocessedItems"]

    async def delete(self, **key: Any) -> None:
        await self.dynamodb.delete_item(TableName=self.source, Key=key)

    async def stream_anew(self) -> None:
        """The source's stream is switched off, and on again: another one, whose numbers begin lower.

        Nothing may write to the source meanwhile: no stream would show it.
        """
        await self.until_seen()
        old = self.stream
        old.switch_off()
        await set_stream(self.dynamodb, self.source, None)
        roles = (Role.SOURCE, Role.STREAM)  # which may not be seen between here and the lineage
        former = {role: self.proxy.plan.of[role].outage for role in roles}
        for role in roles:
            self.proxy.plan.of[role].outage = Outage.UNAVAILABLE
        try:
            self.arn = await set_stream(self.dynamodb, self.source, "NEW_AND_OLD_IMAGES")
            assert self.arn is not None
            self._raised_by -= NUMBERS_APART
            self.stream = await self.proxy.show_stream(self.arn, shards=self._shards, raised_by=self._raised_by)
            self.stream.behave_like(old)
        finally:
            for role in roles:
                self.proxy.plan.of[role].outage = former[role]

    async def replica_anew(self) -> None:
        """The replica is deleted and created by hand: another table, which holds nothing."""
        async with self.proxy.writes_held():
            await self.dynamodb.delete_table(TableName=self.replica)
            await create_streamed_table(self.dynamodb, self.replica, keys=self.keys)
            self.proxy.witness.replica_created_anew(2 * REPLICA_LOOK_SECONDS)

    async def renumber(self, key: str, number: str) -> bool:
        """The replica's item gets another sequence number by hand; False when it is gone, or has none."""
        try:
            await self.dynamodb.update_item(
                TableName=self.replica,
                Key=json.loads(key),
                UpdateExpression="SET dynamirror_sequence = :number",
                ConditionExpression="attribute_exists(dynamirror_sequence)",
                ExpressionAttributeValues={":number": {"S": number}},
            )
        except self.dynamodb.exceptions.ConditionalCheckFailedException:
            return False
        return True

    async def until(self, is_so: Callable[[], bool], seconds: float = PATIENCE_SECONDS, what: str = "it") -> None:
        try:
            async with asyncio.timeout(seconds):
                while not is_so():  # noqa: ASYNC110 what is waited for is anything that the proxy knows
                    await asyncio.sleep(POLL_SECONDS)
        except TimeoutError:
            raise AssertionError(
                f"{what}: not within {seconds} s; the product's log ends:\n{self.product.log_end}"
            ) from None

    async def until_seen(self) -> None:
        """The stream shows everything that the source holds."""
        expected = await self._digests(self.source)

        def is_seen() -> bool:
            shown = {key: seen.states[-1] for key, seen in self.proxy.witness.source.items() if seen.states}
            return {key: digest for key, digest in shown.items() if digest is not None} == expected

        await self.until(is_seen, what="all that the source holds is in the stream")

    async def until_applied(
        self, seconds: float = PATIENCE_SECONDS, but: Callable[[str], bool] = lambda key: False
    ) -> float:
        """The replica shows the newest state of every key; returns how many seconds that took."""
        began = time.monotonic()
        await self.until_seen()
        witness = self.proxy.witness
        left_out = [key for key in witness.source if but(key)]
        await self.until(
            lambda: witness.oldest_unapplied_at(left_out) is None, seconds, what="everything that came is applied"
        )
        return time.monotonic() - began

    async def until_settled(self, seconds: float = PATIENCE_SECONDS) -> dict[str, Any]:
        """All is read and applied as far as the product knows; only keys in doubt may keep it from being caught up.

        That nothing read is unapplied is not enough: a look at keys in doubt brings what the source holds of them
        before their records are read, those of poison among them.
        """

        def is_settled(status: dict[str, Any]) -> bool:
            lag = status["lag"]
            is_all = status["state"] == "running" and not lag["unapplied_records"] and lag["seconds"] < TIP_SECONDS
            return is_all and (lag["caught_up"] or lag["keys_in_doubt"] > 0)

        return await self.product.until(is_settled, seconds)

    async def check_equal(self, but: Callable[[str], bool] = lambda key: False) -> int:
        """I2, I6: both tables hold the same items, but for the metadata. Returns how many."""
        source, replica = await self._digests(self.source), await self._digests(self.replica)
        different = sorted(
            key for key in source.keys() | replica.keys() if source.get(key) != replica.get(key) and not but(key)
        )
        missing = [key for key in different if key not in replica]
        extra = [key for key in different if key not in source]
        assert not different, (
            f"{len(different)} items differ: {different[:5]}; missing {missing[:5]}, extra {extra[:5]}"
        )
        return len(source)

    async def _digests(self, table: str) -> dict[str, Any]:
        return {self.proxy.witness.key_of(item): digest_of(item) for item in await scan(self.dynamodb, table)}

    async def item(self, table: str, **key: Any) -> dict[str, Any] | None:
        """One item without its metadata."""
        answer = await self.dynamodb.get_item(TableName=table, Key=key, ConsistentRead=True)
        found = answer.get("Item")
        return None if found is None else {name: value for name, value in found.items() if name not in METADATA}

    async def redrive(self) -> dict[str, Any]:
        """All dead letters, asked for again while it stands by or can't reach the control table; what came of them."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                answer = await self.product.post("/dead-letters/redrive", {"all": True})
                if answer.status_code == 200:
                    counts: dict[str, Any] = answer.json()
                    return counts
                assert answer.status_code in (202, 409, 503), answer.text
                if answer.status_code == 202:
                    return await self.redriven(answer.json()["id"])
                await asyncio.sleep(0.2)

    async def redriven(self, redrive_id: str) -> dict[str, Any]:
        """A redrive that takes long, as it ended."""
        while (job := await self.told(f"/redrives/{redrive_id}"))["state"] == "running":  # noqa: ASYNC110 the API is asked
            await asyncio.sleep(0.2)
        return job

    async def told(self, path: str) -> dict[str, Any]:
        """What the API answers, asked again while the control table does not answer it in time."""
        while (answer := await self.product.get(path)).status_code == 503:  # noqa: ASYNC110 as above
            await asyncio.sleep(0.1)
        found: dict[str, Any] = answer.raise_for_status().json()
        return found

    async def until_ready(self) -> None:
        """It is told soon after the first answer of the replica."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while (await self.product.get("/readyz")).status_code != 200:  # noqa: ASYNC110 a process has no event to wait for
                await asyncio.sleep(POLL_SECONDS)

    async def dead_letters(self) -> list[dict[str, Any]]:
        """All pages of the list."""
        letters: list[dict[str, Any]] = []
        cursor: str | None = None
        while True:
            query = f"?limit=100&cursor={cursor}" if cursor else "?limit=100"
            page = await self.told("/dead-letters" + query)
            letters += page["items"]
            cursor = page.get("cursor")
            if not cursor:
                return letters
