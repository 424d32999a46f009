"""No item's value, no token and no credential is told by anything that the product prints or answers.

Marked values go through everything that can go wrong with them; then all of it is searched for the marks. Only the
whole record of a dead letter, which is asked for by name and with a token, shows values; keys are shown to operators.
"""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import httpx

from tests.chaos.test_unfit_replica import ANight
from tests.support.chaos.faults import Rates, Role
from tests.support.chaos.night import Night
from tests.support.installed.command import ran
from tests.support.patience import PATIENCE_SECONDS

VALUE = "canary-value"
KEY = "canary-key"
SECRETS = {"admin": "canary-admin-token", "read": "canary-read-token", "wrong": "canary-wrong-token"}
CREDENTIALS = {"AWS_SECRET_ACCESS_KEY": "canary-secret-key", "AWS_SESSION_TOKEN": "canary-session-token"}
OPEN = ("/healthz", "/readyz", "/", "/docs", "/openapi.json")


def too_much(item: dict[str, Any]) -> dict[str, Any]:
    if "transform" in item["key"]["S"]:
        raise ValueError(f"can't do with {item}")
    return item


def spoilt(record: dict[str, Any]) -> dict[str, Any] | None:
    if "unreadable" not in record["dynamodb"]["Keys"]["key"]["S"]:
        return None
    return {**record, "eventName": "EXPLODE", "dynamodb": {**record["dynamodb"], "NewImage": VALUE}}


class Asking:
    """A client that keeps all that it is told."""

    def __init__(self, night: Night) -> None:
        self.told: list[str] = []
        self._client = httpx.AsyncClient(base_url=night.product.url, timeout=PATIENCE_SECONDS)

    async def __aenter__(self) -> Asking:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def __call__(self, method: str, path: str, body: object = None, who: str | None = "admin") -> httpx.Response:
        headers = {} if who is None else {"Authorization": f"Bearer {SECRETS[who]}"}
        answer = await self._client.request(method, path, json=body, headers=headers)
        self.told.append(f"{method} {answer.url.path}: {answer.status_code} {answer.headers} {answer.text}")
        return answer

    async def job(self, path: str, body: object) -> None:
        answer = await self("POST", path, body)
        assert answer.status_code == 202, answer.text
        job = await self.ended(answer)
        assert job["state"] == "done", job

    async def ended(self, answer: httpx.Response) -> dict[str, Any]:
        """What came of a job that an answer tells of; a redrive may be over already."""
        job: dict[str, Any] = answer.json()
        place = answer.headers.get("location")
        while job.get("state", "running" if answer.status_code == 503 else "") == "running":
            await asyncio.sleep(0.05)
            answer = await self("GET", place)
            job = answer.json()
        return job


async def put(night: Night, word: str) -> None:
    await night.put(key={"S": f"{KEY}-{word}"}, value={"S": VALUE}, map={"M": {VALUE: {"SS": [VALUE]}}})


async def test_nothing_that_is_printed_or_answered_tells_a_value_or_a_secret(a_night: ANight) -> None:
    path = {"PYTHONPATH": str(Path(__file__).parents[2])}
    settings: dict[str, Any] = {
        "start_at": "snapshot",
        "admin_token": SECRETS["admin"],
        "read_token": SECRETS["read"],
        "log_level": "DEBUG",
        "transform": f"{__name__}:{too_much.__name__}",
        "more": path | CREDENTIALS,
    }
    async with a_night(**settings) as night, Asking(night) as ask:
        printed: list[bytes] = []
        night.product.told = printed.append
        replica = night.proxy.plan.of[Role.REPLICA]
        replica.poison = re.compile("refused")
        replica.poison_message = f"1 validation error detected: Value '{VALUE}' at 'item' failed to satisfy constraint"
        night.stream.spoil = spoilt
        for word in ("good", "refused-1", "transform-1"):
            await put(night, word)
        await (await night.product.start()).until_running()
        for word in ("good", "live", "refused-1", "refused-2", "transform-2", "unreadable"):
            await put(night, word)
        await night.product.until(lambda status: status["dead_letters"] >= 5)
        await disturb(night)
        await ask_for_everything(ask)
        for command in (["status"], ["dead-letters", "--json"]):
            ended = await ran(*command, "--url", night.product.url, admin_token=SECRETS["admin"])
            assert ended.code == 0, ended.err
            ask.told.append(f"{command}: {ended.out}{ended.err}")
        refused = await ran("status", "--url", night.product.url, admin_token=SECRETS["wrong"])
        assert refused.code == 1
        ask.told.append(refused.out + refused.err)
        assert await night.product.stop() == 0
        log = b"".join(printed).decode()
        assert log.count('"event":"dead letter"') >= 5
        for told in (log, *ask.told):
            check(told, [VALUE, *SECRETS.values(), *CREDENTIALS.values()])


def check(text: str, secrets: list[str]) -> None:
    for secret in secrets:
        place = text.find(secret)
        assert place < 0, text[max(place - 100, 0) : place + 50]


async def disturb(night: Night) -> None:
    """Answers that are cut off or never come, in the midst of items; and a replica that differs."""
    night.proxy.plan.set_all(Rates(truncated=0.2, reset_after=0.1, error_500=0.1, throttled=0.1))
    for number in range(30):
        await put(night, f"disturbed-{number}")
    last = night.proxy.witness.key_of({"key": {"S": f"{KEY}-disturbed-29"}})
    await night.until(lambda: last in night.proxy.witness.source, what="the stream shows the last one")
    night.proxy.plan.calm()
    await night.until(lambda: last in night.proxy.witness.replica, what="the last one is applied")
    await night.until_settled()
    other = {"key": {"S": f"{KEY}-live"}, "value": {"S": f"{VALUE}-other"}}
    await night.dynamodb.put_item(TableName=night.replica, Item=other)


async def ask_for_everything(ask: Asking) -> None:
    for path in OPEN:
        assert (await ask("GET", path, who=None)).status_code == 200
    letters = (await ask("GET", "/dead-letters")).json()["items"]
    assert {letter["event_name"] for letter in letters} - {"INSERT", "MODIFY"}
    for method, path, body in (
        ("GET", "/status", None),
        ("GET", "/metrics", None),
        ("GET", "/dead-letters", None),
        ("GET", f"/dead-letters/{letters[0]['id']}", None),
        ("POST", "/pause", None),
        ("POST", "/replicate", {"keys": {"key": {"S": f"{KEY}-live"}}}),
    ):
        for who in (None, "wrong"):
            assert (await ask(method, path, body, who=who)).status_code == 401
    await ask.job("/verify", {"repair": False})
    await ask.job("/verify", {"repair": True})
    await ask.job("/replay", {"from": "trim_horizon", "dry_run": True})
    await ask.job("/replay", {"from": "trim_horizon"})
    await ask.job("/snapshot", None)
    for word in ("live", "refused-1", "transform-1", "absent"):
        await ask("POST", "/replicate", {"keys": {"key": {"S": f"{KEY}-{word}"}}})
    assert (await ask.ended(await ask("POST", "/dead-letters/redrive", {"all": True})))["failed"] >= 3
    for path in ("/status", "/metrics", "/dead-letters", "/replays", "/snapshots", "/verifications"):
        assert (await ask("GET", path, who="read")).status_code == 200
    assert (await ask("POST", "/pause", who="read")).status_code == 403
    assert (await ask("GET", f"/status?token={SECRETS['wrong']}", who=None)).status_code in (401, 422)
