"""The zip by itself: small, reproducible, and whole for a Python that knows nothing of this checkout."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import zipfile

import pytest

from tests.servers import create_streamed_table, environment, sdk_client
from tests.servers.functions import contents

LEAN = ("fastapi", "uvicorn", "typer", "rich", "moto", "prometheus_client", "httpx", "starlette", "api", "tests")
ONCE = """
import json, sys, time
began = time.perf_counter()
sys.path.insert(0, sys.argv[1])
from service.lambda_handler import forget, handler
imported = time.perf_counter()

class Context:
    def get_remaining_time_in_millis(self):
        return 300000

event = json.load(sys.stdin)
answer = handler(event, Context())
cold = time.perf_counter()
handler(event, Context())
warm = time.perf_counter()
forget()
foreign = [m.__file__ for m in sys.modules.values() if "site-packages" in str(getattr(m, "__file__", ""))]
print(json.dumps({"answer": answer, "import": imported - began, "cold": cold - began, "warm": warm - cold,
                  "modules": sorted({name.partition(".")[0] for name in sys.modules}), "foreign": foreign}))
"""


@pytest.fixture
def unpacked(lambda_zip, tmp_path):
    with zipfile.ZipFile(lambda_zip) as archive:
        archive.extractall(tmp_path / "task")
    return tmp_path / "task"


async def test_the_zip_runs_in_a_clean_python(unpacked, ministack, unique_name, capsys):
    source, replica = unique_name("master"), unique_name("replica")
    async with sdk_client(ministack.endpoint_url) as dynamodb:
        arn = await create_streamed_table(dynamodb, source)
        await create_streamed_table(dynamodb, replica, view_type=None)
        await dynamodb.put_item(TableName=source, Item={"key": {"S": "k"}, "n": {"N": "1"}})
        record = {
            "eventName": "INSERT",
            "eventSource": "aws:dynamodb",
            "eventSourceARN": arn,
            "dynamodb": {
                "ApproximateCreationDateTime": 1479499740,
                "Keys": {"key": {"S": "k"}},
                "NewImage": {"key": {"S": "k"}, "n": {"N": "1"}},
                "SequenceNumber": "13021600000000001596893679",
                "StreamViewType": "NEW_IMAGE",
            },
        }
        settings = {
            "DYNAMIRROR_SOURCE_TABLE": source,
            "DYNAMIRROR_REPLICA_TABLE": replica,
            "AWS_ENDPOINT_URL": ministack.endpoint_url,
        }
        # -S: no site-packages, so nothing of this environment; -P: not the folder that it runs in
        ran = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-S", "-P", "-c", ONCE, str(unpacked)],
            input=json.dumps({"Records": [record]}),
            env=environment() | settings,
            cwd=unpacked.parent,
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == 0, ran.stderr
        told = json.loads(ran.stdout)
        assert told["answer"] == {"batchItemFailures": []}
        assert told["foreign"] == []
        assert not set(told["modules"]) & set(LEAN)
        assert (await contents(dynamodb, replica))["k"]["n"] == {"N": "1"}
    with capsys.disabled():
        seconds = {name: f"{told[name]:.2f} s" for name in ("import", "cold", "warm")}
        print(f"\nLambda: {seconds} (cold: import, connections, checks, control table, one record)")


def test_the_zip_is_small_and_holds_nothing_that_lambda_does_not_need(lambda_zip, build_script):
    assert lambda_zip.stat().st_size < build_script.MAX_ZIPPED / 2
    with zipfile.ZipFile(lambda_zip) as archive:
        names = archive.namelist()
    tops = {name.partition("/")[0] for name in names}
    assert not tops & set(LEAN)
    assert "service/lambda_handler.py" in names
    assert any(name.startswith("schemas/0001_") for name in names)
    models = {name.split("/")[2] for name in names if name.startswith("botocore/data/") and name.count("/") > 2}
    assert models == build_script.SERVICES


def test_the_same_tree_gives_the_same_bytes_wherever_and_whenever(lambda_zip, build_script, tmp_path):
    with zipfile.ZipFile(lambda_zip) as archive:
        entries = archive.infolist()
        own = [entry for entry in entries if entry.filename.partition("/")[0] in ("service", "schemas")]
        for name, members in (("one", own), ("other", own[::-1])):
            archive.extractall(tmp_path / name, members)
            build_script.pack(tmp_path / name, tmp_path / f"{name}.zip")
        for file in (tmp_path / "other").rglob("*"):
            os.utime(file, (0, 0))
        build_script.pack(tmp_path / "other", tmp_path / "older.zip")
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "other.zip").read_bytes()
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "older.zip").read_bytes()
    assert {entry.date_time for entry in entries} == {build_script.OLDEST}
    assert [entry.filename for entry in entries] == sorted(entry.filename for entry in entries)
