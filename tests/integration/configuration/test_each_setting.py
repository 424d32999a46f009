"""With one setting away from its default, and all others at theirs, a pipeline replicates at its first start and later.

The settings, and what the choices among them are, are the settings' own list. One process after the other: each stops
as it should. test_every_start.py sets all of them at once.
"""

from __future__ import annotations

import enum
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest

from service.configuration.settings import Settings, load_settings
from tests.servers import REGION, Server, create_streamed_table, environment, profiles_file, scan, sdk_client
from tests.servers.functions import until
from tests.servers.ports import free_port
from tests.support.service_starts import Process, client_of_role
from tests.support.thoroughness import played

ANOTHER_REGION = "eu-central-1"
ANOTHER_SERVER = "another server"
"""Only this setting points there; the SDK's own variable, and so all else, to the first one."""
VALUES: dict[str, tuple[str, ...]] = {
    "source_table": ("the ARN",),
    "replica_table": ("the ARN",),
    "pipeline": ("orders/2026:eu",),
    "control_table": ("a-control-table-of-ours",),
    "source_region": (ANOTHER_REGION,),
    "replica_region": (ANOTHER_REGION,),
    "source_endpoint_url": (ANOTHER_SERVER,),
    "replica_endpoint_url": (ANOTHER_SERVER,),
    "streams_endpoint_url": ("the same server",),
    "source_role_arn": ("arn:aws:iam::111111111111:role/reader",),
    "replica_role_arn": ("arn:aws:iam::222222222222:role/writer",),
    "source_profile": ("reader",),
    "replica_profile": ("writer",),
    "writers": ("1", "1024"),
    "queue_max_records": ("1",),
    "queue_max_bytes": ("1",),
    "max_writes_per_second": ("5",),
    "poll_interval_seconds": ("0.01", "1"),
    "checkpoint_interval_seconds": ("0.01", "3600"),
    "lease_seconds": ("1", "3600"),
    "shutdown_timeout_seconds": ("5",),
    "max_attempts": ("1",),
    "stamp_attribute": ("replicated_at", ""),
    "sequence_attribute": ("replicated_as", ""),
    "include_attributes": ("n",),
    "exclude_attributes": ("secret",),
    "transform": ("tests.integration.configuration.test_each_setting:marked",),
    "verify_items_per_second": ("1000",),
    "admin_host": ("[::1]", "localhost"),
    "admin_port": ("a free one",),
    "admin_token": ("a-secret",),
    "read_token": ("another-secret",),
}
"""A switch has its other position, a choice all that it has besides the default."""
SHOWN = {"key", "n", "secret", "timestamp", "dynamirror_sequence"}
SHOWN_WITH = {
    ("stamp_attribute", "replicated_at"): SHOWN - {"timestamp"} | {"replicated_at"},
    ("stamp_attribute", ""): SHOWN - {"timestamp"},
    ("sequence_attribute", "replicated_as"): SHOWN - {"dynamirror_sequence"} | {"replicated_as"},
    ("sequence_attribute", ""): SHOWN - {"dynamirror_sequence"},
    ("include_attributes", "n"): SHOWN - {"secret"},
    ("exclude_attributes", "secret"): SHOWN - {"secret"},
    ("transform", "tests.integration.configuration.test_each_setting:marked"): SHOWN | {"marked"},
}
"""Which attributes an item of the replica has."""


def marked(item: dict[str, Any]) -> dict[str, Any]:
    return item | {"marked": {"BOOL": True}}


def values_of(name: str) -> tuple[str, ...]:
    field = Settings.model_fields[name]
    kinds = (field.annotation, *get_args(field.annotation))
    choices: list[Any] = [choice.value for kind in kinds if isinstance(kind, enum.EnumMeta) for choice in kind]
    if get_origin(field.annotation) is Literal:
        choices += get_args(field.annotation)
    if field.annotation is bool:
        choices += ["false", "true"]
    default = str(field.default).lower() if field.annotation is bool else field.default
    return tuple(choice for choice in choices if choice != default) or VALUES.get(name, ())


CASES = [(name, value) for name in Settings.model_fields for value in values_of(name)]
PLAYED = played(CASES, every=8)
"""Each takes some seconds."""


def test_every_setting_has_a_value_here_that_is_not_its_default() -> None:
    assert {name for name, _ in CASES} == set(Settings.model_fields)
    assert VALUES.keys() <= Settings.model_fields.keys()
    required = {"DYNAMIRROR_SOURCE_TABLE": "the-source", "DYNAMIRROR_REPLICA_TABLE": "the-replica"}
    for name, value in [case for case in CASES if not case[0].endswith(("_table", "_url", "_port"))]:
        given = required | {f"DYNAMIRROR_{name.upper()}": value}
        assert getattr(load_settings(given), name) != Settings.model_fields[name].default, name


