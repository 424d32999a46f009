"""schemathesis, which nobody here wrote, asks the served API whatever its OpenAPI document allows, and what it doesn't.

All of its checks are on: no answer of 5xx, none that the document does not tell of, no wrong shape, no refused valid
request, no accepted invalid one, no call that forgets to ask for the token.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from api.hardening import Limits
from tests.fakes.api import ADMIN, READ, FakeApi
from tests.fakes.served_api import Serve
from tests.support.patience import PATIENCE_SECONDS
from tests.support.thoroughness import IS_THOROUGH

WHO = [
    pytest.param(None, None, None, id="without tokens"),
    pytest.param(ADMIN, READ, READ, id="as reader"),
    pytest.param(ADMIN, READ, None, id="as a stranger"),
    pytest.param(ADMIN, READ, ADMIN, id="as admin"),  # may what everybody may without tokens
]
EXAMPLES = "6" if IS_THOROUGH else "2"
WITH_TOKENS = ["examples", "coverage", "fuzzing", "stateful"] if IS_THOROUGH else ["examples", "fuzzing"]
"""The phases, where what the others add is a thousand requests that only the tokens tell from those without."""


@pytest.mark.parametrize(
    ("admin_token", "read_token", "given"),
    WHO if IS_THOROUGH else WHO[:-1],
)
async def test_schemathesis_finds_nothing(serve: Serve, tmp_path: Path, admin_token, read_token, given):
    page = tmp_path / "index.html"
    page.write_text("<!doctype html><title>lag</title>")
    limits = Limits(requests_per_second=100_000)
    api = FakeApi(admin_token=admin_token, read_token=read_token, limits=limits, dashboard_page=page)
    for letter_id in ("a", "b"):
        api.console.add_letter(letter_id)
    server = await serve(api)
    arguments = [f"{server.url}/openapi.json", "--checks", "all", "--max-examples", EXAMPLES]
    arguments += ["--seed", "1", "--generation-deterministic", "--no-color", "--suppress-health-check", "too_slow"]
    arguments += ["--request-timeout", str(PATIENCE_SECONDS)]
    if admin_token is not None:
        arguments += ["--phases", ",".join(WITH_TOKENS)]
    if given is not None:
        arguments += ["--header", f"Authorization: Bearer {given}"]
    script = Path(sys.executable).with_name("schemathesis")
    process = await asyncio.create_subprocess_exec(
        script, "run", *arguments, cwd=tmp_path, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()
    assert {seen.status for seen in api.seen if seen.status >= 500} == set()
