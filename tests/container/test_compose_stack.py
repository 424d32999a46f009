"""The services of deploy/compose.yaml, with what it says of each: its command, its environment, its files.

The images of Prometheus and Grafana can't be had here; Prometheus is Debian's. Names of services become loopback, their
ports ones that are free, and dynamirror and its emulator are process 1 on a disk that can only be read.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.servers import scan, sdk_client
from tests.servers.debian import unpacked
from tests.servers.functions import until
from tests.servers.ports import free_port
from tests.support.container.buildah import settings_of
from tests.support.container.contained import Contained, FirstProcess
from tests.support.container.image import ROOT, SECONDS
from tests.support.installed.command import Command
from tests.support.installed.product import asking
from tests.support.patience import PATIENCE_SECONDS

pytestmark = pytest.mark.timeout(SECONDS)

DEPLOY = ROOT / "deploy"
SERVICES: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
COPIES = {
    "master-table": "replica-table",
    "shop-customers": "shop-customers-replica",
    "shop-orders": "shop-orders-replica",
}
"""What its file of pipelines makes of the tables that its script makes: one by its name, two by their pattern."""
METADATA = {"timestamp", "dynamirror_sequence"}


class Stack:
    """Starts services by their names in the file."""

    def __init__(self, box: str, image: str) -> None:
        self.places = {"emulator:5000": f"127.0.0.1:{free_port()}", "dynamirror:8080": f"127.0.0.1:{free_port()}"}
        self._box = box
        self._image = image

    def url(self, service: str) -> str:
        return f"http://{next(place for name, place in self.places.items() if name.startswith(service))}"

    def at_home(self, text: str) -> str:
        for name, place in self.places.items():
            text = text.replace(name, place)
        return text

    def first_process(self, service: str, **more: str) -> FirstProcess:
        command = self._command(service)
        if service == "emulator":
            port = self.places["emulator:5000"].rpartition(":")[2]
            command = [port if part == "5000" else part for part in command]
        return FirstProcess(
            self._box, self._image, *command, mounts=mounts_of(service), **self._environment(service), **more
        )

    def beside(self, service: str) -> Contained:
        environment = self._environment(service) | {"EMULATOR_URL": self.url("emulator")}
        return Contained(self._box, *self._command(service), mounts=mounts_of(service), **environment)

    def _command(self, service: str) -> list[str]:
        image = settings_of(self._image)
        found = SERVICES[service]
        return [*found.get("entrypoint", image["Entrypoint"]), *found.get("command", image["Cmd"])]

    def _environment(self, service: str) -> dict[str, str]:
        given = SERVICES[service].get("environment", {})
        return {name: self.at_home(without_choice(value)) for name, value in given.items()}


def mounts_of(service: str) -> dict[Path, str]:
    return {DEPLOY / here: there for here, there, _ in map(split_volume, SERVICES[service].get("volumes", ()))}


def split_volume(volume: str) -> tuple[str, str, str]:
    here, there, mode = volume.split(":")
    return here, there, mode


def without_choice(value: str) -> str:
    """`${NAME:-default}` as compose reads it where NAME is not set."""
    return value.partition(":-")[2].rstrip("}") if value.startswith("${") else value


@asynccontextmanager
async def prometheus(stack: Stack, folder: Path) -> AsyncIterator[httpx.AsyncClient]:
    """Debian's, with the file that compose mounts; a client of its API."""
    files = {there: DEPLOY / here for here, there, _ in map(split_volume, SERVICES["prometheus"]["volumes"])}
    settings = stack.at_home(files.pop("/etc/prometheus/prometheus.yml").read_text())
    for there, here in files.items():
        settings = settings.replace(there, str(here))
    (folder / "prometheus.yml").write_text(settings)
    place = f"127.0.0.1:{free_port()}"
    options = {"config.file": folder / "prometheus.yml", "storage.tsdb.path": folder / "series"}
    given = [f"--{name}={value}" for name, value in ({"web.listen-address": place} | options).items()]
    program = [str(unpacked("prometheus") / "usr/bin/prometheus")]
    async with Command(*given, program=program), httpx.AsyncClient(
        base_url=f"http://{place}/api/v1/", trust_env=False, timeout=60, transport=httpx.AsyncHTTPTransport(retries=5)
    ) as client:  # fmt: skip
        yield client