class Stage:
    """A source, where the one setting says that it is, and the settings of a pipeline from there."""

    def __init__(self, name: str, value: str, servers: Callable[[str], Server], unique_name: Callable[[str], str]):
        self._name = name
        self._value = value
        self._servers = servers
        self._tables = {side: unique_name(side) for side in ("source", "replica")}
        self._clients: dict[str, Any] = {}
        self._count = 0

    async def open(self, stack: AsyncExitStack) -> None:
        for side in ("source", "replica"):
            self._clients[side] = await stack.enter_async_context(await self._client(side))
        await create_streamed_table(self._clients["source"], self._tables["source"])
        if self._name != "create_replica":
            await create_streamed_table(self._clients["replica"], self._tables["replica"], view_type=None)

    async def _client(self, side: str) -> Any:
        server = self._servers("ministack" if self._is(side, "endpoint_url") else "moto").endpoint_url
        region = self._value if self._is(side, "region") else REGION
        if self._is(side, "role_arn"):
            return await client_of_role(server, self._value)
        return sdk_client(server, region=region)

    def _is(self, side: str, word: str) -> bool:
        return self._name == f"{side}_{word}"

    async def settings(self) -> Settings:
        given = {f"{side}_table": table for side, table in self._tables.items()} | {"admin_port": "0"}
        given |= {self._name: await self._real_value()}
        return load_settings({f"DYNAMIRROR_{name.upper()}": value for name, value in given.items()})

    async def _real_value(self) -> str:
        match self._name:
            case "source_table" | "replica_table":
                side = self._name.removesuffix("_table")
                described = await self._clients[side].describe_table(TableName=self._tables[side])
                arn: str = described["Table"]["TableArn"]
                return arn
            case "source_endpoint_url" | "replica_endpoint_url":
                return self._servers("ministack").endpoint_url
            case "streams_endpoint_url":
                return self._servers("moto").endpoint_url
            case "admin_port":
                return str(free_port())
        return self._value

    async def write(self) -> dict[str, Any]:
        """A new item in the source, and an old one changed; returns what the replica's items should hold."""
        self._count += 1
        for key in ("old", f"new{self._count}"):
            item = {"key": {"S": key}, "n": {"N": str(self._count)}, "secret": {"S": "x"}}
            await self._clients["source"].put_item(TableName=self._tables["source"], Item=item)
        return {"old": self._count, f"new{self._count}": self._count}

    async def until_there(self, wanted: dict[str, Any]) -> None:
        shown = SHOWN_WITH.get((self._name, self._value), SHOWN)

        async def is_there() -> bool:
            items = {item["key"]["S"]: item for item in await scan(self._clients["replica"], self._tables["replica"])}
            return all(
                key in items and items[key].keys() == shown and items[key]["n"]["N"] == str(number)
                for key, number in wanted.items()
            )

        await until(is_there, f"{wanted} with {sorted(shown)}")


@pytest.fixture
async def stage(
    case: tuple[str, str],
    server_named: Callable[[str], Server],
    unique_name: Callable[[str], str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> AsyncIterator[Stage]:
    profiles = {"AWS_SHARED_CREDENTIALS_FILE": profiles_file(tmp_path, "reader", "writer")}
    for name, value in (environment() | profiles | {"AWS_ENDPOINT_URL": server_named("moto").endpoint_url}).items():
        monkeypatch.setenv(name, value)
    if case[0] == "streams_endpoint_url":
        monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB_STREAMS", f"http://127.0.0.1:{free_port()}")
    async with AsyncExitStack() as stack:
        stage = Stage(*case, server_named, unique_name)
        await stage.open(stack)
        yield stage


# A connection that is cancelled while it is made may leave its socket (asyncio.staggered); a process ends with it.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("case", PLAYED, ids=lambda case: "-".join(case).replace("/", "_") or "empty")
async def test_one_setting_replicates_at_the_first_start_and_at_the_second(stage: Stage) -> None:
    settings = await stage.settings()
    missed: dict[str, Any] = {}
    for _ in range(2):
        process = Process(settings)
        await process.answers()
        await process.until_running()
        await stage.until_there(missed | await stage.write())
        assert (await process.asked())["pipeline"] == settings.pipeline_name
        await process.stop()
        missed = await stage.write()  # while nobody is there: the next start begins where this one has ended
