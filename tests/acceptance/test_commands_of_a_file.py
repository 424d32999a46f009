"""`check`, `migrate`, `snapshot` and `verify` with a file of many pipelines."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from tests.servers import Server, create_streamed_table, scan, sdk_client
from tests.support.installed.command import ran


async def test_the_files_pipelines_are_checked_migrated_copied_and_compared(
    moto: Server, unique_name: Callable[[str], str], tmp_path: Path
) -> None:
    control, orders, users = (unique_name(word) for word in ("control", "orders", "users"))
    lines = ["[defaults]", f'control_table = "{control}"', "create_replica = true"]
    lines += [f'{side}_endpoint_url = "{moto.endpoint_url}"' for side in ("source", "replica")]
    for name, table in (("orders", orders), ("users", users)):
        lines += [f"[pipelines.{name}]", f'source_table = "{table}"', f'replica_table = "{table}-replica"']
    file = tmp_path / "fleet.toml"
    file.write_text("\n".join(lines))
    of_file = ("--config", str(file))
    async with sdk_client(moto.endpoint_url) as dynamodb:
        await create_streamed_table(dynamodb, orders)
        for number in range(3):
            await dynamodb.put_item(TableName=orders, Item={"key": {"S": f"key{number}"}})

        found = await ran("check", *of_file)
        assert found.code == 1  # the table of users is not there
        assert "\norders: ready to start\n" in found.out
        assert "\nusers: " in found.out
        assert {line.split()[0] for line in found.out.split("\n\n")[0].splitlines() if line[:1].strip()} >= {
            "orders",
            "users",
        }
        assert (await ran("check", *of_file, "--pipeline", "orders")).code == 0
        told = json.loads((await ran("check", *of_file, "--json")).out)
        assert [(each["pipeline"], each["is_right"]) for each in told["items"]] == [("orders", True), ("users", False)]

        migrated = await ran("migrate", *of_file)
        assert (migrated.code, migrated.out.count("applied 0001_")) == (0, 1)
        copied = await ran("snapshot", *of_file, "--pipeline", "orders")
        assert (copied.code, copied.out) == (0, "3 items scanned, 3 written\n")
        assert len(await scan(dynamodb, f"{orders}-replica")) == 3
        equal = await ran("verify", "--settle-seconds", "0", *of_file, "--pipeline", "orders")
        assert (equal.code, equal.out) == (0, "3 items compared: equal\n")
