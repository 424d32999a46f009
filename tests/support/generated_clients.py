"""Clients that others' generators make of the OpenAPI document, by the commands of docs/admin-api.md."""

from __future__ import annotations

import asyncio
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tests.support.markdown import ROOT, docs

CACHE = ROOT / ".cache"
_SHOWN_URL = "http://localhost:8080"


def tools(name: str, *packages: str) -> Path:
    """The folder that these packages are in: apart from our own, installed once for all runs."""
    folder = CACHE / name
    if not folder.exists():
        CACHE.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as unfinished:
            target = Path(unfinished, name)
            pip = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(target), *packages]
            subprocess.run(pip, check=True)
            target.rename(folder)
    return folder


def documented(generator: str, url: str) -> list[str]:
    """The arguments that the document tells to give to this generator, with the served API's address."""
    (command,) = [each for block in docs("admin-api").blocks() for each in block.commands if each.startswith(generator)]
    assert _SHOWN_URL in command
    return shlex.split(command.replace(_SHOWN_URL, url))[1:]


def java() -> str:
    """Where Java is. Fails with what to do where there is none."""
    found = shutil.which("java")
    assert found, (
        "no java on PATH: install a Java runtime, such as Debian's default-jre-headless, for openapi-generator"
    )
    return found


async def ran(*command: str, folder: Path | None = None, environment: Mapping[str, str] | None = None) -> str:
    """What it prints. Fails with what it says."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *command, stdout=pipe, stderr=pipe, cwd=folder, env=os.environ | {"PATH": path} | dict(environment or {})
    )
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode() + out.decode()
    return out.decode()
