"""Writes of the replica, on their way through the proxy: whose keys, what is refused, what is left undone."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import orjson

from tests.support.chaos.answers import Answer, error
from tests.support.chaos.faults import FaultPlan, Role
from tests.support.chaos.proxy_record import Witness

SINGLE_WRITES = ("PutItem", "DeleteItem", "UpdateItem")
_BATCH = "BatchWriteItem"


@dataclass(frozen=True, slots=True)
class WriteSplit:
    """The part of a request that is done, and the part that is not."""

    keys: Sequence[str]
    images: Sequence[Any]
    request: dict[str, Any]
    left: Sequence[dict[str, Any]]


class Writes:
    """One for each proxy. Writes of one key are passed on one after the other, so that their order is known."""

    def __init__(self, witness: Witness, plan: FaultPlan) -> None:
        self._witness = witness
        self._plan = plan
        self._turns: dict[str, asyncio.Future[None]] = {}
        self._budget = 0.0
        self._budget_at = 0.0

    def count(self, operation: str, payload: dict[str, Any]) -> int:
        if operation == _BATCH:
            return sum(len(requests) for requests in payload["RequestItems"].values())
        return int(operation in SINGLE_WRITES)

    def split(self, operation: str, payload: dict[str, Any]) -> WriteSplit | Answer:
        """What of the request is done now; an answer if it is refused as a whole."""
        requests = self._requests(operation, payload)
        faults = self._plan.of[Role.REPLICA]
        if faults.poison is not None and any(faults.poison.search(key) for key, _, _ in requests):
            self._plan.note(Role.REPLICA, "poison")
            return error("ValidationException", faults.poison_message, 400)
        allowed = self._allowed(len(requests))
        done, left = requests[:allowed], requests[allowed:]
        if operation == _BATCH and len(done) > 1 and self._plan.strikes(Role.REPLICA, "unprocessed"):
            chosen = set(self._plan.random.sample(range(len(done)), self._plan.random.randint(1, len(done) - 1)))
            left += [one for place, one in enumerate(done) if place not in chosen]
            done = [one for place, one in enumerate(done) if place in chosen]
        if not done:
            self._plan.note(Role.REPLICA, "over capacity")
            return error(
                "ProvisionedThroughputExceededException", "The level of configured throughput is exceeded", 400
            )
        if left:
            self._plan.note(Role.REPLICA, "left undone")
        request = payload
        if operation == _BATCH:
            table = next(iter(payload["RequestItems"]))
            request = {**payload, "RequestItems": {table: [one for _, _, one in done]}}
        return WriteSplit(
            [key for key, _, _ in done], [image for _, image, _ in done], request, [o for _, _, o in left]
        )

    def _allowed(self, wanted: int) -> int:
        """How many writes the capacity takes now: a bucket of one second."""
        rate = self._plan.of[Role.REPLICA].writes_per_second
        if rate is None:
            return wanted
        now = time.monotonic()
        self._budget = min(rate, self._budget + (now - self._budget_at) * rate)
        self._budget_at = now
        allowed = min(wanted, int(self._budget))
        self._budget -= allowed
        return allowed

    def _requests(self, operation: str, payload: dict[str, Any]) -> list[tuple[str, Any, dict[str, Any]]]:
        if operation != _BATCH:
            return [(*self._key_and_image(payload), payload)]
        requests = next(iter(payload["RequestItems"].values()))
        return [(*self._key_and_image(next(iter(request.values()))), request) for request in requests]

    def _key_and_image(self, write: dict[str, Any]) -> tuple[str, Any]:
        image = write.get("Item")
        return self._witness.key_of(write["Key"] if image is None else image), image

    @asynccontextmanager
    async def turn(self, keys: Sequence[str]) -> AsyncIterator[None]:
        mine = asyncio.get_running_loop().create_future()
        before = [self._turns[key] for key in keys if key in self._turns]
        for key in keys:
            self._turns[key] = mine
        try:
            if before:
                await asyncio.wait(before)
            yield
        finally:
            mine.set_result(None)
            for key in keys:
                if self._turns.get(key) is mine:
                    del self._turns[key]

    def note_effect(self, operation: str, split: WriteSplit, answer: Answer, *, is_late: bool = False) -> Answer:
        """Tell the witness what was written; the answer to give, with what is left unprocessed."""
        if answer.status != 200:
            return answer
        undone: list[dict[str, Any]] = list(split.left)
        if operation == _BATCH:
            found = orjson.loads(answer.body)
            table = next(iter(split.request["RequestItems"]))
            not_processed = found.get("UnprocessedItems", {}).get(table, [])
            undone += not_processed
            keys_left = {key for key, _, _ in self._requests(_BATCH, {"RequestItems": {table: not_processed}})}
            body = {**found, "UnprocessedItems": {table: undone} if undone else {}}
            answer = Answer(200, orjson.dumps(body))
        else:
            keys_left = set()
        for key, image in zip(split.keys, split.images, strict=True):
            if key not in keys_left:
                self._witness.took_effect(key, image, is_late=is_late)
        return answer
