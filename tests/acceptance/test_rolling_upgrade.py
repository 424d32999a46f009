"""Another file of pipelines, as `helm upgrade` and ECS bring it: new processes beside the former, one by one (I5)."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path

import httpx

from tests.acceptance.test_two_processes import FleetProcess, Tables, tables
from tests.servers.functions import until
from tests.support.installed.product import asking
from tests.support.thoroughness import IS_THOROUGH

__all__ = ["tables"]  # the fixture
PROCESSES = 2 if IS_THOROUGH else 1


async def is_ready(process: FleetProcess) -> bool:
    """As a probe asks: the next of the former processes is stopped only then."""
    async with asking() as client:
        try:
            return (await client.get(f"{process.url}/readyz")).status_code == 200
        except httpx.HTTPError:
            return False


async def test_processes_are_replaced_one_by_one_by_some_with_another_file(tables: Tables, tmp_path: Path) -> None:  # noqa: F811
    former_file = await tables.create(tmp_path)
    text = former_file.read_text()
    removed, changed = tables.names[0], tables.names[1]
    kept = text[text.index(f"[pipelines.{changed}]") :]
    new_file = tmp_path / "new.toml"
    new_file.write_text(
        text[: text.index("[pipelines")] + kept.replace(f"[pipelines.{changed}]", f"[pipelines.{changed}]\nwriters = 2")
    )
    async with AsyncExitStack() as stack:

        async def started(file: Path) -> FleetProcess:
            process = await (await stack.enter_async_context(FleetProcess(file))).start()
            await until(lambda: is_ready(process), f"a process with {file.name} is ready")
            return process

        former = [await started(former_file) for _ in range(PROCESSES)]
        await tables.put(1)
        await until(tables.are_equal, "the replicas are equal before")

        new = []
        for number, process in enumerate(former, 2):
            new.append(await started(new_file))  # ready beside those that have the leases
            assert await process.stop() == 0
            await tables.put(number)

        async def have_all_that_is_left() -> bool:
            active = [name for process in new for name in await process.active()]
            return sorted(active) == sorted({*tables.names} - {removed})

        await until(have_all_that_is_left, "the new processes share what is in their file")
        tables.names.remove(removed)
        await until(tables.are_equal, "the replicas of the file's pipelines are equal")
        assert {await process.stop() for process in new} == {0}