async def asked_until(client: httpx.AsyncClient, path: str, wanted: Any, **question: str) -> Any:
    """What an API answers, once `wanted` is true of it."""
    answer: Any = None
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                try:
                    answer = (await client.get(path, params=question)).json()
                    if wanted(answer):
                        return answer
                except (httpx.TransportError, KeyError) as error:  # it does not answer yet, or with a problem
                    answer = error
                await asyncio.sleep(0.2)
    except TimeoutError:
        raise AssertionError(f"{path} {question}: the last answer was {answer!r}") from None


def bearer(token: str) -> Mapping[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def items_of(url: str, table: str) -> dict[str, Any]:
    async with sdk_client(url) as dynamodb:
        items = await scan(dynamodb, table)
    return {item["key"]["S"]: {name: item[name] for name in item.keys() - METADATA} for item in items}


async def are_equal(url: str) -> bool:
    """Each source has items, and its replica the same."""
    for source, replica in COPIES.items():
        items = await items_of(url, source)
        if not items or items != await items_of(url, replica):
            return False
    return True


async def test_its_services_work_together_and_dynamirror_ends_settled(
    box: str, image_name: str, tmp_path: Path
) -> None:
    stack = Stack(box, image_name)
    environment = SERVICES["dynamirror"]["environment"]
    admin = bearer(without_choice(environment["DYNAMIRROR_ADMIN_TOKEN"]))
    reader = bearer(environment["DYNAMIRROR_READ_TOKEN"])
    port = stack.places["dynamirror:8080"].rpartition(":")[2]
    async with (
        stack.first_process("emulator") as emulator,
        asking() as client,
    ):
        await emulator.said("Running on")
        for _ in range(2):
            async with stack.beside("tables") as tables:
                ended = await tables.ended()
                assert (ended.code, ended.err) == (0, "")
        async with (
            stack.first_process("dynamirror", DYNAMIRROR_ADMIN_PORT=port) as product,
            prometheus(stack, tmp_path) as series,
        ):
            url = stack.url("dynamirror")
            async with stack.beside("writer") as writer:
                client.headers.update(reader)
                names = [item["name"] for item in (await asked_until(
                    client, f"{url}/pipelines", lambda found: len(found["items"]) == len(COPIES)
                ))["items"]]  # fmt: skip
                for name in names:
                    status = f"{url}/pipelines/{name}/status"
                    await asked_until(client, status, lambda status: status["totals"]["records_applied"] > 5)
                applied = (await asked_until(
                    series, "query", lambda answer: len(answer["data"]["result"]) == len(COPIES),
                    query="dynamirror_records_applied_total",
                ))["data"]["result"]  # fmt: skip
                assert {found["metric"]["job"] for found in applied} == {"dynamirror"}
                assert sorted(found["metric"]["pipeline"] for found in applied) == sorted(names)
                groups = (await series.get("rules")).json()["data"]["groups"]
                assert "DynamirrorGap" in {rule["name"] for group in groups for rule in group["rules"]}
                writer.send(signal.SIGTERM)
                await writer.ended()
            assert (await client.get(f"{url}/pipelines", headers=bearer("wrong"))).status_code == 401
            assert (await client.post(f"{url}/pipelines/master/pause")).status_code == 403
            assert (await client.post(f"{url}/pipelines/master/resume", headers=dict(admin))).status_code == 200
            kind, *check = settings_of(image_name)["Healthcheck"]["Test"]
            address = {"DYNAMIRROR_ADMIN_HOST": environment["DYNAMIRROR_ADMIN_HOST"], "DYNAMIRROR_ADMIN_PORT": port}
            async with Contained(box, *check, **address) as health:
                assert (await health.ended()).code == 0
            await until(lambda: are_equal(stack.url("emulator")), "all that the writer wrote is in the replicas")
            product.send(signal.SIGTERM)
            ended = await product.ended()
            assert (ended.code, ended.out) == (0, "")
        assert await are_equal(stack.url("emulator"))
