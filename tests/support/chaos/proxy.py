"""A DynamoDB that misbehaves on purpose: an HTTP server in front of an emulator, with a door for each process.

    async with Proxy(server.endpoint_url, {"orders": Role.SOURCE, "replica": Role.REPLICA}, seed=7) as proxy:
        url = await proxy.door("first")
        stream = await proxy.show_stream(stream_arn)

The product's own HTTP client, connection pool and SDK talk to it. What a table is to the product is told by its name.
It lives in the test's event loop, so that every lever is a plain attribute.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import Any, Self

import aiohttp
import orjson
from aiohttp import web

from tests.support.chaos.answers import Answer, cut_chunks, error, foreign, hang_up, ok, reset, send, truncated
from tests.support.chaos.emulator import ask_stream, forward
from tests.support.chaos.faults import FaultPlan, Outage, Role
from tests.support.chaos.proxy_record import Flight, Request, Witness
from tests.support.chaos.refusals import early_error, memberless
from tests.support.chaos.replica_writes import SINGLE_WRITES, Writes, WriteSplit
from tests.support.chaos.virtual_stream import RefusalError, VirtualStream

_STREAM_TARGET = "DynamoDBStreams_20120810"
_READS_WITH_MEMBERS = ("GetRecords", "DescribeStream", "Scan", "BatchGetItem")
"""Reads whose answer always has a member; that of GetItem is `{}` where there is no item."""


class Proxy:
    """`plan` says what goes wrong, `witness` what happened."""

    def __init__(
        self, endpoint_url: str, roles: Mapping[str, Role], *, seed: int = 0, key_names: tuple[str, ...] = ("key",)
    ) -> None:
        self.endpoint_url = endpoint_url
        self.roles = dict(roles)
        self.plan = FaultPlan(seed)
        self.witness = Witness(key_names)
        self.streams: dict[str, VirtualStream] = {}
        self._writes = Writes(self.witness, self.plan)
        self._seed = seed
        self._runners: list[web.ServerRunner] = []
        self._tasks: set[asyncio.Task[Any]] = set()
        self.before_write: Callable[[], Awaitable[None]] | None = None
        """A test may stop the world right before a write of the replica is passed on."""
        self.judge: Callable[[Mapping[str, str]], Answer | None] = lambda headers: None
        """Whether a request with these headers is let in; the answer if not."""
        self.before_read: Callable[[Role, str, dict[str, Any]], Awaitable[None]] | None = None
        """A test may hold a read (its role, operation and payload) before it is passed on."""
        self._clock_offset_seconds = 0.0
        self._may_write = asyncio.Event()
        self._may_write.set()
        self._writing = 0
        self.last_late_at: float | None = None
        """When (monotonic) the last late write took effect."""
        self.late_pending = 0
        """Late writes that have not taken effect yet."""

    async def __aenter__(self) -> Self:
        self._http = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0), auto_decompress=False, headers={"Accept-Encoding": "identity"}
        )
        self._ask_stream = partial(ask_stream, self._http, self.endpoint_url)
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for runner in self._runners:
            await runner.cleanup()
        await self._http.close()

    async def door(self, name: str) -> str:
        """A new URL to reach it by; the requests that come through are told apart by the name."""

        async def answer(request: web.BaseRequest) -> web.StreamResponse:
            return await self._answer(name, request)

        # A client that hangs up cancels its request, unless it was passed on already.
        server = web.Server(answer, handler_cancellation=True, access_log=None, keepalive_timeout=75)
        runner = web.ServerRunner(server, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self._runners.append(runner)
        port: int = runner.addresses[0][1]
        return f"http://127.0.0.1:{port}"

    async def show_stream(self, arn: str, *, shards: int = 1, raised_by: int = 0) -> VirtualStream:
        """From now on this stream is a lineage; it begins with so many shards, and numbers higher by so much."""
        description = (await self._ask_stream("DescribeStream", {"StreamArn": arn}))["StreamDescription"]
        stream = VirtualStream(
            description,
            self._ask_stream,
            self.witness,
            seed=self._seed,
            shards=shards,
            raised_by=raised_by,
            note=self.plan.note,
        )
        self.streams[arn] = stream
        stream.clock_offset_seconds = self._clock_offset_seconds
        self._spawn(stream.tail())
        return stream

    def set_clock(self, offset_seconds: float) -> None:
        """From now on the service's clock is so far ahead of ours, in answers and in new records."""
        self._clock_offset_seconds = offset_seconds
        for stream in self.streams.values():
            stream.clock_offset_seconds = offset_seconds

    @asynccontextmanager
    async def writes_held(self) -> AsyncIterator[None]:
        """No write of the replica takes effect meanwhile; those that come wait, and those before are noted."""
        self._may_write.clear()
        try:
            while self._writing:  # noqa: ASYNC110 as short as a write
                await asyncio.sleep(0.005)
            yield
        finally:
            self._may_write.set()

    @asynccontextmanager
    async def _writing_allowed(self) -> AsyncIterator[None]:
        await self._may_write.wait()
        self._writing += 1
        try:
            yield
        finally:
            self._writing -= 1

    def _spawn(self, work: Any) -> asyncio.Task[Any]:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    # --- one request

    async def _answer(self, door: str, request: web.BaseRequest) -> web.StreamResponse:
        came_at = time.monotonic()
        body = await request.content.read()
        service, _, operation = request.headers.get("X-Amz-Target", ".").partition(".")
        try:
            payload: dict[str, Any] = orjson.loads(body)
        except ValueError:
            return await send(request, error("SerializationException", "The request is no JSON", 400))
        role = Role.STREAM if service == _STREAM_TARGET else self._role(payload)
        writes = self._writes.count(operation, payload) if role is Role.REPLICA else 0
        outcome = "cut off"
        try:
            outcome, response = await self._misbehave(door, role, operation, payload, body, request)
            return response
        finally:
            self.witness.noted(Request(came_at, door, role, operation, writes, outcome))

    def _role(self, payload: dict[str, Any]) -> Role:
        table = payload.get("TableName") or next(iter(payload.get("RequestItems", {})), "")
        return self.roles.get(table.rpartition("/")[2], Role.OTHER)

    async def _misbehave(
        self,
        door: str,
        role: Role,
        operation: str,
        payload: dict[str, Any],
        body: bytes,
        request: web.BaseRequest,
    ) -> tuple[str, web.StreamResponse]:
        """What came of it, in a word, and the response that was sent."""
        refusal = self.judge(request.headers)
        if refusal is not None:
            return "refused", await send(request, refusal)
        faults = self.plan.of[role]
        if faults.outage is not None:
            self.plan.note(role, f"outage ({faults.outage})")
            if faults.outage is Outage.HANG:
                await hang_up(request)
            if faults.outage is not Outage.UNAVAILABLE:
                return "outage", reset(request)
            return "outage", await send(request, self._dated(error("ServiceUnavailable", "It is away", 503)))
        early = early_error(self.plan, role, operation)
        if early is not None:
            return early[0], await send(request, self._dated(early[1]))
        if self.plan.strikes(role, "reset_before"):
            return "reset before", reset(request)
        if self.plan.strikes(role, "slow"):
            await asyncio.sleep(self.plan.random.uniform(0, faults.slow_seconds))
        if self.plan.strikes(role, "foreign_before"):
            return "foreign before", await send(request, self._dated(foreign()))
        if operation in _READS_WITH_MEMBERS and self.plan.strikes(role, "memberless"):
            return "memberless", await send(request, self._dated(memberless(self.plan)))
        if role is Role.REPLICA and self._writes.count(operation, payload) and self.plan.strikes(role, "late"):
            self._send_late(operation, payload, body, request)
            return "late", reset(request)
        if self.before_read is not None and not self._writes.count(operation, payload):
            await self.before_read(role, operation, payload)
        answer = self._dated(await self._take(door, role, operation, payload, body, request))
        if self.plan.strikes(role, "foreign_after"):
            return "foreign after", await send(request, self._dated(foreign()))
        if self.plan.strikes(role, "cut_chunks"):
            return "cut chunks", await cut_chunks(request, answer)
        if self.plan.strikes(role, "reset_after"):
            return "reset after", reset(request)
        if self.plan.strikes(role, "slow"):
            await asyncio.sleep(self.plan.random.uniform(0, faults.slow_seconds))
        if self.plan.strikes(role, "truncated"):
            return "truncated", await truncated(request, answer)
        return str(answer.status), await send(request, answer)

    def _dated(self, answer: Answer) -> Answer:
        return replace(answer, clock_offset_seconds=self._clock_offset_seconds)

    def _send_late(self, operation: str, payload: dict[str, Any], body: bytes, request: web.BaseRequest) -> None:
        """The request was taken, and takes effect when its sender has given it up."""
        seconds = self.plan.random.uniform(*self.plan.of[Role.REPLICA].late_seconds)
        headers = request.headers.copy()
        self.late_pending += 1

        async def land() -> None:
            try:
                await asyncio.sleep(seconds)
                split = self._writes.split(operation, payload)
                if isinstance(split, Answer):
                    return
                async with self._writes.turn(split.keys), self._writing_allowed():
                    changed = operation not in SINGLE_WRITES and split.left
                    answer = await forward(
                        self._http, self.endpoint_url, headers, orjson.dumps(split.request) if changed else body
                    )
                    self._writes.note_effect(operation, split, answer, is_late=True)
                self.last_late_at = time.monotonic()
            finally:
                self.late_pending -= 1

        self._spawn(land())

    async def _take(
        self, door: str, role: Role, operation: str, payload: dict[str, Any], body: bytes, request: web.BaseRequest
    ) -> Answer:
        """What the service does, without a fault on the way."""
        if role is Role.STREAM:
            stream = self._stream_of(payload)
            if stream is not None:
                try:
                    return ok(stream.answer(operation, payload))
                except RefusalError as refusal:
                    self.plan.note(role, refusal.code)
                    return error(refusal.code, str(refusal), 400)
        if role is Role.REPLICA and self._writes.count(operation, payload):
            return await self._write(door, operation, payload, body, request)
        return await forward(self._http, self.endpoint_url, request.headers, body)

    def _stream_of(self, payload: dict[str, Any]) -> VirtualStream | None:
        if "StreamArn" in payload:
            return self.streams.get(payload["StreamArn"])
        iterator = payload.get("ShardIterator", "")
        if iterator.startswith("virtual"):
            return next((stream for stream in self.streams.values() if stream.gave(iterator)), None)
        return None

    async def _write(
        self, door: str, operation: str, payload: dict[str, Any], body: bytes, request: web.BaseRequest
    ) -> Answer:
        """A write of the replica: refused, split, or passed on; once passed on it happens, whoever hangs up."""
        if self.before_write is not None:
            await self.before_write()
        split = self._writes.split(operation, payload)
        if isinstance(split, Answer):
            return split
        flight = Flight(door, operation, asyncio.get_running_loop().time())
        self.witness.takes_off(split.keys, flight)
        try:
            passing = self._spawn(self._pass_on(operation, split, body, request))
            return await asyncio.shield(passing)
        except asyncio.CancelledError:
            flight.is_given_up = True
            raise
        finally:
            self.witness.lands(split.keys, flight)

    async def _pass_on(self, operation: str, split: WriteSplit, body: bytes, request: web.BaseRequest) -> Answer:
        async with self._writes.turn(split.keys), self._writing_allowed():
            changed = operation not in SINGLE_WRITES and split.left
            answer = await forward(
                self._http, self.endpoint_url, request.headers, orjson.dumps(split.request) if changed else body
            )
            return self._writes.note_effect(operation, split, answer)
