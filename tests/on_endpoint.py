"""`python -m tests.on_endpoint URL`: the contract and integration tests on somebody's own DynamoDB.

URL is any server that speaks DynamoDB, or `https://dynamodb.REGION.amazonaws.com`, AWS itself. What it may cost is said
first; anything but this machine's own servers takes --yes. All tables are of one prefix, and deleted at the end.
`--clean` deletes what killed runs have left.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
import uuid
from typing import Any

import aioboto3
from botocore.config import Config

from tests.servers import endpoint
from tests.servers.endpoint import Endpoint, credentials_for, endpoint_of
from tests.servers.process import ServerError

PREFIX = "dynamirror-test-"
FOLDERS = ("tests/contract", "tests/integration")
WAIT_SECONDS = 120.0
AWS_COST = f"""This runs some 250 tests on AWS in {{region}}. They create some 300 tables named {PREFIX}….
50 of them have 5 read and 5 write units for as long as the run takes. The others are on demand and get some 60,000
write units and 20,000 read units, most of them for items of 390 KB. At $0.00065 and $0.00013 an hour for a unit of
writing and reading, and $0.625 and $0.125 for a million on demand, that is less than one US dollar. Prices change and
differ by region: look at yours. All these tables are deleted at the end; nothing else is touched."""


def main() -> int:
    arguments = argparse.ArgumentParser(prog="python -m tests.on_endpoint", description=__doc__)
    arguments.add_argument("url")
    arguments.add_argument("--yes", action="store_true", help="the cost is known, and agreed to")
    arguments.add_argument("--clean", action="store_true", help=f"only delete the tables named {PREFIX}…")
    arguments.epilog = "What follows -- goes to pytest."
    own, more = split(sys.argv[1:])
    given = arguments.parse_args(own)
    found = endpoint_of({**os.environ, endpoint.VARIABLE: given.url})
    if found is None:
        sys.exit("name an endpoint: make test-endpoint URL=http://localhost:8000")
    credentials_for(found)
    if found.url is None and not given.clean:
        print(AWS_COST.format(region=found.region), flush=True)
    if not found.is_here and not given.yes:
        sys.exit(f"tables would be made and deleted on {given.url}: agree with YES=1 (--yes)")
    if given.clean:
        return int(bool(asyncio.run(delete_tables(found, PREFIX))))
    return run(found, given.url, f"{PREFIX}{uuid.uuid4().hex[:8]}-", more)


def split(words: list[str]) -> tuple[list[str], list[str]]:
    """Before and after the first `--`."""
    at = words.index("--") if "--" in words else len(words)
    return words[:at], words[at + 1 :]


def run(found: Endpoint, url: str, prefix: str, arguments: list[str]) -> int:
    """The tests' exit code, or 1 when tables are left."""
    environment = os.environ | {endpoint.VARIABLE: url, endpoint.PREFIX_VARIABLE: prefix}
    folders = [] if any(argument.startswith("tests/") for argument in arguments) else list(FOLDERS)
    process = subprocess.Popen([sys.executable, "-m", "pytest", *folders, *arguments], env=environment)
    try:
        code = process.wait()
    except KeyboardInterrupt:  # the tests got it too, and end by themselves
        code = process.wait()
    finally:
        left = asyncio.run(delete_tables(found, prefix))
    return code or int(bool(left))


async def delete_tables(found: Endpoint, prefix: str) -> list[str]:
    """Delete all tables whose names begin so; returns those that are still there."""
    async with client_of(found) as dynamodb:
        names = await tables(dynamodb, prefix)
        for name in names:
            await delete(dynamodb, name)
        async with asyncio.timeout(WAIT_SECONDS):
            while left := await tables(dynamodb, prefix):  # noqa: ASYNC110 the service has no event to wait for
                await asyncio.sleep(1.0)
    print(f"{len(names)} tables named {prefix}… were there and are deleted", flush=True)
    return left


def client_of(found: Endpoint) -> Any:
    session = aioboto3.Session(region_name=found.region, **credentials_for(found))
    config = Config(retries={"total_max_attempts": 10, "mode": "standard"}, proxies={} if found.is_here else None)
    return session.client("dynamodb", endpoint_url=found.url, config=config)


async def tables(dynamodb: Any, prefix: str) -> list[str]:
    names: list[str] = []
    async for page in dynamodb.get_paginator("list_tables").paginate():
        names += [name for name in page["TableNames"] if name.startswith(prefix)]
    return names


async def delete(dynamodb: Any, name: str) -> None:
    """One that is still being created can't be deleted yet, and at most 500 may be under way at once."""
    async with asyncio.timeout(WAIT_SECONDS):
        while True:
            try:
                await dynamodb.delete_table(TableName=name)
            except dynamodb.exceptions.ResourceNotFoundException:
                return
            except (dynamodb.exceptions.ResourceInUseException, dynamodb.exceptions.LimitExceededException):
                await asyncio.sleep(1.0)
            else:
                return


if __name__ == "__main__":
    try:
        sys.exit(main())
    except ServerError as error:
        sys.exit(str(error))
