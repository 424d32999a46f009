"""The zip for Lambda, built once for a test run, and functions of ministack that run it."""

from __future__ import annotations

import fcntl
import importlib.util
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import ModuleType

import pytest

from tests.servers import Server, sdk_client
from tests.servers.functions import Functions

BUILD = Path(__file__).resolve().parents[3] / "deploy" / "lambda" / "build.py"


def _build_script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("lambda_build", BUILD)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # its dataclass looks itself up there
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def build_script() -> ModuleType:
    return _build_script()


@pytest.fixture(scope="session")
def lambda_zip(build_script: ModuleType, tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """Built as `make lambda` does, for the Python of this test run; by one of the test processes, for all."""
    base = tmp_path_factory.getbasetemp()
    folder = base if worker_id == "master" else base.parent
    target = folder / "dynamirror-lambda.zip"
    with (folder / "lambda-zip.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.exists():
            build_script.build(folder / "building.zip").rename(target)
    return target


@pytest.fixture(scope="session")
def lambda_code(lambda_zip: Path) -> bytes:
    return lambda_zip.read_bytes()


@pytest.fixture
async def functions(
    ministack: Server, lambda_code: bytes, unique_name: Callable[[str], str]
) -> AsyncIterator[Functions]:
    """Functions and mappings on ministack; all of them are gone when the test ends."""
    async with (
        sdk_client(ministack.endpoint_url) as dynamodb,
        sdk_client(ministack.endpoint_url, "lambda") as client,
        sdk_client(ministack.endpoint_url, "sqs") as sqs,
    ):
        made = Functions(dynamodb, client, sqs, lambda_code, unique_name)
        yield made
        await made.remove()
