"""The zip for Lambda, built once for a test run, and functions of ministack that run it."""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import shutil
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.servers import Server, sdk_client
from tests.servers.functions import Functions

ROOT = Path(__file__).resolve().parents[3]
BUILD = ROOT / "deploy" / "lambda" / "build.py"


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
    with (folder / "lambda-zip.lock").open("w") as lock, pytest.MonkeyPatch.context() as patch:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.exists():
            patch.setattr(build_script, "install", _installed_once(build_script.install))
            build_script.build(folder / "building.zip").rename(target)
    return target


def _installed_once(install: Callable[[Path, Any], None]) -> Callable[[Path, Any], None]:
    """The same dependencies are not installed again in a later run: that is half of the work."""
    inputs = (BUILD, BUILD.with_name("requirements.txt"), ROOT / "constraints.txt")

    def installed(tree: Path, runtime: Any) -> None:
        digest = hashlib.sha256(b"".join(path.read_bytes() for path in inputs) + repr(runtime).encode())
        kept = ROOT / ".cache" / "lambda" / digest.hexdigest()[:16]
        if not kept.exists():
            new = kept.with_name(f"{kept.name}-{os.getpid()}")
            install(new, runtime)
            new.rename(kept)
        shutil.copytree(kept, tree, dirs_exist_ok=True)

    return installed


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
